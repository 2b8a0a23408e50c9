//! An index with a journal in memory behind it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::reference::Model;
use super::step::{Step, producer_id};
use crate::error::{Error, Result};
use crate::fs::sim::SimFs;
use crate::fs::{Fs, RealFs};
use crate::index::{Backend, Index, Opening, RecordPlace};
use crate::journal::After;
use crate::position::{BatchNumber, Position, QueueId, SegmentNumber, Seq, StagedId};
use crate::record::Record;
use crate::settings::Settings;

/// Records per segment of the journal in memory.
const SEGMENT_RECORDS: u64 = 20;

/// One record of the journal in memory.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) step: Step,
    pub(super) moved: bool,
    pub(super) place: RecordPlace,
    pub(super) time_ms: u64,
}

pub(super) struct Rig {
    /// Removes the directory at the end, if it is a real one.
    _dir: Option<TempDir>,
    pub(super) root: PathBuf,
    pub(super) fs: Arc<dyn Fs>,
    pub(super) backend: Backend,
    pub(super) settings: Settings,
    pub(super) epoch: u64,
    pub(super) boot_id: String,
    pub(super) network: bool,
    pub(super) journal: Vec<Logged>,
    /// Records before this one are in segments that were removed.
    pub(super) trimmed: usize,
    /// The index was rebuilt from what was left: a queue may begin to count anew.
    counts_anew: bool,
    /// Segment of the last stable checkpoint.
    checkpointed: SegmentNumber,
    pub(super) index: Option<Index>,
    /// Staged transactions that ended.
    ended: u64,
    /// From which record the last opening replayed.
    pub(super) replayed_from: usize,
    pub(super) rebuilt: Option<String>,
}

