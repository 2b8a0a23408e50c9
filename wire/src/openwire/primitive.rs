//! Typed values: what property maps, map bodies and stream bodies are made of.

use bytes::{BufMut, Bytes};

use super::cursor::Cursor;
use super::mutf8;
use super::property_map::{self, PropertyMap, ReadLimits};
use super::text::Text;
use crate::error::Error;

const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const BYTE: u8 = 2;
const CHAR: u8 = 3;
const SHORT: u8 = 4;
const INT: u8 = 5;
const LONG: u8 = 6;
const DOUBLE: u8 = 7;
const FLOAT: u8 = 8;
const STRING: u8 = 9;
const BYTES: u8 = 10;
const MAP: u8 = 11;
const LIST: u8 = 12;
const BIG_STRING: u8 = 13;

/// Java writes strings of this many UTF-16 units and more as big strings.
const BIG: usize = 8191;

/// One typed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Primitive {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed byte.
    Byte(i8),
    /// A UTF-16 unit.
    Char(u16),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// Double precision.
    Double(f64),
    /// Single precision.
    Float(f32),
    /// A string of any length.
    String(Text),
    /// Bytes.
    Bytes(Bytes),
    /// A map in a map.
    Map(PropertyMap),
    /// A list.
    List(Vec<Primitive>),
}

impl Primitive {
    /// Reads values back to back to the end: the body of a stream message.
    ///
    /// # Errors
    /// The bytes are not such values, or too many.
    pub fn decode_stream(content: &Bytes) -> Result<Vec<Self>, Error> {
        let mut input = PrimitiveInput::new(content, ReadLimits::default());
        let mut values = Vec::new();
        while input.cursor.left() > 0 {
            values.push(input.value(0)?);
        }
        Ok(values)
    }

    /// Writes values back to back: the body of a stream message.
    ///
    /// # Errors
    /// A value is too long for its length field.
    pub fn encode_stream(values: &[Self]) -> Result<Bytes, Error> {
        let mut out = Vec::new();
        values.iter().try_for_each(|value| value.write(&mut out))?;
        Ok(out.into())
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Null => out.put_u8(NULL),
            Self::Bool(value) => out.put_slice(&[BOOLEAN, u8::from(*value)]),
            Self::Byte(value) => put(out, BYTE, &value.to_be_bytes()),
            Self::Char(value) => put(out, CHAR, &value.to_be_bytes()),
            Self::Short(value) => put(out, SHORT, &value.to_be_bytes()),
            Self::Int(value) => put(out, INT, &value.to_be_bytes()),
            Self::Long(value) => put(out, LONG, &value.to_be_bytes()),
            Self::Double(value) => put(out, DOUBLE, &value.to_be_bytes()),
            Self::Float(value) => put(out, FLOAT, &value.to_be_bytes()),
            Self::String(value) => write_string(value, out)?,
            Self::Bytes(value) => {
                put(out, BYTES, &length(value.len())?);
                out.put_slice(value);
            }
            Self::Map(value) => {
                out.put_u8(MAP);
                value.write(out)?;
            }
            Self::List(values) => {
                put(out, LIST, &length(values.len())?);
                values.iter().try_for_each(|value| value.write(out))?;
            }
        }
        Ok(())
    }
}

fn put(out: &mut Vec<u8>, code: u8, raw: &[u8]) {
    out.put_u8(code);
    out.put_slice(raw);
}

/// An i32 length or count.
pub(crate) fn length(length: usize) -> Result<[u8; 4], Error> {
    let checked = i32::try_from(length).map_err(|_| Error::ArrayTooLong {
        length,
        limit: i32::MAX as usize,
    })?;
    Ok(checked.to_be_bytes())
}

fn write_string(value: &Text, out: &mut Vec<u8>) -> Result<(), Error> {
    let raw = value.as_bytes();
    match u16::try_from(raw.len()) {
        Ok(short) if raw.len() < BIG || mutf8::utf16_length(raw) < BIG => {
            put(out, STRING, &short.to_be_bytes());
        }
        _ => put(out, BIG_STRING, &length(raw.len())?),
    }
    out.put_slice(raw);
    Ok(())
}

