//! The records of one atomic unit, encoded as they are added.
//!
//! A work becomes durable whole or not at all. It can be cleared and filled again without allocating. What the
//! format cannot hold (an id beyond 65,535 bytes, more than [`limits::MAX_WORK_BYTES`]) is remembered and refused
//! when the work is submitted, so that filling it needs no error handling.

use crate::codec;
use crate::error::{Error, Result};
use crate::limits;
use crate::position::{QueueId, Seq, StagedId};
use crate::record::{MessageRecord, Outcome, ProducerSequence, Record};

/// Records that become durable together.
#[derive(Clone, Debug, Default)]
pub struct Work {
    records: Vec<u8>,
    count: u32,
    ordered: bool,
    excess: Option<Excess>,
}

#[derive(Clone, Copy, Debug)]
struct Excess {
    bytes: usize,
    limit: usize,
}

impl Work {
    /// Most bytes one work may hold; a larger transaction is staged in parts.
    pub const MAX_BYTES: usize = limits::MAX_WORK_BYTES;

    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A queue exists under this id; comes before its first use.
    pub fn queue(&mut self, queue: QueueId, name: &[u8]) {
        if self.id_fits(name) {
            self.add(&Record::Queue { queue, name });
            self.ordered = true;
        }
    }

    /// A queue and all in it are gone.
    pub fn queue_removed(&mut self, queue: QueueId) {
        self.add(&Record::QueueRemoved { queue });
        self.ordered = true;
    }

    /// A message is stored.
    pub fn message(
        &mut self,
        queue: QueueId,
        seq: Seq,
        producer: Option<ProducerSequence<'_>>,
        redeliveries: u16,
        payload: &[u8],
    ) {
        self.message_parts(queue, seq, producer, redeliveries, &[payload]);
    }

    /// A message is stored whose payload comes in several slices.
    pub fn message_parts(
        &mut self,
        queue: QueueId,
        seq: Seq,
        producer: Option<ProducerSequence<'_>>,
        redeliveries: u16,
        payload: &[&[u8]],
    ) {
        let len: usize = payload.iter().map(|part| part.len()).sum();
        if !self.id_fits(producer.map_or(&[], |p| p.producer)) || !self.has_room(len) {
            return;
        }
        let head = MessageRecord {
            queue,
            seq,
            redeliveries,
            moved: false,
            producer,
            payload: &[],
        };
        codec::encode_message_parts(&mut self.records, &head, payload);
        self.count += 1;
        self.ordered = true;
    }

    /// Messages were acknowledged.
    pub fn removed(&mut self, queue: QueueId, seqs: &[Seq]) {
        for seqs in seqs.chunks(limits::MAX_REMOVED_SEQS) {
            if self.has_room(8 * seqs.len()) {
                codec::encode_removed(&mut self.records, queue, seqs);
                self.count += 1;
            }
        }
    }

    /// A message came back; its redelivery count is now this.
    pub fn redelivered(&mut self, queue: QueueId, seq: Seq, count: u16) {
        self.add(&Record::Redelivered { queue, seq, count });
    }

    /// Messages below `seq` may have been seen by a consumer.
    pub fn dispatch_mark(&mut self, queue: QueueId, seq: Seq) {
        self.add(&Record::DispatchMark { queue, seq });
    }

    /// How a transaction ended, to be remembered for a commit asked twice.
    pub fn outcome(&mut self, transaction: &[u8], outcome: Outcome) {
        if self.id_fits(transaction) {
            self.add(&Record::Outcome {
                transaction,
                outcome,
            });
        }
    }

    /// Everything staged under the transaction takes effect.
    pub fn staged_commit(&mut self, transaction: StagedId) {
        self.add(&Record::StagedCommit { transaction });
        self.ordered = true;
    }

    /// Everything staged under the transaction is void.
    pub fn staged_rollback(&mut self, transaction: StagedId) {
        self.add(&Record::StagedRollback { transaction });
        self.ordered = true;
    }

