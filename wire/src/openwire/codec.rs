//! Frames to commands and back, for one direction of one connection. The
//! encoder and the decoder hold the cache tables of the negotiated format, so
//! each must see every frame of its direction, in order.
//!
//! After an error the connection must be closed: the tables of the two ends
//! may differ from there on. The encoder enforces it when the cache is on.

use bytes::{BufMut, Bytes, BytesMut};

use super::cache::{Cacheable, ReadCache, Value, WriteCache, value_of};
use super::command::{Command, MessageDispatch};
use super::cursor::Cursor;
use super::format::WireFormat;
use super::loose::{LooseReader, LooseWriter};
use super::marshal::{Structure, registered};
use super::memo::Memo;
use super::mutf8;
use super::text::Text;
use super::tight::{BitWriter, TightReader, TightWriter};
use super::type_id;
use crate::error::Error;
use crate::limits::{MAX_CACHE, MAX_ELEMENTS, MAX_NESTING};

/// Bytes of the size in front of every frame.
const PREFIX: usize = 4;

/// Room for the boolean stream before its size is known, at first.
const FIRST_GAP: u8 = 9;

/// Reads the size prefix at the start of `buf`: how many bytes the frame has
/// after the prefix. `None` when the prefix is not complete yet.
///
/// # Errors
/// The size is negative or above `max`; nothing has been allocated for it.
pub fn frame_length(buf: &[u8], max: usize) -> Result<Option<usize>, Error> {
    let Some(prefix) = buf.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let size = i32::from_be_bytes(*prefix);
    let length = usize::try_from(size).map_err(|_| Error::NegativeFrame { size })?;
    if length > max {
        return Err(Error::FrameTooLarge {
            size: length,
            limit: max,
        });
    }
    Ok(Some(length))
}

/// Writes the commands of one direction.
pub struct Encoder {
    format: WireFormat,
    cache: Option<WriteCache>,
    bits: BitWriter,
    /// How long the boolean stream of each type was last time, with its
    /// length: the guess for the next one. A wrong guess moves the body once.
    gaps: Box<[u8; 256]>,
    out_of_step: bool,
}

impl Encoder {
    /// An encoder with an empty cache.
    #[must_use]
    pub fn new(format: WireFormat) -> Self {
        let cache = format
            .cache
            .map(|size| WriteCache::new(size.clamp(1, MAX_CACHE)));
        let gaps = Box::new([FIRST_GAP; 256]);
        Self {
            format,
            cache,
            bits: BitWriter::default(),
            gaps,
            out_of_step: false,
        }
    }

    /// The format it writes.
    #[must_use]
    pub fn format(&self) -> &WireFormat {
        &self.format
    }

    /// Appends the size prefix and the frame of a command.
    ///
    /// # Errors
    /// The command does not exist in this version, or is too large for the
    /// wire. `out` is then as it was before.
    pub fn encode(&mut self, command: &Command, out: &mut BytesMut) -> Result<(), Error> {
        if command.is_null() {
            out.put_slice(&[0, 0, 0, 1, type_id::NULL]);
            return Ok(());
        }
        self.frame(command, out)
    }

    /// [`Encoder::encode`] of a dispatch, without making a [`Command`] of it.
    ///
    /// # Errors
    /// As for [`Encoder::encode`].
    pub fn encode_dispatch(
        &mut self,
        dispatch: &MessageDispatch,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        self.frame(dispatch, out)
    }

    fn frame<T: Structure>(&mut self, value: &T, out: &mut BytesMut) -> Result<(), Error> {
        if self.out_of_step {
            return Err(Error::OutOfStep);
        }
        if let Some(cache) = &mut self.cache {
            cache.sweep();
        }
        let start = out.len();
        let result = if self.format.tight {
            self.tight_frame(value, out)
        } else {
            self.loose_frame(value, out)
        };
        let result = result.and_then(|()| self.put_size(start, out));
        if result.is_err() {
            out.truncate(start);
            self.out_of_step = self.cache.is_some();
        }
        result
    }

    fn loose_frame<T: Structure>(&mut self, value: &T, out: &mut BytesMut) -> Result<(), Error> {
        out.put_bytes(0, PREFIX);
        LooseWriter::new(out, &self.format, self.cache.as_mut()).top(value)
    }

