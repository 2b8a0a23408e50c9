//! A batch under construction.
//!
//! Owns an aligned buffer with room for the header in front, so that the writer frames and writes it where it stands: no
//! copy, no allocation once it has its size. It does not know its number; the writer does.

use super::frame::{BatchHeader, HEADER_BYTES};
use crate::codec::Sink;
use crate::fs::AlignedBuf;
use crate::limits::KEPT_BATCH_BYTES;
use crate::record::Record;

/// Records that become durable together or not at all.
#[derive(Debug)]
pub(crate) struct Batch {
    buf: AlignedBuf,
    count: u32,
}

impl Sink for AlignedBuf {
    fn put(&mut self, bytes: &[u8]) {
        self.extend(bytes);
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch with room for a few small messages.
    pub(crate) fn new() -> Self {
        Self::with_capacity(64 << 10)
    }

    /// An empty batch with room for this many bytes of records.
    pub(crate) fn with_capacity(records: usize) -> Self {
        let mut buf = AlignedBuf::with_capacity(HEADER_BYTES + records);
        buf.extend(&[0; HEADER_BYTES]);
        Self { buf, count: 0 }
    }

    /// Encodes one record; answers its offset among the records of this batch.
    pub(crate) fn push_record(&mut self, record: &Record<'_>) -> usize {
        let offset = self.len();
        record.encode(&mut self.buf);
        self.count += 1;
        offset
    }

    /// Appends records that are encoded already; answers the offset of the first among the records of this batch.
    pub(crate) fn append_encoded(&mut self, records: &[u8], count: u32) -> usize {
        let offset = self.len();
        self.buf.extend(records);
        self.count += count;
        offset
    }

    /// Bytes of records.
    pub(crate) fn len(&self) -> usize {
        self.buf.len() - HEADER_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoded records.
    pub(crate) fn records(&self) -> &[u8] {
        &self.buf.as_slice()[HEADER_BYTES..]
    }

    /// Makes it empty, keeping its memory unless it was unusually large.
    pub(crate) fn clear(&mut self) {
        if self.buf.capacity() > KEPT_BATCH_BYTES {
            *self = Self::new();
        }
        self.buf.truncate(HEADER_BYTES);
        self.count = 0;
    }

    /// Completes the header and answers the checksum and the whole blocks to write. May be called again after a
    /// failure that wrote nothing.
    pub(super) fn frame(
        &mut self,
        previous_crc: u32,
        epoch: u64,
        number: u64,
        time_ms: u64,
    ) -> (u32, &[u8]) {
        let length = u32::try_from(self.len()).expect("the writer refuses batches beyond 4 GiB");
        let header = BatchHeader {
            length,
            previous_crc,
            epoch,
            number,
            time_ms,
            count: self.count,
        };
        let crc = header.write(self.buf.as_mut_slice());
        (crc, self.buf.padded())
    }
}
