//! A position in a byte slice. Every read is checked against what is left, so
//! nothing above it can read out of bounds or trust a length.

use crate::error::Error;

/// A reading position.
pub(crate) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.data.len() - self.at
    }

    /// The next `n` bytes.
    #[inline]
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let rest = &self.data[self.at..];
        if n > rest.len() {
            return Err(Error::Truncated {
                at: self.at,
                wanted: n,
                left: rest.len(),
            });
        }
        self.at += n;
        Ok(&rest[..n])
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let raw = self.take(N)?;
        Ok(raw
            .try_into()
            .expect("take returns exactly the length asked for"))
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn i16(&mut self) -> Result<i16, Error> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32, Error> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Result<i64, Error> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An i32 length of bytes that follow; only checked for its sign, the
    /// bytes are checked when they are taken.
    #[inline]
    pub(crate) fn length(&mut self) -> Result<usize, Error> {
        let length = self.i32()?;
        usize::try_from(length).map_err(|_| Error::NegativeLength {
            length,
            at: self.at,
        })
    }
}
