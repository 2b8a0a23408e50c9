//! An index with a journal in memory behind it, and a plain model to compare it with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::fs::{Fs, RealFs};
use crate::index::{Backend, Index, Opening, RecordPlace};
use crate::journal::After;
use crate::position::{BatchNumber, Position, QueueId, SegmentNumber, Seq, StagedId};
use crate::record::{MessageRecord, Outcome, ProducerSequence, Record};
use crate::settings::Settings;

/// Records per segment of the journal in memory.
const SEGMENT_RECORDS: u64 = 20;

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Queue(u32),
    QueueRemoved(u32),
    Message { queue: u32, seq: u64, producer: Option<(u8, u64)> },
    Removed { queue: u32, seqs: Vec<u64> },
    Redelivered { queue: u32, seq: u64, count: u16 },
    Mark { queue: u32, seq: u64 },
    Producer { id: u8, last: u64, window: u64 },
    Outcome { id: u8, committed: bool },
    Staged { id: u64, step: Box<Step> },
    Commit(u64),
    Rollback(u64),
}

impl Step {
    pub(super) fn with_record(&self, moved: bool, use_it: &mut dyn FnMut(&Record<'_>)) {
        let name = |queue: u32| format!("queue {queue}").into_bytes();
        match self {
            Self::Queue(queue) => use_it(&Record::Queue { queue: QueueId(*queue), name: &name(*queue) }),
            Self::QueueRemoved(queue) => use_it(&Record::QueueRemoved { queue: QueueId(*queue) }),
            Self::Message { queue, seq, producer } => {
                let id = producer.map(|(id, _)| producer_id(id)).unwrap_or_default();
                let producer = producer.map(|(_, sequence)| ProducerSequence { producer: &id, sequence });
                let (queue, seq) = (QueueId(*queue), Seq(*seq));
                let message = MessageRecord { queue, seq, redeliveries: 0, moved, producer, payload: &[] };
                use_it(&Record::Message(message))
            }
            Self::Removed { queue, seqs } => {
                let seqs = seqs.iter().map(|seq| Seq(*seq)).collect();
                use_it(&Record::Removed { queue: QueueId(*queue), seqs })
            }
            Self::Redelivered { queue, seq, count } => {
                use_it(&Record::Redelivered { queue: QueueId(*queue), seq: Seq(*seq), count: *count })
            }
            Self::Mark { queue, seq } => use_it(&Record::DispatchMark { queue: QueueId(*queue), seq: Seq(*seq) }),
            Self::Producer { id, last, window } => {
                use_it(&Record::Producer { id: &producer_id(*id), last: *last, window: *window })
            }
            Self::Outcome { id, committed } => {
                let outcome = if *committed { Outcome::Committed } else { Outcome::RolledBack };
                use_it(&Record::Outcome { transaction: &[*id], outcome })
            }
            Self::Staged { id, step } => step.with_record(moved, &mut |record| {
                use_it(&Record::Staged { transaction: StagedId(*id), record: Box::new(record.clone()) })
            }),
            Self::Commit(id) => use_it(&Record::StagedCommit { transaction: StagedId(*id) }),
            Self::Rollback(id) => use_it(&Record::StagedRollback { transaction: StagedId(*id) }),
        }
    }
}

/// Some of them long enough to be hashed.
pub(super) fn producer_id(id: u8) -> Vec<u8> {
    vec![id; if id.is_multiple_of(3) { 300 } else { 10 }]
}

/// One record of the journal in memory.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) step: Step,
    pub(super) moved: bool,
    pub(super) place: RecordPlace,
    pub(super) time_ms: u64,
}

pub(super) struct Rig {
    pub(super) dir: TempDir,
    pub(super) fs: Arc<dyn Fs>,
    pub(super) backend: Backend,
    pub(super) settings: Settings,
    pub(super) epoch: u64,
    pub(super) boot_id: String,
    pub(super) network: bool,
    pub(super) journal: Vec<Logged>,
    pub(super) index: Option<Index>,
    /// Staged transactions that ended.
    ended: u64,
    /// From which record the last opening replayed.
    pub(super) replayed_from: usize,
    pub(super) rebuilt: Option<String>,
}

impl Rig {
    pub(super) fn new(backend: Backend) -> Self {
        let mut rig = Self {
            dir: tempfile::tempdir().unwrap(),
            fs: Arc::new(RealFs::new(None)),
            backend,
            settings: Settings { page_cache_bytes: 2000, ..Settings::default() },
            epoch: 0,
            boot_id: "this boot".into(),
            network: false,
            journal: Vec::new(),
            index: None,
            ended: 0,
            replayed_from: 0,
            rebuilt: None,
        };
        rig.reopen();
        rig
    }

    pub(super) fn index(&mut self) -> &mut Index {
        self.index.as_mut().unwrap()
    }

    pub(super) fn index_dir(&self) -> PathBuf {
        self.dir.path().join("index")
    }

