//! One frame while it is read, and what is kept from frame to frame.

use bytes::Bytes;

use crate::error::Error;
use crate::limits::{MAX_CACHE, MAX_ELEMENTS, MAX_NESTING};
use crate::openwire::cache::{Cacheable, ReadCache, value_of};
use crate::openwire::cursor::Cursor;
use crate::openwire::format::WireFormat;
use crate::openwire::marshal::registered;
use crate::openwire::memo::Memo;
use crate::openwire::mutf8;
use crate::openwire::text::Text;

/// What a decoder keeps from frame to frame.
pub(crate) struct Tables {
    memo: Memo,
    cache: Option<ReadCache>,
}

impl Tables {
    pub(crate) fn new(format: &WireFormat) -> Self {
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

    /// An i16 count. Each element costs the frame at least a byte: a count
    /// beyond what is left is a lie and found out at once.
    pub(crate) fn count(&mut self) -> Result<usize, Error> {
        let count = self.cursor.i16()?;
        let at = self.cursor.at();
        let count = usize::try_from(count).map_err(|_| Error::NegativeLength {
            length: i32::from(count),
            at,
        })?;
        let left = self.cursor.left();
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
            Some(cache) => cache.store(index, value_of(value.as_ref())),
            None => Err(Error::CacheIndex { index, size: 0 }),
        }
    }
}
