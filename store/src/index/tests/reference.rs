//! What the journal says, told as simply as possible, to compare the index with.

use std::collections::{BTreeMap, BTreeSet};

use super::rig::Logged;
use super::step::{Step, outcome, producer_id};
use crate::index::{Index, RecordPlace};
use crate::noted::Noted;
use crate::position::{QueueId, SegmentNumber, Seq, StagedId};

/// A removal of many as removals of one.
fn singles(step: &Step) -> Vec<Step> {
    match step {
        Step::Removed { queue, seqs } => seqs
            .iter()
            .map(|seq| Step::Removed {
                queue: *queue,
                seqs: vec![*seq],
            })
            .collect(),
        step => vec![step.clone()],
    }
}

fn name(step: &Step) -> (u32, u64, bool) {
    match step {
        Step::Message { queue, seq, .. } => (*queue, *seq, true),
        Step::Removed { queue, seqs } => (*queue, seqs[0], false),
        step => panic!("{step:?} cannot be staged"),
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Model {
    queues: BTreeMap<u32, ModelQueue>,
    /// Highest sequence and all sequences, by producer.
    producers: BTreeMap<u8, (u64, BTreeSet<u64>)>,
    outcomes: BTreeMap<u8, (bool, SegmentNumber)>,
    staged: BTreeMap<u64, Vec<Logged>>,
    last_segment: u64,
}

#[derive(Default)]
struct ModelQueue {
    named: Option<SegmentNumber>,
    mark: Option<(u64, SegmentNumber)>,
    next: u64,
    /// Place and redeliveries.
    messages: BTreeMap<u64, (RecordPlace, u16)>,
}

impl Model {
    pub(super) fn of(journal: &[Logged]) -> Self {
        let mut model = Self::default();
        journal.iter().for_each(|logged| model.apply(logged));
        model
    }

    fn apply(&mut self, logged: &Logged) {
        let segment = logged.place.position.segment;
        self.last_segment = self.last_segment.max(segment.0);
        match &logged.step {
            Step::Queue(queue) => self.queues.entry(*queue).or_default().named = Some(segment),
            Step::QueueRemoved(queue) => {
                self.queues.remove(queue);
            }
            Step::Message { .. } => self.apply_message(logged),
            Step::Removed { queue, seqs } => {
                for seq in seqs {
                    let Some(queue) = self.queues.get_mut(queue) else {
                        continue;
                    };
                    queue.messages.remove(seq);
                }
            }
            Step::Redelivered { queue, seq, count } => {
                let message = self
                    .queues
                    .get_mut(queue)
                    .and_then(|queue| queue.messages.get_mut(seq));
                if let Some((_, redeliveries)) = message {
                    *redeliveries = *count;
                }
            }
            Step::Mark { queue, seq } => {
                self.queues.entry(*queue).or_default().mark = Some((*seq, segment))
            }
            Step::Producer { id, last, window } => {
                let below = (1..=64).filter(|bit| window >> (bit - 1) & 1 == 1 && *last > *bit);
                let all = below.map(|bit| last - bit).chain([*last]).collect();
                self.producers.insert(*id, (*last, all));
            }
            Step::Outcome { id, committed } => {
                self.outcomes.insert(*id, (*committed, segment));
            }
            Step::Staged { id, step } => self.apply_staged(*id, step, logged),
            Step::Commit(id) => {
                let held = self.staged.remove(id).unwrap_or_default();
                held.iter().for_each(|logged| self.apply(logged));
            }
            Step::Rollback(id) => {
                self.staged.remove(id);
            }
        }
    }

    fn apply_message(&mut self, logged: &Logged) {
        let Step::Message {
            queue,
            seq,
            redeliveries,
            producer,
        } = &logged.step
        else {
            return;
        };
        let queue = self.queues.entry(*queue).or_default();
        queue.next = queue.next.max(seq + 1);
        queue.messages.insert(*seq, (logged.place, *redeliveries));
        if let Some((id, sequence)) = producer.filter(|_| !logged.moved) {
            let (last, all) = self.producers.entry(id).or_default();
            *last = (*last).max(sequence);
            all.insert(sequence);
        }
    }

    fn apply_staged(&mut self, id: u64, step: &Step, logged: &Logged) {
        let held = self.staged.entry(id).or_default();
        for step in singles(step) {
            let new = Logged {
                step,
                moved: false,
                ..*logged
            };
            // Staged twice means moved by compaction.
            let old = held
                .iter_mut()
                .find(|old| name(&old.step) == name(&new.step));
            match old {
                Some(old) => *old = new,
                None => held.push(new),
            }
        }
    }

    /// `counts_on`: the index knows every sequence that ever was.
    pub(super) fn compare(&self, index: &mut Index, counts_on: bool) {
        let named: Vec<_> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.named.is_some())
            .collect();
        let found = index.queues();
        assert_eq!(
            found.iter().map(|q| q.id.0).collect::<Vec<_>>(),
            named.iter().map(|(id, _)| **id).collect::<Vec<_>>()
        );
        for (summary, (id, queue)) in found.iter().zip(&named) {
            assert_eq!(summary.name, format!("queue {id}").into_bytes());
            assert_eq!(
                summary.count,
                queue.messages.len() as u64,
                "count of queue {id}"
            );
            let bytes: u64 = queue
                .messages
                .values()
                .map(|(place, _)| u64::from(place.payload_len))
                .sum();
            assert_eq!(summary.bytes, bytes, "bytes of queue {id}");
            assert_eq!(
                summary.first,
                queue.messages.keys().next().map(|seq| Seq(*seq)),
                "first of queue {id}"
            );
            let highest = queue.messages.keys().next_back().copied().unwrap_or(0);
            let next = if counts_on {
                queue.next.max(1)
            } else {
                summary.next_seq.0.max(highest + 1)
            };
            assert_eq!(summary.next_seq, Seq(next), "next of queue {id}");
            assert_eq!(
                summary.mark,
                Seq(queue.mark.map_or(0, |(mark, _)| mark)),
                "mark of queue {id}"
            );
            assert_eq!(index.queue(QueueId(**id)).as_ref(), Some(summary));
        }
        for (id, queue) in &self.queues {
            self.compare_entries(index, QueueId(*id), queue);
        }
        for (id, (last, all)) in &self.producers {
            let state = index
                .producer(&producer_id(*id))
                .unwrap()
                .expect("a known producer");
            for sequence in last.saturating_sub(64).max(1)..last + 2 {
                assert_eq!(
                    state.judge(sequence) == Noted::Duplicate,
                    all.contains(&sequence),
                    "producer {id} sequence {sequence}"
                );
            }
        }
        assert_eq!(index.producer(b"nobody").unwrap(), None);
        for (id, (committed, _)) in &self.outcomes {
            let want = outcome(*committed);
            assert_eq!(index.outcome(&[*id]).unwrap(), Some(want), "outcome {id}");
        }
        let open: Vec<_> = self.staged.keys().map(|id| StagedId(*id)).collect();
        assert_eq!(index.open_staged(), open);
        self.compare_use(index);
    }

    fn compare_entries(&self, index: &mut Index, id: QueueId, queue: &ModelQueue) {
        let mut from = Seq(0);
        let mut found = Vec::new();
        loop {
            let some = index.entries(id, from, 3).unwrap();
            let Some(last) = some.last() else { break };
            from = last.seq.next();
            found.extend(some);
        }
        assert_eq!(found.len(), queue.messages.len(), "entries of {id}");
        for (entry, (seq, (place, redeliveries))) in found.iter().zip(&queue.messages) {
            assert_eq!(entry.seq, Seq(*seq));
            assert_eq!(entry.position, place.position, "position of {seq} in {id}");
            assert_eq!(
                (entry.len, entry.crc),
                (place.payload_len, place.payload_crc)
            );
            assert_eq!(
                entry.redeliveries, *redeliveries,
                "redeliveries of {seq} in {id}"
            );
            assert_eq!(index.entry(id, Seq(*seq)).unwrap().as_ref(), Some(entry));
        }
        assert_eq!(index.entry(id, Seq(queue.next)).unwrap(), None);
    }

    /// Live entries per segment; producers are asked for, as the model does not know what pins them.
    fn compare_use(&self, index: &mut Index) {
        let mut live: BTreeMap<SegmentNumber, u64> = BTreeMap::new();
        let mut add = |segment: SegmentNumber| *live.entry(segment).or_default() += 1;
        for queue in self.queues.values() {
            queue
                .messages
                .values()
                .for_each(|(place, _)| add(place.position.segment));
            queue.named.into_iter().for_each(&mut add);
            queue.mark.into_iter().for_each(|(_, segment)| add(segment));
        }
        self.outcomes
            .values()
            .for_each(|(_, segment)| add(*segment));
        for logged in self.staged.values().flatten() {
            add(logged.place.position.segment);
        }
        let last = self.last_segment + 2;
        for id in self.producers.keys() {
            let pins = |segment: &u64| {
                index
                    .pins_producer(&producer_id(*id), SegmentNumber(*segment))
                    .unwrap()
                    .is_some()
            };
            let pinned: Vec<u64> = (1..last).filter(pins).collect();
            assert_eq!(pinned.len(), 1, "producer {id} is pinned once");
            add(SegmentNumber(pinned[0]));
        }
        for segment in 0..last {
            let want = live.get(&SegmentNumber(segment)).copied().unwrap_or(0);
            assert_eq!(
                index.live(SegmentNumber(segment)).entries,
                want,
                "live entries in segment {segment}"
            );
        }
    }
}
