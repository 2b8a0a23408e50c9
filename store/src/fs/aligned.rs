//! A byte buffer that starts on a block boundary in memory, as direct writes demand.
//!
//! Over-allocates an ordinary vector and uses an aligned window of it, so no unsafe code is needed. It never shrinks by
//! itself and allocates only when it grows. All bytes of the window are initialised.

use crate::limits::BLOCK;

/// Growable bytes whose first one lies on a block boundary.
#[derive(Debug)]
pub(crate) struct AlignedBuf {
    storage: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// An empty buffer with room for at least `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let storage = vec![0; capacity.next_multiple_of(BLOCK) + BLOCK];
        let start = storage.as_ptr().align_offset(BLOCK);
        assert!(
            start < BLOCK,
            "a byte pointer can be aligned within one block"
        );
        Self {
            storage,
            start,
            len: 0,
        }
    }

    /// That many zeros, rounded up to blocks.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut buf = Self::with_capacity(len);
        buf.len = len.next_multiple_of(BLOCK);
        buf
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that fit without allocating, a multiple of a block.
    pub(crate) fn capacity(&self) -> usize {
        (self.storage.len() - self.start) / BLOCK * BLOCK
    }

    /// Forgets bytes from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.reserve(end);
        self.storage[self.start + self.len..self.start + end].copy_from_slice(bytes);
        self.len = end;
    }

    /// Appends zeros up to the next block boundary.
    pub(crate) fn pad(&mut self) {
        self.len = self.padded().len();
    }

    /// Puts zeros behind the content up to the next block boundary and answers the whole as blocks; the length stays.
    pub(crate) fn padded(&mut self) -> &mut [u8] {
        let end = self.len.next_multiple_of(BLOCK);
        self.reserve(end);
        self.storage[self.start + self.len..self.start + end].fill(0);
        &mut self.storage[self.start..self.start + end]
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.len]
    }

    /// Doubles, so that appending piece by piece stays linear.
    fn reserve(&mut self, needed: usize) {
        if needed <= self.capacity() {
            return;
        }
        let mut grown = Self::with_capacity(needed.max(2 * self.capacity()));
        grown.storage[grown.start..grown.start + self.len].copy_from_slice(self.as_slice());
        grown.len = self.len;
        *self = grown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_aligned_and_keeps_its_bytes_while_it_grows() {
        let mut buf = AlignedBuf::with_capacity(1);
        let mut expected = Vec::new();
        for i in 0..3000_u32 {
            buf.extend(&i.to_le_bytes());
            expected.extend_from_slice(&i.to_le_bytes());
            assert_eq!(buf.as_slice().as_ptr().align_offset(BLOCK), 0);
        }
        assert_eq!(buf.as_slice(), expected);
        let padded = buf.padded();
        assert_eq!(padded.len(), 12_288);
        assert!(padded[12_000..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn padding_never_shows_bytes_of_an_earlier_use() {
        let mut buf = AlignedBuf::with_capacity(BLOCK);
        buf.extend(&[7; BLOCK]);
        buf.truncate(0);
        buf.extend(b"x");
        assert!(buf.padded()[1..].iter().all(|&byte| byte == 0));
        assert_eq!(buf.len(), 1);
    }
}