    /// Position of the record of this number.
    fn place(number: u64) -> RecordPlace {
        let segment = SegmentNumber(1 + number / SEGMENT_RECORDS);
        let position = Position { segment, offset: 4096 + number % SEGMENT_RECORDS * 1000 };
        RecordPlace { position, payload_len: 100 + (number % 50) as u32, payload_crc: number as u32 ^ 0xabcd }
    }

    pub(super) fn after(&self) -> After {
        let number = self.journal.len() as u64;
        After { position: Self::place(number).position, number: BatchNumber(number), crc: number as u32 }
    }

    /// Writes a record and applies it.
    pub(super) fn step(&mut self, mut step: Step) {
        // Ids of transactions are never used again.
        if let Step::Staged { id, .. } | Step::Commit(id) | Step::Rollback(id) = &mut step {
            *id += 10 * self.ended;
        }
        self.ended += u64::from(matches!(step, Step::Commit(_) | Step::Rollback(_)));
        self.log(step, false);
    }

    pub(super) fn log(&mut self, step: Step, moved: bool) {
        let number = self.journal.len() as u64;
        let logged = Logged { step, moved, place: Self::place(number), time_ms: 1_000_000 + number };
        apply(self.index(), &logged).unwrap();
        self.journal.push(logged);
    }

    pub(super) fn messages(&mut self, queue: u32, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            self.step(Step::Message { queue, seq, producer: None });
        }
    }

    /// A whole checkpoint; whether it counts.
    pub(super) fn checkpoint(&mut self) -> bool {
        let after = self.after();
        let written = self.index().begin_checkpoint(after).write(&|| Ok(())).unwrap();
        let stable = self.index().finish_checkpoint(written);
        if stable {
            self.rebuilt = None;
        }
        stable
    }

    /// A checkpoint that is killed at its `at`-th verification.
    pub(super) fn killed_checkpoint(&mut self, at: u32) {
        let after = self.after();
        let asked = std::cell::Cell::new(0);
        let verify = || {
            asked.set(asked.get() + 1);
            if asked.get() == at { Err(Error::Closed) } else { Ok(()) }
        };
        let snapshot = self.index().begin_checkpoint(after);
        assert!(snapshot.write(&verify).is_err(), "not that many verifications");
        self.index = None;
    }

    /// Drops what is in memory, opens what is on disk and replays, as a new master would.
    pub(super) fn reopen(&mut self) {
        self.index = None;
        self.epoch += 1;
        self.rebuilt = None;
        if self.open().is_err() {
            // The index was found wanting in the middle of it: the second time must do.
            self.open().unwrap();
        }
    }

    fn open(&mut self) -> Result<()> {
        let opening = Opening {
            epoch: self.epoch,
            boot_id: self.boot_id.clone(),
            network: self.network,
            previous_clean: false,
            oldest_segment: Some(SegmentNumber(1)),
            backend: self.backend,
            settings: &self.settings,
        };
        let opened = Index::open(Arc::clone(&self.fs), self.dir.path(), &opening)?;
        let mut index = opened.index;
        self.rebuilt = self.rebuilt.take().or(opened.rebuilt);
        self.replayed_from = opened.from.map_or(0, |after| usize::try_from(after.number.0).unwrap());
        for logged in &self.journal[self.replayed_from..] {
            apply(&mut index, logged)?;
        }
        index.settle()?;
        self.index = Some(index);
        Ok(())
    }

    /// Compares everything that can be asked with a model of the journal.
    pub(super) fn check(&mut self) {
        let model = Model::of(&self.journal);
        model.compare(self.index.as_mut().unwrap());
    }
}

pub(super) fn apply(index: &mut Index, logged: &Logged) -> Result<()> {
    let mut applied = Ok(());
    let mut apply = |record: &Record<'_>| applied = index.apply(record, logged.place, logged.time_ms);
    logged.step.with_record(logged.moved, &mut apply);
    applied
}

