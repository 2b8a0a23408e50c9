//! All tables together, and what can be asked of them.

use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use super::lookup::{Known, Lookup};
use super::outcome_table::Ended;
use super::page::Slot;
use super::producer_table::Producer;
use super::queue_table::QueueTable;
use super::segment_use::Segments;
use super::source::Source;
use super::staged::Staged;
use super::staged_table::StagedTable;
use crate::clock;
use crate::error::{Error, Result};
use crate::index::{ProducerState, SegmentUse};
use crate::position::{Position, QueueId, SegmentNumber, Seq, StagedId};
use crate::record::{Outcome, Record};
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
    pub(super) outcome_age: Duration,
    pub(super) outcome_limit: usize,
    /// When outcomes in the database may be old enough to be forgotten.
    pub(super) next_sweep_ms: u64,
    producer_age: Duration,
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
            outcome_limit: settings.outcome_limit,
            next_sweep_ms: 0,
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

    /// Forgets producers beyond their age: a bounded step, call it before each checkpoint. Outcomes have a sweep of
    /// their own.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn expire(&mut self, now_ms: u64) -> Result<()> {
        let through_ms = clock::older_than(self.producer_age, now_ms);
        self.producers
            .expire(&mut self.source, &mut self.segments, through_ms)
    }

    /// Waits until the database is open and believed as far as an opening can be. Call after replay, before accepting work.
    ///
    /// # Errors
    /// [`Error::Index`]: open again, it rebuilds.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.source.ready().map(|_| ())
    }

    /// Memory of what the next checkpoint has to write, at most: a reason for an early checkpoint when large.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.queues.dirty_bytes() + self.producers.dirty_bytes() + self.outcomes.dirty_bytes()
    }
}
