//! Writing tight: bits to the bit writer, bytes to the output.

use bytes::{BufMut, BytesMut};

use super::BitWriter;
use crate::error::Error;
use crate::limits::{MAX_ASCII_STRING, MAX_NESTING, MAX_STRING};
use crate::openwire::cache::{Cacheable, WriteCache, value_of};
use crate::openwire::format::WireFormat;
use crate::openwire::marshal::{Structure, Writer, registered};
use crate::openwire::mutf8;
use crate::openwire::text::Text;
use crate::openwire::type_id;

/// Writes one tight frame body.
pub(crate) struct TightWriter<'a> {
    pub(crate) out: &'a mut BytesMut,
    pub(crate) bits: &'a mut BitWriter,
    pub(crate) format: &'a WireFormat,
    pub(crate) cache: Option<&'a mut WriteCache>,
    pub(crate) depth: u32,
}

impl Writer for TightWriter<'_> {
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
        self.bits.push(value);
        Ok(())
    }

    #[inline]
    fn put(&mut self, raw: &[u8]) {
        self.out.put_slice(raw);
    }

    /// Two bits say how many bytes follow: none, two, four or eight.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "each arm bounds the value")]
    fn long(&mut self, value: &i64) -> Result<(), Error> {
        let value = value.cast_unsigned();
        let (first, second) = match value {
            0 => (false, false),
            1..=0xffff => {
                self.out.put_u16(value as u16);
                (false, true)
            }
            0x1_0000..=0xffff_ffff => {
                self.out.put_u32(value as u32);
                (true, false)
            }
            _ => {
                self.out.put_u64(value);
                (true, true)
            }
        };
        self.bits.push(first);
        self.bits.push(second);
        Ok(())
    }

    #[inline]
    fn utf(&mut self, value: Option<&Text>) -> Result<(), Error> {
        self.bits.push(value.is_some());
        let Some(text) = value else { return Ok(()) };
        let raw = text.as_bytes();
        let length = u16::try_from(raw.len()).map_err(|_| Error::StringTooLong {
            length: raw.len(),
            limit: MAX_STRING,
        })?;
        self.bits
            .push(raw.len() <= MAX_ASCII_STRING && mutf8::is_plain(raw));
        self.out.put_u16(length);
        self.out.put_slice(raw);
        Ok(())
    }

    #[inline]
    fn object<T: Structure>(&mut self, value: Option<&T>) -> Result<(), Error> {
        let value = value.filter(|value| !value.is_null());
        self.bits.push(value.is_some());
        let Some(value) = value else { return Ok(()) };
        if self.depth >= MAX_NESTING {
            return Err(Error::TooDeep {
                limit: MAX_NESTING as usize,
            });
        }
        let type_id = registered(value.type_id(), self.format.version)?;
        if type_id::is_aware(type_id) {
            // "An already marshalled form follows": never, as in Java.
            self.bits.push(false);
        }
        self.out.put_u8(type_id);
        self.depth += 1;
        value.write_fields(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn cached<T: Cacheable>(&mut self, value: &Option<T>) -> Result<(), Error> {
        let Some(cache) = &self.cache else {
            return self.object(value.as_ref());
        };
        let key = value_of(value.as_ref());
        if let Some(index) = cache.index_of(&key) {
            self.bits.push(false);
            self.out.put_u16(index);
            return Ok(());
        }
        self.bits.push(true);
        let at = self.out.len();
        self.out.put_i16(0);
        self.object(value.as_ref())?;
        // Cached objects inside have taken their indexes first, as in Java.
        if let Some(cache) = &mut self.cache {
            let index = cache.add(key);
            self.out[at..at + 2].copy_from_slice(&index.to_be_bytes());
        }
        Ok(())
    }
}
