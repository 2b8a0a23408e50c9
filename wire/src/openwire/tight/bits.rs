//! The boolean stream: bits least significant first, and a length of one, two
//! or three bytes in front of them.

use bytes::BytesMut;

use crate::error::Error;
use crate::limits::MAX_BIT_BYTES;
use crate::openwire::cursor::Cursor;

/// Length marker: a u8 follows.
const LONG: u8 = 0xc0;
/// Length marker: an i16 follows.
const LONGER: u8 = 0x80;
/// Largest length that is its own first byte.
const MAX_SHORT: usize = 63;

/// Collects bits. Kept by the encoder and cleared between frames.
#[derive(Default)]
pub(crate) struct BitWriter {
    full: Vec<u8>,
    word: u64,
    used: u32,
}

impl BitWriter {
    pub(crate) fn clear(&mut self) {
        self.full.clear();
        self.word = 0;
        self.used = 0;
    }

    #[inline]
    pub(crate) fn push(&mut self, bit: bool) {
        self.word |= u64::from(bit) << self.used;
        self.used += 1;
        if self.used == u64::BITS {
            self.full.extend_from_slice(&self.word.to_le_bytes());
            self.word = 0;
            self.used = 0;
        }
    }

    fn len(&self) -> usize {
        self.full.len() + (self.used as usize).div_ceil(8)
    }

    /// Bytes of the stream with its length in front.
    pub(crate) fn encoded_len(&self) -> Result<usize, Error> {
        match self.len() {
            n if n <= MAX_SHORT => Ok(1 + n),
            n if n <= 0xff => Ok(2 + n),
            n if n <= MAX_BIT_BYTES => Ok(3 + n),
            bytes => Err(Error::TooManyBits {
                bytes,
                limit: MAX_BIT_BYTES,
            }),
        }
    }

    /// Writes length and bits at `at`, over bytes that are already there.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each arm bounds the length"
    )]
    pub(crate) fn write_at(&self, out: &mut BytesMut, at: usize) {
        let n = self.len();
        let start = match n {
            _ if n <= MAX_SHORT => {
                out[at] = n as u8;
                at + 1
            }
            _ if n <= 0xff => {
                out[at..at + 2].copy_from_slice(&[LONG, n as u8]);
                at + 2
            }
            _ => {
                out[at] = LONGER;
                out[at + 1..at + 3].copy_from_slice(&(n as u16).to_be_bytes());
                at + 3
            }
        };
        let split = start + self.full.len();
        out[start..split].copy_from_slice(&self.full);
        let tail = &self.word.to_le_bytes()[..n - self.full.len()];
        out[split..split + tail.len()].copy_from_slice(tail);
    }
}

/// Reads bits of one frame.
pub(crate) struct BitReader<'a> {
    stream: &'a [u8],
    next: usize,
}

impl<'a> BitReader<'a> {
    /// Takes the length and the bits from the frame.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let length = match cursor.u8()? {
            LONG => usize::from(cursor.u8()?),
            LONGER => {
                let length = cursor.i16()?;
                usize::try_from(length).map_err(|_| Error::NegativeLength {
                    length: i32::from(length),
                    at: cursor.at(),
                })?
            }
            short => usize::from(short),
        };
        Ok(Self {
            stream: cursor.take(length)?,
            next: 0,
        })
    }

    #[inline]
    pub(crate) fn pull(&mut self) -> Result<bool, Error> {
        let Some(byte) = self.stream.get(self.next / 8) else {
            return Err(Error::BitsExhausted {
                bits: self.stream.len() * 8,
            });
        };
        let bit = byte >> (self.next % 8) & 1;
        self.next += 1;
        Ok(bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_round_trips() {
        for bits in [0, 1, 8, 9, 63, 64, 65, 504, 505, 2040, 2041, 262_136] {
            let mut writer = BitWriter::default();
            (0..bits).for_each(|i| writer.push(i % 3 == 0));
            let mut out = BytesMut::zeroed(writer.encoded_len().unwrap());
            writer.write_at(&mut out, 0);
            let mut cursor = Cursor::new(&out);
            let mut reader = BitReader::read(&mut cursor).unwrap();
            assert_eq!(cursor.left(), 0, "{bits} bits");
            for i in 0..bits {
                assert_eq!(reader.pull(), Ok(i % 3 == 0), "bit {i} of {bits}");
            }
            assert!(reader.next + 8 > reader.stream.len() * 8);
        }
    }

    #[test]
    fn lengths_use_the_forms_of_java() {
        let head = |bytes: usize| {
            let mut writer = BitWriter::default();
            (0..bytes * 8).for_each(|_| writer.push(true));
            let mut out = BytesMut::zeroed(writer.encoded_len().unwrap());
            writer.write_at(&mut out, 0);
            out[..3].to_vec()
        };
        assert_eq!(head(63), [0x3f, 0xff, 0xff]);
        assert_eq!(head(64), [0xc0, 0x40, 0xff]);
        assert_eq!(head(255), [0xc0, 0xff, 0xff]);
        assert_eq!(head(256), [0x80, 0x01, 0x00]);
    }

    #[test]
    fn too_many_bits_and_too_few() {
        let mut writer = BitWriter::default();
        (0..=MAX_BIT_BYTES * 8).for_each(|_| writer.push(true));
        let too_many = Error::TooManyBits {
            bytes: MAX_BIT_BYTES + 1,
            limit: MAX_BIT_BYTES,
        };
        assert_eq!(writer.encoded_len(), Err(too_many));
        let mut reader = BitReader::read(&mut Cursor::new(&[0])).unwrap();
        assert_eq!(reader.pull(), Err(Error::BitsExhausted { bits: 0 }));
        assert!(BitReader::read(&mut Cursor::new(&[LONGER, 0xff, 0xff, 1])).is_err());
        assert!(BitReader::read(&mut Cursor::new(&[5, 1, 2])).is_err());
    }
}
