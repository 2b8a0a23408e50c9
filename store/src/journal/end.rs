//! Places between two batches: where a checkpoint stands and where the journal ends.

use super::directory::SegmentInfo;
use crate::position::{BatchNumber, Position, SegmentNumber};
use crate::record::Seal;

/// The place right behind one batch: where the next one starts and what it must refer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct After {
    /// Where the next batch starts, unless it starts a new segment.
    pub(crate) position: Position,
    /// Number of the batch before that position.
    pub(crate) number: BatchNumber,
    /// CRC-32 field of that batch.
    pub(crate) crc: u32,
}

/// The valid end of the journal, found by recovery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Epoch of the last segment; 0 in a new store.
    pub(crate) epoch: u64,
    /// The last segment; 0 in a new store.
    pub(crate) segment: SegmentNumber,
    /// First offset in it that holds no valid batch.
    pub(crate) offset: u64,
    /// The last valid batch; 0 in a new store.
    pub(crate) last_batch: BatchNumber,
    /// Its CRC-32 field.
    pub(crate) last_crc: u32,
    /// Highest segment number of any file, spares included; the next segment must be above it.
    pub(crate) highest_number: SegmentNumber,
    /// Highest epoch of any file; the next epoch must be above it.
    pub(crate) highest_epoch: u64,
    /// Batches visited.
    pub(crate) batches: u64,
    /// Bytes read from segments, headers and tail check included.
    pub(crate) bytes_read: u64,
    /// Bytes behind the end that were not zero: a write that was torn.
    pub(crate) torn_bytes: u64,
    /// Files that hold nothing of the journal: spares and what a replaced master left. [`super::Writer::start`]
    /// removes them.
    pub(crate) leftovers: Vec<SegmentInfo>,
}

impl End {
    /// The place behind the last batch.
    pub(crate) fn after(&self) -> After {
        After {
            position: Position {
                segment: self.segment,
                offset: self.offset,
            },
            number: self.last_batch,
            crc: self.last_crc,
        }
    }

    /// What the next segment says about this end.
    pub(crate) fn seal(&self) -> Seal {
        Seal {
            epoch: self.epoch,
            segment: self.segment,
            end: self.offset,
            last_batch: self.last_batch.0,
            last_crc: self.last_crc,
        }
    }
}
