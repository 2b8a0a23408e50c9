//! A batch read back from disk.

use super::end::After;
use super::frame::padded_len;
use crate::position::{BatchNumber, Position};

/// One valid batch, borrowed from the read buffer. Its records may begin with a seal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// Where its first record byte lies.
    pub(crate) position: Position,
    /// Its number.
    pub(crate) number: BatchNumber,
    /// Its CRC-32 field.
    pub(crate) crc: u32,
    /// Epoch of its segment.
    pub(crate) epoch: u64,
    /// Wall clock when it was written, milliseconds since 1970.
    pub(crate) time_ms: u64,
    /// The records, encoded.
    pub(crate) records: &'a [u8],
}

impl View<'_> {
    /// The place behind this batch.
    pub(crate) fn after(&self) -> After {
        let start = self.position.offset - super::frame::HEADER_BYTES as u64;
        let position = Position {
            segment: self.position.segment,
            offset: start + padded_len(self.records.len()),
        };
        After {
            position,
            number: self.number,
            crc: self.crc,
        }
    }
}
