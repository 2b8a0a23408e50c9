//! What a record does to the tables: the one way in, for live work and replay alike.
//!
//! Records are absolute, so repeating a stretch of the journal in order gives the same state, whatever part of it the
//! tables already reflect.

use super::lookup::Known;
use super::outcome_table::Ended;
use super::page::Slot;
use super::producer_table::Producer;
use super::segment_use::{NOTE_BYTES, message_bytes};
use super::staged::{Staged, StagedOperation};
use crate::error::Result;
use crate::index::{Index, ProducerState, RecordPlace};
use crate::position::{QueueId, SegmentNumber, Seq, StagedId};
use crate::record::{MessageRecord, Record};

impl Index {
    /// Takes in one durable record. The same for live work and replay; records are absolute, so repeating a stretch in
    /// order gives the same state.
    ///
    /// # Errors
    /// [`crate::Error::Index`] when a page cannot be had from the database: the index has been set aside on disk, and opening
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

    pub(super) fn apply_queue_removed(&mut self, id: QueueId) -> Result<()> {
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
