//! All tables together, and what a record does to them.

use crate::error::Result;
use crate::index::{ProducerState, SegmentUse, Snapshot, Written};
use crate::journal::After;
use crate::position::{Position, QueueId, SegmentNumber, Seq, StagedId};
use crate::record::{Outcome, Record};
use crate::summary::QueueSummary;

/// Where a record stands in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordPlace {
    /// Start of the payload for a message (staged or not), anything inside the record for others: the segment counts.
    pub(crate) position: Position,
    /// Length of the payload; 0 for others.
    pub(crate) payload_len: u32,
    /// CRC-32 of the payload; 0 for others.
    pub(crate) payload_crc: u32,
}

/// One message of a queue: where its payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the queue.
    pub(crate) seq: Seq,
    /// Where the payload starts.
    pub(crate) position: Position,
    /// Its length.
    pub(crate) len: u32,
    /// Its CRC-32.
    pub(crate) crc: u32,
    /// How often it came back.
    pub(crate) redeliveries: u16,
}

/// The index: see the module's documentation.
pub(crate) struct Index {}

impl Index {
    /// Takes in one durable record. The same for live work and replay; records are absolute, so repeating a stretch in
    /// order gives the same state.
    ///
    /// # Errors
    /// [`crate::Error::Index`] when a page cannot be had from the database: the index has been set aside on disk, and opening
    /// it again rebuilds it.
    pub(crate) fn apply(&mut self, _record: &Record<'_>, _at: RecordPlace, _time_ms: u64) -> Result<()> {
        todo!()
    }
    /// The id of a queue by its name.
    pub(crate) fn queue_by_name(&self, _name: &[u8]) -> Option<QueueId> {
        todo!()
    }
    /// One queue.
    pub(crate) fn queue(&self, _id: QueueId) -> Option<QueueSummary> {
        todo!()
    }
    /// All queues, by id.
    pub(crate) fn queues(&self) -> Vec<QueueSummary> {
        todo!()
    }
    /// Above every queue id ever seen.
    pub(crate) fn next_queue(&self) -> QueueId {
        todo!()
    }
    /// Above every staged id ever seen.
    pub(crate) fn next_staged(&self) -> StagedId {
        todo!()
    }
    /// Staged transactions without an end; after a replay they are to be rolled back.
    pub(crate) fn open_staged(&self) -> Vec<StagedId> {
        todo!()
    }
    /// Up to `max` entries from `from` on, in order. Loads pages on demand.
    pub(crate) fn entries(&mut self, _queue: QueueId, _from: Seq, _max: usize) -> Result<Vec<Entry>> {
        todo!()
    }
    /// One entry.
    pub(crate) fn entry(&mut self, _queue: QueueId, _seq: Seq) -> Result<Option<Entry>> {
        todo!()
    }
    /// What is known of a producer.
    pub(crate) fn producer(&mut self, _id: &[u8]) -> Result<Option<ProducerState>> {
        todo!()
    }
    /// How a transaction ended.
    pub(crate) fn outcome(&mut self, _transaction: &[u8]) -> Result<Option<Outcome>> {
        todo!()
    }
    /// What is live in one segment.
    pub(crate) fn live(&self, _segment: SegmentNumber) -> SegmentUse {
        todo!()
    }
    /// The oldest segment with something live in it.
    pub(crate) fn oldest_live(&self) -> Option<SegmentNumber> {
        todo!()
    }
    /// Live bytes of all segments.
    pub(crate) fn live_bytes(&self) -> u64 {
        todo!()
    }
    /// Whether compaction has to carry this record forward: it is the live one of its kind. A current message is to be
    /// written again with `moved` and the redelivery count of [`Index::entry`]; a current `Staged` again as `Staged` (while its
    /// transaction is open) or as a moved message (after its commit); others as they are.
    /// Ask [`Index::pins_producer`] as well for every message with a producer, current or not.
    pub(crate) fn is_current(&mut self, _record: &Record<'_>, _place: RecordPlace) -> Result<bool> {
        todo!()
    }
    /// The state of a producer if `segment` is needed to know it: carry it forward as a `Producer` record (once per
    /// segment and producer).
    pub(crate) fn pins_producer(&mut self, _id: &[u8], _segment: SegmentNumber) -> Result<Option<ProducerState>> {
        todo!()
    }
    /// Open transactions that have staged the removal of this message. Compaction, when it moves a message, writes these
    /// removals again behind it (asked for by `compact`): otherwise a rebuild after the segment with the staged removal has
    /// gone would bring the message back. A `Staged` removal may therefore come twice and must count once.
    pub(crate) fn staged_removals(&self, _queue: QueueId, _seq: Seq) -> Vec<StagedId> {
        todo!()
    }
    /// Forgets producers and outcomes beyond their age: a bounded step, call it before each checkpoint.
    pub(crate) fn expire(&mut self, _now_ms: u64) -> Result<()> {
        todo!()
    }
    /// Waits until the database is open and believed as far as an opening can be. Call after replay, before accepting work.
    ///
    /// # Errors
    /// [`crate::Error::Index`]: open again, it rebuilds.
    pub(crate) fn settle(&mut self) -> Result<()> {
        todo!()
    }
    /// Memory of pages that the next checkpoint has to write: a reason for an early checkpoint when large.
    pub(crate) fn dirty_bytes(&self) -> usize {
        todo!()
    }
    /// Freezes what changed since the last checkpoint. Quick, no I/O. `after` is where a replay would go on from: everything
    /// before it has been applied. One checkpoint at a time; also allowed in the middle of a long replay.
    pub(crate) fn begin_checkpoint(&mut self, _after: After) -> Snapshot {
        todo!()
    }
    /// Takes in what became of a checkpoint. True: it is stable, and segments before `after` may be reclaimed. False: nothing
    /// is lost, the next one writes a new generation.
    pub(crate) fn finish_checkpoint(&mut self, _written: Written) -> bool {
        todo!()
    }
}
