//! Loose encoding: every value in place, booleans as bytes. Also the form in
//! which messages are stored.

use bytes::{BufMut, Bytes};

use super::cache::{Cacheable, WriteCache, value_of};
use super::codec::Input;
use super::format::WireFormat;
use super::marshal::{Reader, Structure, Writer, registered};
use super::text::Text;
use crate::error::Error;
use crate::limits::{MAX_NESTING, MAX_STRING};

/// Writes one loose frame body.
pub(crate) struct LooseWriter<'a, B> {
    out: &'a mut B,
    format: &'a WireFormat,
    cache: Option<&'a mut WriteCache>,
    depth: u32,
}

impl<'a, B: BufMut> LooseWriter<'a, B> {
    pub(crate) fn new(
        out: &'a mut B,
        format: &'a WireFormat,
        cache: Option<&'a mut WriteCache>,
    ) -> Self {
        Self {
            out,
            format,
            cache,
            depth: 0,
        }
    }

    /// The type byte and the fields, without a presence flag: a frame's body.
    pub(crate) fn top<T: Structure>(&mut self, value: &T) -> Result<(), Error> {
        let type_id = registered(value.type_id(), self.format.version)?;
        self.out.put_u8(type_id);
        value.write_fields(self)
    }
}

impl<B: BufMut> Writer for LooseWriter<'_, B> {
    #[inline]
    fn version(&self) -> i32 {
        self.format.version
    }

    #[inline]
    fn stack_traces(&self) -> bool {
        self.format.stack_traces
    }

    #[inline]
    fn flag(&mut self, value: bool) -> Result<(), Error> {
        self.out.put_u8(u8::from(value));
        Ok(())
    }

    #[inline]
    fn put(&mut self, raw: &[u8]) {
        self.out.put_slice(raw);
    }

    #[inline]
    fn long(&mut self, value: &i64) -> Result<(), Error> {
        self.out.put_i64(*value);
        Ok(())
    }

    #[inline]
    fn utf(&mut self, value: Option<&Text>) -> Result<(), Error> {
        let Some(text) = value else {
            return self.flag(false);
        };
        self.flag(true)?;
        let raw = text.as_bytes();
        let length = u16::try_from(raw.len()).map_err(|_| Error::StringTooLong {
            length: raw.len(),
            limit: MAX_STRING,
        })?;
        self.out.put_u16(length);
        self.out.put_slice(raw);
        Ok(())
    }

    #[inline]
    fn object<T: Structure>(&mut self, value: Option<&T>) -> Result<(), Error> {
        let value = value.filter(|value| !value.is_null());
        self.flag(value.is_some())?;
        let Some(value) = value else { return Ok(()) };
        if self.depth >= MAX_NESTING {
            return Err(Error::TooDeep {
                limit: MAX_NESTING as usize,
            });
        }
        self.depth += 1;
        self.top(value)?;
        self.depth -= 1;
        Ok(())
    }

    fn cached<T: Cacheable>(&mut self, value: &Option<T>) -> Result<(), Error> {
        let Some(cache) = &mut self.cache else {
            return self.object(value.as_ref());
        };
        let key = value_of(value.as_ref());
        if let Some(index) = cache.index_of(&key) {
            self.flag(false)?;
            self.out.put_u16(index);
            return Ok(());
        }
        // The index is taken before those of cached objects inside this one;
        // in tight it is after. Readers do not care, but Java does it so.
        let index = cache.add(key);
        self.flag(true)?;
        self.out.put_i16(index);
        self.object(value.as_ref())
    }
}

/// Reads one loose frame body.
pub(crate) struct LooseReader<'i, 'a> {
    input: &'i mut Input<'a>,
}

impl<'i, 'a> LooseReader<'i, 'a> {
    pub(crate) fn new(input: &'i mut Input<'a>) -> Self {
        Self { input }
    }

    /// The fields of a frame whose type byte has been read.
    pub(crate) fn top<T: Structure>(&mut self, type_id: u8) -> Result<T, Error> {
        T::read_fields(type_id, self)
    }
}

impl Reader for LooseReader<'_, '_> {
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
        Ok(self.input.cursor.u8()? != 0)
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
        self.input.cursor.i64()
    }

    #[inline]
    fn string(&mut self) -> Result<Option<Text>, Error> {
        if !self.flag()? {
            return Ok(None);
        }
        let length = self.input.cursor.u16()?;
        self.input.text(usize::from(length)).map(Some)
    }

    #[inline]
    fn object<T: Structure>(&mut self) -> Result<Option<T>, Error> {
        if !self.flag()? {
            return Ok(None);
        }
        let type_id = self.input.enter()?;
        let value = T::read_fields(type_id, self)?;
        self.input.leave();
        Ok(Some(value))
    }

    fn cached<T: Cacheable>(&mut self) -> Result<Option<T>, Error> {
        if !self.input.has_cache() {
            return self.object();
        }
        let is_new = self.flag()?;
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
