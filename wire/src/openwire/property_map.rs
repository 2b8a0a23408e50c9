//! Primitive maps: message properties, map bodies, `WireFormatInfo`.

use bytes::{BufMut, Bytes};

use super::primitive::{Primitive, PrimitiveInput, length};
use super::text::Text;
use crate::error::Error;
use crate::limits::{MAX_PRIMITIVE_DEPTH, MAX_PRIMITIVES, MAX_STRING};

/// Least bytes of an entry: a key's length and a type code.
const LEAST_ENTRY: usize = 3;

/// A count that stands for no map at all.
const NO_MAP: [u8; 4] = (-1i32).to_be_bytes();

/// Bounds of a map that is about to be read.
#[derive(Clone, Copy)]
pub(crate) struct ReadLimits {
    /// Values in all.
    pub(crate) values: usize,
    /// Bytes of one key or value.
    pub(crate) bytes: usize,
    /// Maps and lists within the map.
    pub(crate) depth: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            values: MAX_PRIMITIVES,
            bytes: usize::MAX,
            depth: MAX_PRIMITIVE_DEPTH,
        }
    }
}

/// Keys and typed values, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyMap {
    entries: Vec<(Text, Primitive)>,
}

impl PropertyMap {
    /// Reads a marshalled map; no bytes and a null map are an empty one.
    /// Values that are byte arrays are slices of `raw`.
    ///
    /// # Errors
    /// The bytes are not a map, or beyond the bounds of one.
    pub fn decode(raw: &Bytes) -> Result<Self, Error> {
        Self::decode_within(raw, ReadLimits::default())
    }

    pub(crate) fn decode_within(raw: &Bytes, limits: ReadLimits) -> Result<Self, Error> {
        if is_no_map(raw) {
            return Ok(Self::default());
        }
        read(&mut PrimitiveInput::new(raw, limits), 0)
    }

    /// Looks one key up without reading the rest: what a selector wants.
    ///
    /// # Errors
    /// The bytes up to the key are not a map.
    pub fn find(raw: &Bytes, key: &str) -> Result<Option<Primitive>, Error> {
        if is_no_map(raw) {
            return Ok(None);
        }
        let key = Text::from(key);
        let mut input = PrimitiveInput::new(raw, ReadLimits::default());
        for _ in 0..input.count(LEAST_ENTRY)? {
            if input.short_raw()? == key.as_bytes() {
                return input.value(0).map(Some);
            }
            input.skip(0)?;
        }
        Ok(None)
    }

    /// The marshalled map.
    ///
    /// # Errors
    /// A key exceeds 65,535 bytes.
    pub fn encode(&self) -> Result<Bytes, Error> {
        let mut out = Vec::new();
        self.write(&mut out)?;
        Ok(out.into())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Primitive> {
        self.entries
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// Sets a key, in its place if it is there, else at the end.
    pub fn insert(&mut self, key: impl Into<Text>, value: Primitive) {
        let key = key.into();
        match self.entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    /// Sets a key to a string.
    pub fn insert_string(&mut self, key: impl Into<Text>, value: impl Into<Text>) {
        self.insert(key, Primitive::String(value.into()));
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Primitive> {
        let at = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Primitive)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.put_slice(&length(self.entries.len())?);
        for (key, value) in &self.entries {
            let raw = key.as_bytes();
            let length = u16::try_from(raw.len()).map_err(|_| Error::StringTooLong {
                length: raw.len(),
                limit: MAX_STRING,
            })?;
            out.put_u16(length);
            out.put_slice(raw);
            value.write(out)?;
        }
        Ok(())
    }
}

fn is_no_map(raw: &[u8]) -> bool {
    raw.is_empty() || raw == NO_MAP
}

/// Reads count and entries, within `depth` maps and lists.
pub(crate) fn read(input: &mut PrimitiveInput<'_>, depth: usize) -> Result<PropertyMap, Error> {
    let mut entries = Vec::new();
    for _ in 0..input.count(LEAST_ENTRY)? {
        let key = input.short_text()?;
        entries.push((key, input.value(depth)?));
    }
    Ok(PropertyMap { entries })
}

/// Steps over count and entries.
pub(crate) fn skip(input: &mut PrimitiveInput<'_>, depth: usize) -> Result<(), Error> {
    for _ in 0..input.count(LEAST_ENTRY)? {
        input.short_raw()?;
        input.skip(depth)?;
    }
    Ok(())
}