    fn tight_frame<T: Structure>(&mut self, value: &T, out: &mut BytesMut) -> Result<(), Error> {
        let type_id = registered(value.type_id(), self.format.version)?;
        let gap = usize::from(self.gaps[usize::from(type_id)]);
        out.put_bytes(0, PREFIX);
        out.put_u8(type_id);
        let stream = out.len();
        out.put_bytes(0, gap);
        self.bits.clear();
        let cache = self.cache.as_mut();
        let mut w = TightWriter {
            out,
            bits: &mut self.bits,
            format: &self.format,
            cache,
            depth: 0,
        };
        value.write_fields(&mut w)?;
        let length = self.bits.encoded_len()?;
        if length != gap {
            move_body(out, stream + gap, stream + length);
            self.gaps[usize::from(type_id)] = u8::try_from(length).unwrap_or(FIRST_GAP);
        }
        self.bits.write_at(out, stream);
        Ok(())
    }

    fn put_size(&self, start: usize, out: &mut BytesMut) -> Result<(), Error> {
        let size = out.len() - start - PREFIX;
        let limit = self.format.max_frame_size.min(i32::MAX as usize);
        match i32::try_from(size) {
            Ok(prefix) if size <= limit => {
                out[start..start + PREFIX].copy_from_slice(&prefix.to_be_bytes());
                Ok(())
            }
            _ => Err(Error::FrameTooLarge { size, limit }),
        }
    }
}

/// Moves all from `from` on to `to`.
fn move_body(out: &mut BytesMut, from: usize, to: usize) {
    let end = out.len();
    if to > from {
        out.put_bytes(0, to - from);
        out.copy_within(from..end, to);
    } else {
        out.copy_within(from..end, to);
        out.truncate(end - (from - to));
    }
}

/// Reads the commands of one direction.
pub struct Decoder {
    format: WireFormat,
    tables: Tables,
}

impl Decoder {
    /// A decoder with an empty cache.
    #[must_use]
    pub fn new(format: WireFormat) -> Self {
        Self {
            format,
            tables: Tables::new(&format),
        }
    }

    /// The format it reads.
    #[must_use]
    pub fn format(&self) -> &WireFormat {
        &self.format
    }

    /// Reads one frame, given without its size prefix. Bodies and properties
    /// of messages are slices of `frame` and keep all of its allocation alive:
    /// hand in a buffer of its own for each frame, or use
    /// [`Decoder::decode_slice`]. Strings are always copies.
    ///
    /// # Errors
    /// The frame is not a command of this format. Close the connection.
    pub fn decode(&mut self, frame: Bytes) -> Result<Command, Error> {
        let input = Input::new(&frame, Some(&frame), &self.format, &mut self.tables);
        read_frame(input)
    }

    /// Reads one frame out of a larger buffer, copying bodies and properties.
    ///
    /// # Errors
    /// As for [`Decoder::decode`].
    pub fn decode_slice(&mut self, frame: &[u8]) -> Result<Command, Error> {
        read_frame(Input::new(frame, None, &self.format, &mut self.tables))
    }
}

/// What a decoder keeps from frame to frame.
pub(crate) struct Tables {
    memo: Memo,
    cache: Option<ReadCache>,
}

impl Tables {
    fn new(format: &WireFormat) -> Self {
        let cache = format
            .cache
            .map(|size| ReadCache::new(size.clamp(1, MAX_CACHE)));
        Self {
            memo: Memo::new(),
            cache,
        }
    }

    /// Tables for a single frame without cache.
    pub(crate) fn none() -> Self {
        Self {
            memo: Memo::off(),
            cache: None,
        }
    }
}

/// Reads a whole frame of either encoding.
pub(crate) fn read_frame<T: Structure>(mut input: Input<'_>) -> Result<T, Error> {
    let type_id = input.cursor.u8()?;
    let value = match T::null() {
        Some(null) if type_id == type_id::NULL => null,
        _ => {
            let type_id = registered(type_id, input.format.version)?;
            if input.format.tight {
                TightReader::new(&mut input)?.top(type_id)?
            } else {
                LooseReader::new(&mut input).top(type_id)?
            }
        }
    };
    match input.cursor.left() {
        0 => Ok(value),
        left => Err(Error::TrailingBytes { left, type_id }),
    }
}