impl Rig {
    /// In a directory of its own.
    pub(super) fn new(backend: Backend) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        Self::made(backend, Arc::new(RealFs::new(None)), root, Some(dir))
    }

    /// On a simulated disk.
    pub(super) fn on(fs: &SimFs) -> Self {
        Self::made(
            Backend::File,
            Arc::new(fs.clone()),
            PathBuf::from("/"),
            None,
        )
    }

    fn made(backend: Backend, fs: Arc<dyn Fs>, root: PathBuf, dir: Option<TempDir>) -> Self {
        let mut rig = Self {
            _dir: dir,
            root,
            fs,
            backend,
            settings: Settings {
                page_cache_bytes: 2000,
                ..Settings::default()
            },
            epoch: 0,
            boot_id: "this boot".into(),
            network: false,
            journal: Vec::new(),
            trimmed: 0,
            counts_anew: false,
            checkpointed: SegmentNumber(0),
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
        self.root.join("index")
    }

    /// Position of the record of this number.
    fn place(number: u64) -> RecordPlace {
        let segment = SegmentNumber(1 + number / SEGMENT_RECORDS);
        let position = Position {
            segment,
            offset: 4096 + number % SEGMENT_RECORDS * 1000,
        };
        RecordPlace {
            position,
            payload_len: 100 + u32::from(number.to_le_bytes()[0] % 50),
            payload_crc: crc32fast::hash(&number.to_le_bytes()),
        }
    }

    pub(super) fn after(&self) -> After {
        let number = self.journal.len() as u64;
        After {
            position: Self::place(number).position,
            number: BatchNumber(number),
            crc: crc32fast::hash(&number.to_le_bytes()),
        }
    }

    /// Writes a record and applies it.
    pub(super) fn step(&mut self, mut step: Step) {
        if !self.is_sensible(&mut step) {
            return;
        }
        // Ids of transactions are never used again.
        if let Step::Staged { id, .. } | Step::Commit(id) | Step::Rollback(id) = &mut step {
            *id += 10 * self.ended;
        }
        self.ended += u64::from(matches!(step, Step::Commit(_) | Step::Rollback(_)));
        self.log(step, false);
    }

    /// A removal is staged for messages that are there, and a message whose removal is staged is not stored again.
    fn is_sensible(&mut self, step: &mut Step) -> bool {
        match step {
            Step::Message { queue, seq, .. } => self
                .index()
                .staged_removals(QueueId(*queue), Seq(*seq))
                .unwrap()
                .is_empty(),
            Step::Staged { step, .. } => match &mut **step {
                Step::Removed { queue, seqs } => {
                    let index = self.index();
                    seqs.retain(|seq| index.entry(QueueId(*queue), Seq(*seq)).unwrap().is_some());
                    !seqs.is_empty()
                }
                _ => true,
            },
            _ => true,
        }
    }

    pub(super) fn log(&mut self, step: Step, moved: bool) {
        let number = self.journal.len() as u64;
        let logged = Logged {
            step,
            moved,
            place: Self::place(number),
            time_ms: 1_000_000 + number,
        };
        apply(self.index(), &logged).unwrap();
        self.journal.push(logged);
    }

    pub(super) fn messages(&mut self, queue: u32, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            self.step(Step::Message {
                queue,
                seq,
                redeliveries: 0,
                producer: None,
            });
        }
    }

    /// A whole checkpoint; whether it counts.
    pub(super) fn checkpoint(&mut self) -> bool {
        let after = self.after();
        let written = self
            .index()
            .begin_checkpoint(after)
            .write(&|| Ok(()))
            .unwrap();
        let stable = self.index().finish_checkpoint(written);
        if stable {
            self.rebuilt = None;
            self.checkpointed = after.position.segment;
        }
        stable
    }

    /// A checkpoint that is killed at its `at`-th verification.
    pub(super) fn killed_checkpoint(&mut self, at: u32) {
        let after = self.after();
        let asked = std::cell::Cell::new(0);
        let verify = || {
            asked.set(asked.get() + 1);
            if asked.get() == at {
                Err(Error::Closed)
            } else {
                Ok(())
            }
        };
        let snapshot = self.index().begin_checkpoint(after);
        assert!(
            snapshot.write(&verify).is_err(),
            "not that many verifications"
        );
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
            oldest_segment: Some(self.oldest_segment()),
            backend: self.backend,
            settings: &self.settings,
        };
        let opened = Index::open(Arc::clone(&self.fs), &self.root, &opening)?;
        let mut index = opened.index;
        self.rebuilt = self.rebuilt.take().or(opened.rebuilt);
        self.replayed_from = opened.from.map_or(self.trimmed, |after| {
            usize::try_from(after.number.0).unwrap()
        });
        self.counts_anew |= opened.from.is_none() && self.trimmed > 0;
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
        model.compare(self.index.as_mut().unwrap(), !self.counts_anew);
    }

    fn oldest_segment(&self) -> SegmentNumber {
        Self::place(self.trimmed as u64).position.segment
    }

    /// Forgets the oldest segments, as reclaiming does.
    pub(super) fn reclaim(&mut self) {
        while self.oldest_segment() < self.checkpointed {
            let oldest = self.oldest_segment();
            if self.index().live(oldest).entries > 0 {
                return;
            }
            self.trimmed = self.end_of(oldest);
        }
    }

    fn end_of(&self, segment: SegmentNumber) -> usize {
        self.journal
            .partition_point(|logged| logged.place.position.segment <= segment)
    }

    /// Moves what lives in the oldest segment to the end of the journal, as compaction does.
    pub(super) fn compact(&mut self) {
        let oldest = self.oldest_segment();
        let end = self.end_of(oldest);
        if end == self.journal.len() {
            return;
        }
        let mut producers = BTreeSet::new();
        for at in self.trimmed..end {
            let logged = self.journal[at].clone();
            let mut current = false;
            let index = self.index.as_mut().unwrap();
            let mut ask =
                |record: &Record<'_>| current = index.is_current(record, logged.place).unwrap();
            logged.step.with_record(logged.moved, &mut ask);
            if current {
                self.carry(&logged.step);
            }
            self.carry_producer(&logged.step, oldest, &mut producers);
        }
        assert_eq!(
            self.index().live(oldest).entries,
            0,
            "compaction empties segment {oldest}"
        );
    }

    fn carry(&mut self, step: &Step) {
        match step {
            Step::Message { queue, seq, .. } => {
                let entry = self
                    .index()
                    .entry(QueueId(*queue), Seq(*seq))
                    .unwrap()
                    .unwrap();
                let redeliveries = entry.redeliveries;
                self.log(
                    Step::Message {
                        queue: *queue,
                        seq: *seq,
                        redeliveries,
                        producer: None,
                    },
                    true,
                );
                for id in self
                    .index()
                    .staged_removals(QueueId(*queue), Seq(*seq))
                    .unwrap()
                {
                    let step = Box::new(Step::Removed {
                        queue: *queue,
                        seqs: vec![*seq],
                    });
                    self.log(Step::Staged { id: id.0, step }, false);
                }
            }
            Step::Staged { id, step } if !self.index().open_staged().contains(&StagedId(*id)) => {
                self.carry(step)
            }
            step => self.log(step.clone(), true),
        }
    }

    fn carry_producer(&mut self, step: &Step, segment: SegmentNumber, carried: &mut BTreeSet<u8>) {
        match step {
            Step::Message {
                producer: Some((id, _)),
                ..
            } if !carried.contains(id) => {
                let pinned = self
                    .index()
                    .pins_producer(&producer_id(*id), segment)
                    .unwrap();
                if let Some(state) = pinned {
                    self.log(
                        Step::Producer {
                            id: *id,
                            last: state.last,
                            window: state.window,
                        },
                        true,
                    );
                    carried.insert(*id);
                }
            }
            Step::Staged { step, .. } => self.carry_producer(step, segment, carried),
            _ => {}
        }
    }
}

pub(super) fn apply(index: &mut Index, logged: &Logged) -> Result<()> {
    let mut applied = Ok(());
    let mut apply =
        |record: &Record<'_>| applied = index.apply(record, logged.place, logged.time_ms);
    logged.step.with_record(logged.moved, &mut apply);
    applied
}
