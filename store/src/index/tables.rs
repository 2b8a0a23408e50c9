//! All tables together, and what a record does to them.

use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use super::lookup::{Known, Lookup};
use super::outcome_table::Ended;
use super::page::Slot;
use super::producer_table::Producer;
use super::queue_table::QueueTable;
use super::segment_use::{NOTE_BYTES, Segments, message_bytes};
use super::source::Source;
use super::staged::{Staged, StagedOperation};
use super::staged_table::StagedTable;
use crate::error::{Error, Result};
use crate::index::{ProducerState, SegmentUse};
use crate::position::{Position, QueueId, SegmentNumber, Seq, StagedId};
use crate::record::{MessageRecord, Outcome, Record};
use crate::settings::Settings;
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

impl Entry {
    pub(super) fn new(seq: Seq, slot: &Slot) -> Self {
        let Slot {
            position,
            len,
            crc,
            redeliveries,
            ..
        } = *slot;
        Self {
            seq,
            position,
            len,
            crc,
            redeliveries,
        }
    }
}

/// The index: see the module's documentation.
pub(crate) struct Index {
    pub(super) source: Source,
    pub(super) queues: QueueTable,
    pub(super) producers: Lookup<Producer>,
    pub(super) outcomes: Lookup<Ended>,
    pub(super) staged: StagedTable,
    pub(super) segments: Segments,
    /// The last stable checkpoint.
    pub(super) stable: Option<Arc<Control>>,
    pub(super) boot_id: String,
    /// The database may be a mixture, or is too large: the next checkpoint writes a new generation.
    pub(super) begin_anew: bool,
    /// All values in the database that nothing lists were counted once and are all there.
    pub(super) proven: bool,
    /// The trouble with checkpoints has been reported and not ended yet.
    pub(super) warned: bool,
    producer_age: Duration,
    outcome_age: Duration,
}

impl Index {
    /// With nothing in it.
    pub(super) fn empty(source: Source, boot_id: &str, settings: &Settings) -> Self {
        Self {
            source,
            queues: QueueTable::new(settings.page_cache_bytes),
            producers: Lookup::new(),
            outcomes: Lookup::new(),
            staged: StagedTable::default(),
            segments: Segments::default(),
            stable: None,
            boot_id: boot_id.to_owned(),
            begin_anew: true,
            proven: true,
            warned: false,
            producer_age: settings.producer_age,
            outcome_age: settings.outcome_age,
        }
    }

    /// As of a control file.
    pub(super) fn as_of(
        source: Source,
        control: Arc<Control>,
        boot_id: &str,
        settings: &Settings,
    ) -> Self {
        let image = &control.image;
        Self {
            queues: QueueTable::from_image(
                &image.queues,
                image.next_queue,
                settings.page_cache_bytes,
            ),
            staged: StagedTable::from_image(&image.staged, image.next_staged),
            segments: Segments::from_sorted(image.segments.clone()),
            stable: Some(Arc::clone(&control)),
            begin_anew: false,
            proven: false,
            ..Self::empty(source, boot_id, settings)
        }
    }

    /// Takes in one durable record. The same for live work and replay; records are absolute, so repeating a stretch in
    /// order gives the same state.
    ///
    /// # Errors
    /// [`Error::Index`] when a page cannot be had from the database: the index has been set aside on disk, and opening
    /// it again rebuilds it.
    pub(crate) fn apply(
        &mut self,
        record: &Record<'_>,
        at: RecordPlace,
        time_ms: u64,
    ) -> Result<()> {
        self.take_in(record, at, time_ms)?;
        match self.segments.broken() {
            None => Ok(()),
            Some(segment) => Err(self
                .source
                .condemn(format!("use of segment {segment} fell below zero"))),
        }
    }

