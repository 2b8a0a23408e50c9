//! The frame around the records of one batch (FORMAT.md 3): 48 bytes of header, and the checksum over all.
//!
//! Encodes and decodes only. What a batch must follow is for the chain to judge, and lengths are checked against the
//! segment by the cursor before they are believed.

use crate::limits::BLOCK;

/// Bytes of the batch header.
pub(crate) const HEADER_BYTES: usize = 48;
const MAGIC: &[u8; 4] = b"HFB1";
/// The checksum covers everything behind itself.
const CRC_FROM: usize = 8;

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) length: u32,
    pub(crate) previous_crc: u32,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    pub(crate) time_ms: u64,
    pub(crate) count: u32,
}

/// Bytes on disk of a batch with this many bytes of records.
pub(crate) fn padded_len(records: usize) -> u64 {
    (HEADER_BYTES + records).next_multiple_of(BLOCK) as u64
}

impl BatchHeader {
    /// Writes the header in front of the records that already stand in `frame`; answers the checksum.
    pub(crate) fn write(&self, frame: &mut [u8]) -> u32 {
        assert_eq!(
            frame.len(),
            HEADER_BYTES + self.length as usize,
            "a frame is its header and its records"
        );
        frame[0..4].copy_from_slice(MAGIC);
        frame[8..12].copy_from_slice(&self.length.to_le_bytes());
        frame[12..16].copy_from_slice(&self.previous_crc.to_le_bytes());
        frame[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        frame[24..32].copy_from_slice(&self.number.to_le_bytes());
        frame[32..40].copy_from_slice(&self.time_ms.to_le_bytes());
        frame[40..44].copy_from_slice(&self.count.to_le_bytes());
        frame[44..48].fill(0);
        let crc = crc32fast::hash(&frame[CRC_FROM..]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// The header and the checksum it carries, or what speaks against it. Believes nothing yet: see [`checksum`].
    pub(crate) fn parse(header: &[u8]) -> Result<(Self, u32), &'static str> {
        if header.len() < HEADER_BYTES {
            return Err("the file ends within a batch header");
        }
        if &header[0..4] != MAGIC {
            return Err("no batch magic");
        }
        if header[44..48] != [0; 4] {
            return Err("bytes 44..48 of the batch header are not zero");
        }
        let parsed = Self {
            length: u32_at(header, 8),
            previous_crc: u32_at(header, 12),
            epoch: u64_at(header, 16),
            number: u64_at(header, 24),
            time_ms: u64_at(header, 32),
            count: u32_at(header, 40),
        };
        if parsed.length == 0 {
            return Err("a batch without records");
        }
        Ok((parsed, u32_at(header, 4)))
    }
}

/// The checksum of a whole frame, header included.
pub(crate) fn checksum(frame: &[u8]) -> u32 {
    crc32fast::hash(&frame[CRC_FROM..])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.extend_from_slice(b"records");
        let header = BatchHeader {
            length: 7,
            previous_crc: 1,
            epoch: 2,
            number: 3,
            time_ms: 4,
            count: 5,
        };
        header.write(&mut bytes);
        bytes
    }

    #[test]
    fn the_layout_is_that_of_the_format() {
        let bytes = frame();
        let expected: [u8; 40] = [
            7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0,
            0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(&bytes[0..4], b"HFB1");
        assert_eq!(bytes[4..8], crc32fast::hash(&bytes[8..]).to_le_bytes());
        assert_eq!(bytes[8..48], expected);
        assert_eq!(&bytes[48..], b"records");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let good = frame();
        let (header, crc) = BatchHeader::parse(&good).expect("valid");
        assert_eq!((header.number, crc), (3, checksum(&good)));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let noticed = BatchHeader::parse(&bad).is_err()
                || BatchHeader::parse(&bad).is_ok_and(|(_, crc)| crc != checksum(&bad));
            assert!(noticed, "byte {at}");
        }
    }

    #[test]
    fn a_batch_takes_whole_blocks() {
        assert_eq!(padded_len(1), 4096);
        assert_eq!(padded_len(4048), 4096);
        assert_eq!(padded_len(4049), 8192);
    }
}
