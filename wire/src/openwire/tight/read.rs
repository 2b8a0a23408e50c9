//! Reading tight: bits from the stream in front, bytes from the body.

use bytes::Bytes;

use super::BitReader;
use crate::error::Error;
use crate::openwire::cache::Cacheable;
use crate::openwire::codec::Input;
use crate::openwire::marshal::{Reader, Structure};
use crate::openwire::text::Text;
use crate::openwire::type_id;

/// Reads one tight frame body.
pub(crate) struct TightReader<'i, 'a> {
    input: &'i mut Input<'a>,
    bits: BitReader<'a>,
}

impl<'i, 'a> TightReader<'i, 'a> {
    /// Takes the boolean stream that stands after the type byte.
    pub(crate) fn new(input: &'i mut Input<'a>) -> Result<Self, Error> {
        let bits = BitReader::read(&mut input.cursor)?;
        Ok(Self { input, bits })
    }

    /// The fields of a frame whose type byte has been read.
    pub(crate) fn top<T: Structure>(&mut self, type_id: u8) -> Result<T, Error> {
        T::read_fields(type_id, self)
    }

    /// A nested structure that was marshalled on its own: a size, its type
    /// once more, and a boolean stream of its own. No known writer does it.
    fn premarshalled<T: Structure>(&mut self, type_id: u8) -> Result<T, Error> {
        self.input.cursor.take(4 + 1)?;
        let own = BitReader::read(&mut self.input.cursor)?;
        let outer = std::mem::replace(&mut self.bits, own);
        let value = T::read_fields(type_id, self)?;
        self.bits = outer;
        Ok(value)
    }
}

impl Reader for TightReader<'_, '_> {
    #[inline]
    fn version(&self) -> i32 {
        self.input.format.version
    }

    #[inline]
    fn stack_traces(&self) -> bool {
        self.input.format.stack_traces
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, Error> {
        self.bits.pull()
    }

    #[inline]
    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.input.cursor.array()
    }

    #[inline]
    fn length_and_bytes(&mut self) -> Result<Bytes, Error> {
        self.input.length_and_bytes()
    }

    #[inline]
    fn long(&mut self) -> Result<i64, Error> {
        let cursor = &mut self.input.cursor;
        match (self.bits.pull()?, self.bits.pull()?) {
            (false, false) => Ok(0),
            (false, true) => Ok(i64::from(cursor.u16()?)),
            (true, false) => Ok(i64::from(cursor.u32()?)),
            (true, true) => cursor.i64(),
        }
    }

    #[inline]
    fn string(&mut self) -> Result<Option<Text>, Error> {
        if !self.bits.pull()? {
            return Ok(None);
        }
        let is_ascii = self.bits.pull()?;
        if is_ascii {
            let length = self.input.cursor.i16()?;
            return self.input.latin1(length).map(Some);
        }
        let length = self.input.cursor.u16()?;
        self.input.text(usize::from(length)).map(Some)
    }

    #[inline]
    fn object<T: Structure>(&mut self) -> Result<Option<T>, Error> {
        if !self.bits.pull()? {
            return Ok(None);
        }
        let type_id = self.input.enter()?;
        let value = if type_id::is_aware(type_id) && self.bits.pull()? {
            self.premarshalled(type_id)?
        } else {
            T::read_fields(type_id, self)?
        };
        self.input.leave();
        Ok(Some(value))
    }

    fn cached<T: Cacheable>(&mut self) -> Result<Option<T>, Error> {
        if !self.input.has_cache() {
            return self.object();
        }
        let is_new = self.bits.pull()?;
        let index = self.input.cursor.i16()?;
        if !is_new {
            return self.input.load(index);
        }
        let value = self.object()?;
        self.input.store(index, &value)?;
        Ok(value)
    }

    #[inline]
    fn count(&mut self) -> Result<usize, Error> {
        self.input.count()
    }
}
