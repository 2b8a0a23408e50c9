//! Numbers and bytes as pages and the control file hold them: variable-length integers, seven bits a byte, low end first.
//!
//! Reading answers `None` for anything that is cut short or too long; nothing here panics on input. It does not check
//! checksums: that is done before anything is read.

use crate::position::{Position, SegmentNumber};

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a signed number so that small ones of either sign are short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends bytes with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a position.
pub(super) fn put_position(out: &mut Vec<u8>, position: Position) {
    put_number(out, position.segment.0);
    put_number(out, position.offset);
}

/// Bytes being read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn fixed_u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number()?).ok()
    }

    /// A count of things that take at least one byte each: larger than what is left cannot be.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.rest.len()).then_some(count)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }

    pub(super) fn segment(&mut self) -> Option<SegmentNumber> {
        self.number().map(SegmentNumber)
    }

    pub(super) fn position(&mut self) -> Option<Position> {
        Some(Position {
            segment: self.segment()?,
            offset: self.number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_cut_ones_are_refused() {
        for value in [
            0,
            1,
            127,
            128,
            300,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            put_signed(&mut out, value.cast_signed());
            let mut fields = Fields::new(&out);
            assert_eq!(fields.number(), Some(value));
            assert_eq!(fields.signed(), Some(value.cast_signed()));
            assert!(fields.is_empty());
            let mut whole = Vec::new();
            put_number(&mut whole, value);
            whole.pop();
            assert_eq!(Fields::new(&whole).number(), None, "cut {value}");
        }
        assert_eq!(
            Fields::new(&[0xff; 11]).number(),
            None,
            "eleven bytes are too many"
        );
        assert_eq!(
            Fields::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).number(),
            None
        );
        assert_eq!(
            Fields::new(&[5, 1, 2]).bytes(),
            None,
            "a length beyond the end"
        );
    }
}