/// Primitive values being read: the position and the budgets.
pub(crate) struct PrimitiveInput<'a> {
    pub(crate) cursor: Cursor<'a>,
    source: &'a Bytes,
    limits: ReadLimits,
    values: usize,
}

impl<'a> PrimitiveInput<'a> {
    pub(crate) fn new(source: &'a Bytes, limits: ReadLimits) -> Self {
        Self {
            cursor: Cursor::new(source),
            source,
            limits,
            values: 0,
        }
    }

    /// A value within `depth` maps and lists.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Primitive, Error> {
        self.charge()?;
        let code = self.cursor.u8()?;
        Ok(match code {
            NULL => Primitive::Null,
            BOOLEAN => Primitive::Bool(self.cursor.u8()? != 0),
            BYTE => Primitive::Byte(i8::from_be_bytes(self.cursor.array()?)),
            CHAR => Primitive::Char(self.cursor.u16()?),
            SHORT => Primitive::Short(self.cursor.i16()?),
            INT => Primitive::Int(self.cursor.i32()?),
            LONG => Primitive::Long(self.cursor.i64()?),
            DOUBLE => Primitive::Double(f64::from_be_bytes(self.cursor.array()?)),
            FLOAT => Primitive::Float(f32::from_be_bytes(self.cursor.array()?)),
            STRING => Primitive::String(self.short_text()?),
            BIG_STRING => {
                let length = self.cursor.length()?;
                Primitive::String(Text::from_raw(self.take(length)?))
            }
            BYTES => {
                let length = self.cursor.length()?;
                Primitive::Bytes(self.source.slice_ref(self.take(length)?))
            }
            MAP => Primitive::Map(property_map::read(self, self.below(depth)?)?),
            LIST => Primitive::List(self.list(depth)?),
            _ => {
                return Err(Error::BadPrimitive {
                    code,
                    at: self.cursor.at(),
                });
            }
        })
    }

    /// Steps over a value without keeping it.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), Error> {
        self.charge()?;
        let code = self.cursor.u8()?;
        let length = match code {
            NULL => 0,
            BOOLEAN | BYTE => 1,
            CHAR | SHORT => 2,
            INT | FLOAT => 4,
            LONG | DOUBLE => 8,
            STRING => usize::from(self.cursor.u16()?),
            BYTES | BIG_STRING => self.cursor.length()?,
            MAP => return property_map::skip(self, self.below(depth)?),
            LIST => {
                let below = self.below(depth)?;
                let count = self.count(1)?;
                return (0..count).try_for_each(|_| self.skip(below));
            }
            _ => {
                return Err(Error::BadPrimitive {
                    code,
                    at: self.cursor.at(),
                });
            }
        };
        self.cursor.take(length).map(|_| ())
    }

    /// A key, or a string with a short length.
    pub(crate) fn short_text(&mut self) -> Result<Text, Error> {
        Ok(Text::from_raw(self.short_raw()?))
    }

    pub(crate) fn short_raw(&mut self) -> Result<&'a [u8], Error> {
        let length = self.cursor.u16()?;
        self.take(usize::from(length))
    }

    /// A count whose elements take at least `least` bytes each.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, Error> {
        let count = self.cursor.length()?;
        let left = self.cursor.left();
        if count > left / least {
            return Err(Error::Truncated {
                at: self.cursor.at(),
                wanted: count,
                left,
            });
        }
        Ok(count)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Primitive>, Error> {
        let below = self.below(depth)?;
        let count = self.count(1)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(below)?);
        }
        Ok(values)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        if length > self.limits.bytes {
            return Err(Error::StringTooLong {
                length,
                limit: self.limits.bytes,
            });
        }
        self.cursor.take(length)
    }

    fn below(&self, depth: usize) -> Result<usize, Error> {
        if depth >= self.limits.depth {
            return Err(Error::TooDeep {
                limit: self.limits.depth,
            });
        }
        Ok(depth + 1)
    }

    fn charge(&mut self) -> Result<(), Error> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(Error::TooManyElements {
                count: self.values,
                limit: self.limits.values,
            });
        }
        Ok(())
    }
}