/// One frame being read: the position, the tables, and the budgets that bound
/// what a hostile frame can cost.
pub(crate) struct Input<'a> {
    pub(crate) cursor: Cursor<'a>,
    pub(crate) format: &'a WireFormat,
    shared: Option<&'a Bytes>,
    tables: &'a mut Tables,
    depth: u32,
    elements: usize,
}

impl<'a> Input<'a> {
    /// With `shared`, which must hold the same bytes, byte arrays are slices.
    pub(crate) fn new(
        frame: &'a [u8],
        shared: Option<&'a Bytes>,
        format: &'a WireFormat,
        tables: &'a mut Tables,
    ) -> Self {
        Self {
            cursor: Cursor::new(frame),
            format,
            shared,
            tables,
            depth: 0,
            elements: 0,
        }
    }

    #[inline]
    pub(crate) fn length_and_bytes(&mut self) -> Result<Bytes, Error> {
        let length = self.cursor.length()?;
        let raw = self.cursor.take(length)?;
        let end = self.cursor.at();
        Ok(match self.shared {
            Some(frame) => frame.slice(end - length..end),
            None => Bytes::copy_from_slice(raw),
        })
    }

    /// Modified UTF-8 of a known length.
    #[inline]
    pub(crate) fn text(&mut self, length: usize) -> Result<Text, Error> {
        let raw = self.cursor.take(length)?;
        Ok(self.tables.memo.text(raw))
    }

    /// A string with the only-ASCII bit: Java reads it as ISO-8859-1.
    #[inline]
    pub(crate) fn latin1(&mut self, length: i16) -> Result<Text, Error> {
        let at = self.cursor.at();
        let length = usize::try_from(length).map_err(|_| Error::NegativeLength {
            length: i32::from(length),
            at,
        })?;
        let raw = self.cursor.take(length)?;
        if mutf8::is_plain(raw) {
            return Ok(self.tables.memo.text(raw));
        }
        Ok(Text::from_raw(&mutf8::from_latin1(raw)))
    }

    /// Goes into a nested structure: its type id, checked.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<u8, Error> {
        if self.depth >= MAX_NESTING {
            return Err(Error::TooDeep {
                limit: MAX_NESTING as usize,
            });
        }
        self.depth += 1;
        registered(self.cursor.u8()?, self.format.version)
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// An i16 count. Each element costs the frame a byte, or one of the
    /// `spare` bits: a count beyond that is a lie and found out at once.
    pub(crate) fn count(&mut self, spare: usize) -> Result<usize, Error> {
        let count = self.cursor.i16()?;
        let at = self.cursor.at();
        let count = usize::try_from(count).map_err(|_| Error::NegativeLength {
            length: i32::from(count),
            at,
        })?;
        let left = self.cursor.left() + spare;
        if count > left {
            return Err(Error::Truncated {
                at,
                wanted: count,
                left,
            });
        }
        self.elements += count;
        if self.elements > MAX_ELEMENTS {
            return Err(Error::TooManyElements {
                count: self.elements,
                limit: MAX_ELEMENTS,
            });
        }
        Ok(count)
    }

    #[inline]
    pub(crate) fn has_cache(&self) -> bool {
        self.tables.cache.is_some()
    }

    pub(crate) fn load<T: Cacheable>(&self, index: i16) -> Result<Option<T>, Error> {
        match &self.tables.cache {
            Some(cache) => cache.load(index),
            None => Err(Error::CacheIndex { index, size: 0 }),
        }
    }

    pub(crate) fn store<T: Cacheable>(
        &mut self,
        index: i16,
        value: &Option<T>,
    ) -> Result<(), Error> {
        match &mut self.tables.cache {
            Some(cache) => cache.store(index, cached(value)),
            None => Err(Error::CacheIndex { index, size: 0 }),
        }
    }
}

fn cached<T: Cacheable>(value: &Option<T>) -> Value {
    value_of(value.as_ref())
}