/// A removal of many as removals of one.
fn singles(step: &Step) -> Vec<Step> {
    match step {
        Step::Removed { queue, seqs } => seqs.iter().map(|seq| Step::Removed { queue: *queue, seqs: vec![*seq] }).collect(),
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

/// What the journal says, told as simply as possible.
#[derive(Default)]
struct Model {
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
    fn of(journal: &[Logged]) -> Self {
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
            Step::Message { queue, seq, producer } => {
                let queue = self.queues.entry(*queue).or_default();
                queue.next = queue.next.max(seq + 1);
                queue.messages.insert(*seq, (logged.place, 0));
                if let Some((id, sequence)) = producer.filter(|_| !logged.moved) {
                    let (last, all) = self.producers.entry(id).or_default();
                    *last = (*last).max(sequence);
                    all.insert(sequence);
                }
            }
            Step::Removed { queue, seqs } => {
                for seq in seqs {
                    let Some(queue) = self.queues.get_mut(queue) else { continue };
                    queue.next = queue.next.max(seq + 1);
                    queue.messages.remove(seq);
                }
            }
            Step::Redelivered { queue, seq, count } => {
                let message = self.queues.get_mut(queue).and_then(|queue| queue.messages.get_mut(seq));
                if let Some((_, redeliveries)) = message {
                    *redeliveries = *count;
                }
            }
            Step::Mark { queue, seq } => self.queues.entry(*queue).or_default().mark = Some((*seq, segment)),
            Step::Producer { id, last, window } => {
                let below = (1..=64).filter(|bit| window >> (bit - 1) & 1 == 1 && *last > *bit);
                let all = below.map(|bit| last - bit).chain([*last]).collect();
                self.producers.insert(*id, (*last, all));
            }
            Step::Outcome { id, committed } => {
                self.outcomes.insert(*id, (*committed, segment));
            }
            Step::Staged { id, step } => {
                let held = self.staged.entry(*id).or_default();
                for step in singles(step) {
                    let new = Logged { step, moved: false, ..*logged };
                    // Staged twice means moved by compaction.
                    match held.iter_mut().find(|old| name(&old.step) == name(&new.step)) {
                        Some(old) => *old = new,
                        None => held.push(new),
                    }
                }
            }
            Step::Commit(id) => {
                let held = self.staged.remove(id).unwrap_or_default();
                held.iter().for_each(|logged| self.apply(logged));
            }
            Step::Rollback(id) => {
                self.staged.remove(id);
            }
        }
    }

    fn compare(&self, index: &mut Index) {
        let named: Vec<_> = self.queues.iter().filter(|(_, queue)| queue.named.is_some()).collect();
        let found = index.queues();
        assert_eq!(found.iter().map(|q| q.id.0).collect::<Vec<_>>(), named.iter().map(|(id, _)| **id).collect::<Vec<_>>());
        for (summary, (id, queue)) in found.iter().zip(&named) {
            assert_eq!(summary.name, format!("queue {id}").into_bytes());
            assert_eq!(summary.count, queue.messages.len() as u64, "count of queue {id}");
            let bytes: u64 = queue.messages.values().map(|(place, _)| u64::from(place.payload_len)).sum();
            assert_eq!(summary.bytes, bytes, "bytes of queue {id}");
            assert_eq!(summary.first, queue.messages.keys().next().map(|seq| Seq(*seq)), "first of queue {id}");
            assert_eq!(summary.next_seq, Seq(queue.next.max(1)), "next of queue {id}");
            assert_eq!(summary.mark, Seq(queue.mark.map_or(0, |(mark, _)| mark)), "mark of queue {id}");
            assert_eq!(index.queue(QueueId(**id)).as_ref(), Some(summary));
        }
        for (id, queue) in &self.queues {
            self.compare_entries(index, QueueId(*id), queue);
        }
        for (id, (last, all)) in &self.producers {
            let state = index.producer(&producer_id(*id)).unwrap().expect("a known producer");
            for sequence in last.saturating_sub(64).max(1)..last + 2 {
                assert_eq!(state.knows(sequence), all.contains(&sequence), "producer {id} sequence {sequence}");
            }
        }
        assert_eq!(index.producer(b"nobody").unwrap(), None);
        for (id, (committed, _)) in &self.outcomes {
            let want = if *committed { Outcome::Committed } else { Outcome::RolledBack };
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
            assert_eq!((entry.len, entry.crc), (place.payload_len, place.payload_crc));
            assert_eq!(entry.redeliveries, *redeliveries, "redeliveries of {seq} in {id}");
            assert_eq!(index.entry(id, Seq(*seq)).unwrap().as_ref(), Some(entry));
        }
        assert_eq!(index.entry(id, Seq(queue.next)).unwrap(), None);
    }

    /// Live entries per segment; producers are asked for, as the model does not know what pins them.
    fn compare_use(&self, index: &mut Index) {
        let mut live: BTreeMap<SegmentNumber, u64> = BTreeMap::new();
        let mut add = |segment: SegmentNumber| *live.entry(segment).or_default() += 1;
        for queue in self.queues.values() {
            queue.messages.values().for_each(|(place, _)| add(place.position.segment));
            queue.named.into_iter().for_each(&mut add);
            queue.mark.into_iter().for_each(|(_, segment)| add(segment));
        }
        self.outcomes.values().for_each(|(_, segment)| add(*segment));
        for logged in self.staged.values().flatten() {
            add(logged.place.position.segment);
        }
        let last = self.last_segment + 2;
        for id in self.producers.keys() {
            let pins = |segment: &u64| index.pins_producer(&producer_id(*id), SegmentNumber(*segment)).unwrap().is_some();
            let pinned: Vec<u64> = (1..last).filter(pins).collect();
            assert_eq!(pinned.len(), 1, "producer {id} is pinned once");
            add(SegmentNumber(pinned[0]));
        }
        for segment in 0..last {
            let want = live.get(&SegmentNumber(segment)).copied().unwrap_or(0);
            assert_eq!(index.live(SegmentNumber(segment)).entries, want, "live entries in segment {segment}");
        }
    }
}
