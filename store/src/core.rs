//! What all threads of the store share, apart from the work on its way: the index, the ids, the counters, and
//! whether the store still stands.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::index::Index;
use crate::journal::{After, Directory, Reader};
use crate::position::{QueueId, SegmentNumber, StagedId};
use crate::producers::Producers;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::sync::locked;

/// Shared by callers, the committing thread and the maintenance thread.
pub(crate) struct Core {
    pub(crate) epoch: u64,
    pub(crate) verifier: lock::Verifier,
    pub(crate) settings: Settings,
    pub(crate) directory: Arc<Directory>,
    pub(crate) reader: Reader,
    pub(crate) signals: Signals,
    pub(crate) counters: Counters,
    pub(crate) producers: Mutex<Producers>,
    applied: Mutex<Option<Applied>>,
    next_queue: AtomicU32,
    next_staged: AtomicU64,
    stopped: AtomicBool,
}

/// The index and the place in the journal that it reflects.
pub(crate) struct Applied {
    pub(crate) index: Index,
    pub(crate) after: After,
    /// Journal bytes applied since the start, padding included; what was replayed counts too.
    pub(crate) bytes: u64,
}

/// Counted since the start.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) batches: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
    pub(crate) messages: AtomicU64,
    /// Messages wait for room.
    pub(crate) full: AtomicBool,
    /// How often acknowledgements alone had to begin the reserve, and how many of those maintenance has dealt with.
    pub(crate) reserve_begun: AtomicU64,
    pub(crate) reserve_relieved: AtomicU64,
    /// [`Applied::bytes`] as of the last checkpoint and as of the last batch.
    pub(crate) checkpointed: AtomicU64,
    pub(crate) applied: AtomicU64,
    /// A checkpoint is wanted now, however little there is to write.
    pub(crate) hastened: AtomicBool,
    /// What has changed in the index since the last checkpoint began, as of the last batch.
    pub(crate) dirty: AtomicUsize,
    /// The segment the last stable checkpoint stands in; 0 before the first.
    pub(crate) checkpoint_segment: AtomicU64,
}

/// What a [`Core`] is made of.
pub(crate) struct Parts {
    pub(crate) epoch: u64,
    pub(crate) verifier: lock::Verifier,
    pub(crate) settings: Settings,
    pub(crate) directory: Arc<Directory>,
    pub(crate) applied: Applied,
    /// The segment of the checkpoint on disk: without it a master that starts on a full disk, where no checkpoint can be
    /// written, could not remove anything.
    pub(crate) checkpoint: SegmentNumber,
}

impl Counters {
    /// Whether old segments are to be emptied whatever it costs: somebody waits for room, or soon would.
    pub(crate) fn wants_room(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.wants_reserve()
    }

    /// Whether acknowledgements have begun the reserve and maintenance has not been through since.
    pub(crate) fn wants_reserve(&self) -> bool {
        let begun = self.reserve_begun.load(Ordering::Relaxed);
        begun > self.reserve_relieved.load(Ordering::Relaxed)
    }

    /// To be called whenever the index has changed.
    pub(crate) fn note_dirty(&self, applied: &Applied) {
        self.dirty
            .store(applied.index.dirty_bytes(), Ordering::Relaxed);
    }
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            epoch,
            verifier,
            settings,
            directory,
            applied,
            checkpoint,
        } = parts;
        let counters = Counters::default();
        counters.applied.store(applied.bytes, Ordering::Relaxed);
        counters.note_dirty(&applied);
        counters
            .checkpoint_segment
            .store(checkpoint.0, Ordering::Relaxed);
        Self {
            epoch,
            verifier,
            settings,
            reader: Reader::new(Arc::clone(&directory)),
            directory,
            signals: Signals::default(),
            counters,
            producers: Mutex::default(),
            next_queue: AtomicU32::new(applied.index.next_queue().0),
            next_staged: AtomicU64::new(applied.index.next_staged().0),
            applied: Mutex::new(Some(applied)),
            stopped: AtomicBool::new(false),
        }
    }

    /// Looks at the index; [`Error::Closed`] once the store was closed or lost.
    pub(crate) fn with_index<R>(&self, look: impl FnOnce(&mut Applied) -> Result<R>) -> Result<R> {
        match self.applied().as_mut() {
            Some(applied) if !self.is_stopped() => look(applied),
            _ => Err(Error::Closed),
        }
    }

    /// Takes the index away for good: its database is closed when the caller drops it.
    pub(crate) fn take_index(&self) -> Option<Applied> {
        self.stop();
        self.applied().take()
    }

    /// From now on nothing of the store's files is touched.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.signals.stop();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Still the holder, and not stopped.
    pub(crate) fn verify(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(Error::Closed);
        }
        Ok(self.verifier.verify()?)
    }

    pub(crate) fn new_queue(&self) -> QueueId {
        QueueId(self.next_queue.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn new_staged(&self) -> StagedId {
        StagedId(self.next_staged.fetch_add(1, Ordering::Relaxed))
    }

    /// Journal bytes that a recovery would have to replay now.
    pub(crate) fn tail(&self) -> u64 {
        let applied = self.counters.applied.load(Ordering::Relaxed);
        applied.saturating_sub(self.counters.checkpointed.load(Ordering::Relaxed))
    }

    /// Whether a checkpoint is due, or overdue when so many `times` of what makes one due is there: because of the journal
    /// that a recovery would have to replay, or because of the memory that waits for it.
    pub(crate) fn is_checkpoint_due(&self, times: u64) -> bool {
        if times == 1 && self.counters.hastened.load(Ordering::Relaxed) {
            return true;
        }
        let dirty = self.counters.dirty.load(Ordering::Relaxed) as u64;
        self.tail() >= times * self.settings.checkpoint_bytes
            || dirty >= times * self.settings.dirty_bytes as u64
    }

    fn applied(&self) -> MutexGuard<'_, Option<Applied>> {
        locked(&self.applied)
    }
}
