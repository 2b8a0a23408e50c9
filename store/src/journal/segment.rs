//! The name and the first block of a segment file (FORMAT.md 2).
//!
//! Says what a header block is: never written, torn, of another format, or valid. What follows from that is for the
//! chain to judge.

use std::fmt;
use std::str::FromStr;

use super::frame::{u32_at, u64_at};
use crate::limits::BLOCK_BYTES;
use crate::position::SegmentNumber;

/// Bytes of the header that carry something; the rest of the block is zero.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"HOLDFSEG";
const FORMAT: u32 = 1;
const CRC_FROM: usize = 12;

/// Name of a segment file: epoch and number, 16 hex digits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentName {
    pub(super) epoch: u64,
    pub(super) number: SegmentNumber,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}.seg", self.epoch, self.number.0)
    }
}

/// Not the name of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadName;

impl FromStr for SegmentName {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        let (epoch, rest) = name.split_once('-').ok_or(BadName)?;
        let number = rest.strip_suffix(".seg").ok_or(BadName)?;
        Ok(Self {
            epoch: hex(epoch)?,
            number: SegmentNumber(hex(number)?),
        })
    }
}

/// Exactly one spelling per number, so that a name is never ambiguous.
fn hex(digits: &str) -> Result<u64, BadName> {
    let plain = digits.len() == 16
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !plain {
        return Err(BadName);
    }
    u64::from_str_radix(digits, 16).map_err(|_| BadName)
}

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) epoch: u64,
    pub(super) number: SegmentNumber,
    /// Length of the file.
    pub(super) length: u64,
}

/// What stands in the first block of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderBlock {
    /// Never written: a spare.
    Zero,
    /// Neither zero nor valid.
    Torn(&'static str),
    /// A valid header of another format.
    Format(u32),
    /// A valid header.
    Valid(SegmentHeader),
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[12..16].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.length.to_le_bytes());
        let block = u32::try_from(BLOCK_BYTES).expect("a block is 4,096 bytes");
        bytes[40..44].copy_from_slice(&block.to_le_bytes());
        let crc = crc32fast::hash(&bytes[CRC_FROM..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

impl HeaderBlock {
    /// Judges the first block, or what there is of it.
    pub(super) fn parse(block: &[u8]) -> Self {
        if block.iter().all(|&byte| byte == 0) {
            return Self::Zero;
        }
        if block.len() < SEGMENT_HEADER_BYTES {
            return Self::Torn("the file ends within the segment header");
        }
        if &block[0..8] != MAGIC {
            return Self::Torn("no segment magic");
        }
        if crc32fast::hash(&block[CRC_FROM..SEGMENT_HEADER_BYTES]) != u32_at(block, 8) {
            return Self::Torn("the checksum of the segment header does not match");
        }
        let format = u32_at(block, 12);
        if format != FORMAT {
            return Self::Format(format);
        }
        if u64::from(u32_at(block, 40)) != BLOCK_BYTES {
            return Self::Torn("a block size other than 4096");
        }
        let number = SegmentNumber(u64_at(block, 24));
        Self::Valid(SegmentHeader {
            epoch: u64_at(block, 16),
            number,
            length: u64_at(block, 32),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        let name = SegmentName {
            epoch: 0x1f,
            number: SegmentNumber(3),
        };
        assert_eq!(name.to_string(), "000000000000001f-0000000000000003.seg");
        assert_eq!(name.to_string().parse(), Ok(name));
        let wrong = [
            "000000000000001F-0000000000000003.seg",
            "1f-3.seg",
            "000000000000001f-0000000000000003",
            "+00000000000001f-0000000000000003.seg",
            "000000000000001f-0000000000000003.seg.new",
            "",
        ];
        for name in wrong {
            assert_eq!(name.parse::<SegmentName>(), Err(BadName), "{name}");
        }
    }

    #[test]
    fn the_header_is_that_of_the_format() {
        let header = SegmentHeader {
            epoch: 2,
            number: SegmentNumber(3),
            length: 1 << 20,
        };
        let bytes = header.encode();
        let fields: [u8; 32] = [
            1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0,
            16, 0, 0,
        ];
        assert_eq!(&bytes[0..8], b"HOLDFSEG");
        assert_eq!(bytes[8..12], crc32fast::hash(&bytes[12..]).to_le_bytes());
        assert_eq!(bytes[12..44], fields);
        assert_eq!(bytes[44..], [0; 20]);
        assert_eq!(HeaderBlock::parse(&bytes), HeaderBlock::Valid(header));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let good = SegmentHeader {
            epoch: 2,
            number: SegmentNumber(3),
            length: 8192,
        }
        .encode();
        for at in 0..good.len() {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(
                matches!(HeaderBlock::parse(&bad), HeaderBlock::Torn(_)),
                "byte {at}"
            );
            assert!(
                !matches!(HeaderBlock::parse(&good[..at]), HeaderBlock::Valid(_)),
                "cut at {at}"
            );
        }
        assert_eq!(HeaderBlock::parse(&[0; 4096]), HeaderBlock::Zero);
    }

    #[test]
    fn another_format_is_named() {
        let mut bytes = SegmentHeader {
            epoch: 2,
            number: SegmentNumber(3),
            length: 8192,
        }
        .encode();
        bytes[12] = 9;
        let crc = crc32fast::hash(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(HeaderBlock::parse(&bytes), HeaderBlock::Format(9));
    }
}