    fn take_in(&mut self, record: &Record<'_>, at: RecordPlace, time_ms: u64) -> Result<()> {
        let segment = at.position.segment;
        match record {
            Record::Seal(_) => Ok(()),
            Record::Message(message) => self.apply_message(message, at, time_ms),
            Record::Removed { queue, seqs } => seqs
                .iter()
                .try_for_each(|seq| self.apply_removed(*queue, *seq)),
            Record::Queue { queue, name } => {
                self.apply_queue(*queue, name, segment);
                Ok(())
            }
            Record::QueueRemoved { queue } => self.apply_queue_removed(*queue),
            Record::Redelivered { queue, seq, count } => {
                self.queues
                    .redelivered(&mut self.source, *queue, *seq, *count)
            }
            Record::DispatchMark { queue, seq } => {
                let old = self
                    .queues
                    .get_or_create(*queue)
                    .mark
                    .replace((*seq, segment));
                self.segments
                    .shift(old.map(|(_, segment)| segment), segment, NOTE_BYTES);
                Ok(())
            }
            Record::Producer { id, last, window } => {
                let state = ProducerState {
                    last: *last,
                    window: *window,
                };
                let new = |old: Option<&Producer>| Producer::absolute(old, state, segment, time_ms);
                self.producers
                    .change(&mut self.source, &mut self.segments, id, new)
            }
            Record::Outcome {
                transaction,
                outcome,
            } => {
                let new = |old: Option<&Ended>| Ended::new(old, *outcome, segment, time_ms);
                self.outcomes
                    .change(&mut self.source, &mut self.segments, transaction, new)
            }
            Record::Staged {
                transaction,
                record,
            } => self.apply_staged(*transaction, record, at),
            Record::StagedCommit { transaction } => self.apply_staged_commit(*transaction, time_ms),
            Record::StagedRollback { transaction } => self.apply_staged_rollback(*transaction),
        }
    }

    fn apply_message(
        &mut self,
        message: &MessageRecord<'_>,
        at: RecordPlace,
        time_ms: u64,
    ) -> Result<()> {
        let slot = Slot::new(
            at.position,
            at.payload_len,
            at.payload_crc,
            message.redeliveries,
        );
        self.segments
            .add(at.position.segment, message_bytes(slot.len));
        self.put(message.queue, message.seq, slot)?;
        // A moved message says nothing new of its producer, which is carried forward on its own.
        let Some(producer) = message.producer.filter(|_| !message.moved) else {
            return Ok(());
        };
        let noted = noted(producer.sequence, at.position.segment, time_ms);
        self.producers.change(
            &mut self.source,
            &mut self.segments,
            producer.producer,
            noted,
        )
    }

    /// Puts a message, counted in its segment already, into its queue.
    fn put(&mut self, queue: QueueId, seq: Seq, slot: Slot) -> Result<()> {
        if let Some(old) = self.queues.put(&mut self.source, queue, seq, slot)? {
            self.segments
                .sub(old.position.segment, message_bytes(old.len));
        }
        Ok(())
    }

    fn apply_removed(&mut self, queue: QueueId, seq: Seq) -> Result<()> {
        if let Some(old) = self.queues.take(&mut self.source, queue, seq)? {
            self.segments
                .sub(old.position.segment, message_bytes(old.len));
        }
        Ok(())
    }

    fn apply_queue(&mut self, id: QueueId, name: &[u8], segment: SegmentNumber) {
        let old = self
            .queues
            .get_or_create(id)
            .name
            .replace((name.into(), segment));
        self.segments
            .shift(old.map(|(_, segment)| segment), segment, NOTE_BYTES);
    }

    fn apply_queue_removed(&mut self, id: QueueId) -> Result<()> {
        let segments = &mut self.segments;
        let uncount = |slot: &Slot| segments.sub(slot.position.segment, message_bytes(slot.len));
        let Some(queue) = self.queues.remove(&mut self.source, id, uncount)? else {
            return Ok(());
        };
        if let Some((_, segment)) = queue.name {
            self.segments.sub(segment, NOTE_BYTES);
        }
        if let Some((_, segment)) = queue.mark {
            self.segments.sub(segment, NOTE_BYTES);
        }
        Ok(())
    }