    /// Whether no record was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the records so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Bytes that it can hold without allocating.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.records.capacity()
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.count = 0;
        self.ordered = false;
        self.excess = None;
    }

    /// This work with its messages and removals held back until the transaction commits.
    pub(crate) fn staged(&self, transaction: StagedId) -> Self {
        let mut staged = Self {
            excess: self.excess,
            ordered: true,
            ..Self::default()
        };
        for decoded in codec::decode_all(&self.records) {
            let decoded = decoded.expect("a work holds only what its own codec wrote");
            let record = &self.records[decoded.offset..decoded.end];
            match decoded.record {
                Record::Message(_) | Record::Removed { .. } => {
                    codec::encode_staged(&mut staged.records, transaction, record);
                }
                _ => staged.records.extend_from_slice(record),
            }
            staged.count += 1;
        }
        staged
    }

    /// The encoded records.
    pub(crate) fn records(&self) -> &[u8] {
        &self.records
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Whether it must keep its place behind messages that wait for room. Acknowledgements, counts, marks and
    /// outcomes may go ahead of them: they speak of messages that are durable already.
    pub(crate) fn is_ordered(&self) -> bool {
        self.ordered || self.count == 0
    }

    /// Refuses what the format cannot hold.
    pub(crate) fn check(&self) -> Result<()> {
        match self.excess {
            Some(Excess { bytes, limit }) => Err(Error::TooLarge { bytes, limit }),
            None => Ok(()),
        }
    }

    fn add(&mut self, record: &Record<'_>) {
        if self.has_room(record.encoded_len()) {
            record.encode(&mut self.records);
            self.count += 1;
        }
    }

    fn id_fits(&mut self, id: &[u8]) -> bool {
        self.fits(id.len(), limits::MAX_ID_BYTES)
    }

    fn has_room(&mut self, more: usize) -> bool {
        self.fits(
            self.records.len().saturating_add(more),
            limits::MAX_WORK_BYTES,
        )
    }

    fn fits(&mut self, bytes: usize, limit: usize) -> bool {
        if bytes > limit {
            self.excess.get_or_insert(Excess { bytes, limit });
        }
        bytes <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_may_overtake_and_messages_may_not() {
        let mut work = Work::new();
        assert!(work.is_ordered() && work.is_empty());
        work.removed(QueueId(1), &[Seq(1)]);
        work.redelivered(QueueId(1), Seq(2), 1);
        work.dispatch_mark(QueueId(1), Seq(9));
        work.outcome(b"tx", Outcome::Committed);
        assert!(!work.is_ordered());
        work.message(QueueId(1), Seq(3), None, 0, b"x");
        assert!(work.is_ordered());
        assert_eq!(work.count(), 5);
        work.clear();
        assert!(work.is_empty() && work.bytes() == 0);
    }

    #[test]
    fn what_the_format_cannot_hold_is_refused_and_clear_forgives() {
        let mut work = Work::new();
        work.queue(QueueId(1), &vec![b'q'; limits::MAX_ID_BYTES + 1]);
        assert!(matches!(
            work.check(),
            Err(Error::TooLarge {
                bytes: 65_536,
                limit: 65_535
            })
        ));
        assert!(work.is_empty());
        work.clear();
        work.check().expect("cleared");
    }

    #[test]
    fn long_removals_are_split() {
        let seqs: Vec<_> = (1..=70_000).map(Seq).collect();
        let mut work = Work::new();
        work.removed(QueueId(1), &seqs);
        assert_eq!(work.count(), 2);
        let mut back = Vec::new();
        for decoded in codec::decode_all(work.records()) {
            let Record::Removed { seqs, .. } = decoded.expect("valid").record else {
                panic!("only removals")
            };
            back.extend(seqs);
        }
        assert_eq!(back, seqs);
    }

    #[test]
    fn staging_wraps_messages_and_removals_only() {
        let mut work = Work::new();
        work.queue(QueueId(1), b"q");
        work.message_parts(QueueId(1), Seq(1), None, 0, &[b"a", b"b"]);
        work.removed(QueueId(1), &[Seq(5)]);
        let staged = work.staged(StagedId(4));
        assert_eq!(staged.count(), 3);
        let kinds: Vec<_> = codec::decode_all(staged.records())
            .map(|decoded| matches!(decoded.expect("valid").record, Record::Staged { .. }))
            .collect();
        assert_eq!(kinds, [false, true, true]);
    }
}