    fn apply_staged(&mut self, id: StagedId, record: &Record<'_>, at: RecordPlace) -> Result<()> {
        match record {
            Record::Message(message) => {
                let slot = Slot::new(
                    at.position,
                    at.payload_len,
                    at.payload_crc,
                    message.redeliveries,
                );
                let producer = message.producer.map(|producer| {
                    let mut key = Vec::new();
                    super::key::lookup_key(Producer::KIND, producer.producer, &mut key);
                    (key.into_boxed_slice(), producer.sequence)
                });
                let what = Staged::Message { slot, producer };
                let operation = StagedOperation {
                    queue: message.queue,
                    seq: message.seq,
                    what,
                };
                self.staged
                    .stage(&mut self.source, &mut self.segments, id, operation)
            }
            Record::Removed { queue, seqs } => seqs.iter().try_for_each(|seq| {
                let what = Staged::Removed {
                    segment: at.position.segment,
                };
                let operation = StagedOperation {
                    queue: *queue,
                    seq: *seq,
                    what,
                };
                self.staged
                    .stage(&mut self.source, &mut self.segments, id, operation)
            }),
            // The decoder lets nothing else through.
            _ => Ok(()),
        }
    }

    fn apply_staged_commit(&mut self, id: StagedId, time_ms: u64) -> Result<()> {
        for operation in self.staged.end(&mut self.source, id)? {
            let (segment, bytes) = operation.pinned();
            match operation.what {
                Staged::Message { slot, producer } => {
                    self.put(operation.queue, operation.seq, slot)?;
                    if let Some((key, sequence)) = producer {
                        let noted = noted(sequence, segment, time_ms);
                        self.producers.change_key(
                            &mut self.source,
                            &mut self.segments,
                            &key,
                            noted,
                        )?;
                    }
                }
                Staged::Removed { .. } => {
                    self.segments.sub(segment, bytes);
                    self.apply_removed(operation.queue, operation.seq)?;
                }
            }
        }
        Ok(())
    }

    fn apply_staged_rollback(&mut self, id: StagedId) -> Result<()> {
        for operation in self.staged.end(&mut self.source, id)? {
            let (segment, bytes) = operation.pinned();
            self.segments.sub(segment, bytes);
        }
        Ok(())
    }

    /// One queue.
    pub(crate) fn queue(&self, id: QueueId) -> Option<QueueSummary> {
        self.queues.get(id).and_then(|queue| queue.summary(id))
    }

    /// All queues, by id.
    pub(crate) fn queues(&self) -> Vec<QueueSummary> {
        self.queues.summaries()
    }

    /// Above every queue id ever seen.
    pub(crate) fn next_queue(&self) -> QueueId {
        self.queues.next()
    }

    /// Above every staged id ever seen.
    pub(crate) fn next_staged(&self) -> StagedId {
        self.staged.next()
    }

    /// Staged transactions without an end; after a replay they are to be rolled back.
    pub(crate) fn open_staged(&self) -> Vec<StagedId> {
        self.staged.ids()
    }

    /// Up to `max` entries from `from` on, in order. Loads pages on demand.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn entries(&mut self, queue: QueueId, from: Seq, max: usize) -> Result<Vec<Entry>> {
        self.queues.entries(&mut self.source, queue, from, max)
    }

    /// One entry.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn entry(&mut self, queue: QueueId, seq: Seq) -> Result<Option<Entry>> {
        let slot = self.queues.find(&mut self.source, queue, seq)?;
        Ok(slot.map(|slot| Entry::new(seq, &slot)))
    }

    /// What is known of a producer.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn producer(&mut self, id: &[u8]) -> Result<Option<ProducerState>> {
        let producer = self.producers.get(&mut self.source, id)?;
        Ok(producer.map(|producer| producer.state))
    }

    /// How a transaction ended.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn outcome(&mut self, transaction: &[u8]) -> Result<Option<Outcome>> {
        let ended = self.outcomes.get(&mut self.source, transaction)?;
        Ok(ended.map(|ended| ended.outcome))
    }

    /// What is live in one segment.
    pub(crate) fn live(&self, segment: SegmentNumber) -> SegmentUse {
        self.segments.get(segment)
    }

    /// Live bytes of all segments.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// Whether compaction has to carry this record forward: it is the live one of its kind. A current message is to be
    /// written again with `moved` and the redelivery count of [`Index::entry`]; a current `Staged` again as `Staged`, all of
    /// it, while its transaction is open, and as a moved message after its commit; others as they are.
    /// Ask [`Index::pins_producer`] as well for every message with a producer, current or not.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn is_current(&mut self, record: &Record<'_>, place: RecordPlace) -> Result<bool> {
        let segment = place.position.segment;
        match record {
            Record::Message(message) => {
                let entry = self.entry(message.queue, message.seq)?;
                Ok(entry.is_some_and(|entry| entry.position == place.position))
            }
            Record::Queue { queue, .. } => {
                let name = self
                    .queues
                    .get(*queue)
                    .and_then(|queue| queue.name.as_ref());
                Ok(name.is_some_and(|(_, at)| *at == segment))
            }
            Record::DispatchMark { queue, seq } => Ok(self
                .queues
                .get(*queue)
                .is_some_and(|queue| queue.mark == Some((*seq, segment)))),
            Record::Producer { id, .. } => Ok(self.pins_producer(id, segment)?.is_some()),
            Record::Outcome { transaction, .. } => {
                let ended = self.outcomes.get(&mut self.source, transaction)?;
                Ok(ended.is_some_and(|ended| ended.segment() == segment))
            }
            Record::Staged {
                transaction,
                record,
            } if self.staged.is_open(*transaction) => {
                self.is_held_back(*transaction, record, place)
            }
            Record::Staged { record, .. } if matches!(**record, Record::Message(_)) => {
                self.is_current(record, place)
            }
            _ => Ok(false),
        }
    }

    fn is_held_back(
        &mut self,
        id: StagedId,
        record: &Record<'_>,
        place: RecordPlace,
    ) -> Result<bool> {
        let (queue, seqs, is_message) = match record {
            Record::Message(message) => (message.queue, std::slice::from_ref(&message.seq), true),
            Record::Removed { queue, seqs } => (*queue, seqs.as_slice(), false),
            _ => return Ok(false),
        };
        for seq in seqs {
            let held = self
                .staged
                .find(&mut self.source, id, (queue, *seq, is_message))?;
            let here = held.is_some_and(|held| match &held.what {
                Staged::Message { slot, .. } => slot.position == place.position,
                Staged::Removed { segment } => *segment == place.position.segment,
            });
            if here {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The state of a producer if `segment` is needed to know it: carry it forward as a `Producer` record (once per
    /// segment and producer).
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn pins_producer(
        &mut self,
        id: &[u8],
        segment: SegmentNumber,
    ) -> Result<Option<ProducerState>> {
        let producer = self.producers.get(&mut self.source, id)?;
        Ok(producer
            .filter(|producer| producer.segment() == segment)
            .map(|producer| producer.state))
    }

    /// Open transactions that have staged the removal of this message. Whoever moves the message writes these removals
    /// again behind it: otherwise a rebuild after the segment that holds them has gone would bring the message back.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn staged_removals(&mut self, queue: QueueId, seq: Seq) -> Result<Vec<StagedId>> {
        let mut found = Vec::new();
        for id in self.staged.ids() {
            if self
                .staged
                .find(&mut self.source, id, (queue, seq, false))?
                .is_some()
            {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// Forgets queues without a name. Call at the end of a replay: records that came after the removal of their queue
    /// (a commit of what was staged for it) must not live for ever where nobody can reach them.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn forget_nameless(&mut self) -> Result<()> {
        for id in self.queues.nameless() {
            self.apply_queue_removed(id)?;
        }
        Ok(())
    }

    /// Forgets producers and outcomes beyond their age: a bounded step, call it before each checkpoint.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn expire(&mut self, now_ms: u64) -> Result<()> {
        let oldest = |age: Duration| {
            now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
        };
        self.producers.expire(
            &mut self.source,
            &mut self.segments,
            oldest(self.producer_age),
        )?;
        self.outcomes.expire(
            &mut self.source,
            &mut self.segments,
            oldest(self.outcome_age),
        )
    }

    /// Waits until the database is open and believed as far as an opening can be. Call after replay, before accepting work.
    ///
    /// # Errors
    /// [`Error::Index`]: open again, it rebuilds.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.source.ready().map(|_| ())
    }

    /// Memory of pages that the next checkpoint has to write, at most: a reason for an early checkpoint when large.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.queues.dirty_bytes()
    }
}

/// A producer after one more message.
fn noted(
    sequence: u64,
    segment: SegmentNumber,
    time_ms: u64,
) -> impl FnOnce(Option<&Producer>) -> Producer {
    move |old| match old {
        Some(old) => {
            let mut producer = *old;
            producer.note(sequence, segment, time_ms);
            producer
        }
        None => Producer::first(sequence, segment, time_ms),
    }
}
