//! The public face of the store: what the broker calls.
//!
//! Cheap to clone and shared by all threads. Submitting never waits for the disk; reading does. Answers come out of the
//! [`Outlet`] only. After a close or a loss every call answers [`Error::Closed`] or nothing.

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::committer::{Committer, Ending};
use crate::core::{Core, Parts};
use crate::error::{Error, Result};
use crate::fs::{Fs, RealFs};
use crate::inbox::Inbox;
use crate::index::{self, Backend, Opening};
use crate::journal::WriterSettings;
use crate::limits;
use crate::noted::Noted;
use crate::open::{self, Recovered};
use crate::outlet::Outlet;
use crate::position::{QueueId, Seq, StagedId};
use crate::read;
use crate::record::Outcome;
use crate::settings::Settings;
use crate::summary::{QueueSummary, Recovery, Stored, Usage, Written};
use crate::sync::locked;
use crate::upkeep::Upkeep;
use crate::work::Work;

/// A journal with an index, open for work. `T` is what the caller gets back when its work is durable.
pub struct Store<T: Send + 'static> {
    handle: Arc<Handle<T>>,
}

/// Ends the threads when the last clone goes.
struct Handle<T: Send + 'static> {
    core: Arc<Core>,
    inbox: Arc<Inbox<T>>,
    committer: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl<T: Send + 'static> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self {
            handle: Arc::clone(&self.handle),
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Drop for Handle<T> {
    fn drop(&mut self) {
        // Not joined: the last clone may go on the committing thread itself.
        self.inbox.close();
    }
}

impl<T: Send + 'static> Store<T> {
    /// Recovers the store in `dir` and starts its threads. `held` proves that nobody else is at it, and is given back
    /// when the store ends.
    ///
    /// # Errors
    /// [`Error::Setting`] before anything is touched, [`Error::NotOurs`], [`Error::Damaged`] with file and offset,
    /// [`Error::Format`], [`Error::Full`], [`Error::Io`], [`Error::LostMastership`], [`Error::Thread`].
    pub fn open(
        dir: &Path,
        held: lock::Held,
        settings: Settings,
        outlet: impl Outlet<T>,
    ) -> Result<(Self, Recovery)> {
        let fs: Arc<dyn Fs> = Arc::new(RealFs::new(settings.sync_delay));
        Self::open_on(&fs, Backend::default(), dir, held, settings, outlet)
    }

    /// As [`Store::open`] on another file system, index included: for tests with [`crate::sim`].
    ///
    /// # Errors
    /// As [`Store::open`].
    #[cfg(any(test, feature = "sim"))]
    pub fn open_with(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        held: lock::Held,
        settings: Settings,
        outlet: impl Outlet<T>,
    ) -> Result<(Self, Recovery)> {
        Self::open_on(fs, Backend::File, dir, held, settings, outlet)
    }

    fn open_on(
        fs: &Arc<dyn Fs>,
        backend: Backend,
        dir: &Path,
        held: lock::Held,
        settings: Settings,
        outlet: impl Outlet<T>,
    ) -> Result<(Self, Recovery)> {
        settings.check()?;
        let verifier = held.verifier();
        let opening = opening(&held, backend, &settings);
        let writing = WriterSettings::from(&settings);
        let recovered = open::recover(fs, dir, opening, &writing, &|| Ok(verifier.verify()?))?;
        let Recovered {
            applied,
            checkpoint,
            directory,
            writer,
            recovery,
        } = recovered;
        let epoch = held.epoch().get();
        let inbox = Arc::new(Inbox::new(settings.max_batch_bytes));
        let core = Arc::new(Core::new(Parts {
            epoch,
            verifier,
            settings,
            directory,
            applied,
            checkpoint,
        }));
        let upkeep = Upkeep::new(Arc::clone(&core), Arc::clone(&inbox));
        let (alive, ended) = sync_channel(0);
        spawn("store-upkeep", move || {
            upkeep.run();
            drop(alive);
        })?;
        let committer = Committer::new(Arc::clone(&core), Arc::clone(&inbox), writer, outlet);
        let ending = Ending {
            held,
            upkeep: ended,
        };
        let thread = spawn("store-commit", move || committer.run(ending))?;
        let handle = Handle {
            core,
            inbox,
            committer: Mutex::new(Some(thread)),
        };
        Ok((
            Self {
                handle: Arc::new(handle),
            },
            recovery,
        ))
    }

    /// Hands in one unit of work; `token` comes out of the outlet when it is durable, in the order of submission. Never
    /// waits. Empty work is answered when everything submitted before it is durable.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::TooLarge`]; the token is dropped then.
    pub fn submit(&self, work: Work, token: T) -> Result<()> {
        work.check()?;
        self.handle.inbox.submit(&work, Some(token))
    }

    /// As [`Store::submit`], and clears the work for its next use: steady work allocates nothing.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn submit_from(&self, work: &mut Work, token: T) -> Result<()> {
        let submitted = work
            .check()
            .and_then(|()| self.handle.inbox.submit(work, Some(token)));
        work.clear();
        submitted
    }

    /// As [`Store::submit_from`] for work that nobody waits for: it becomes durable with the next that somebody waits for,
    /// or else a millisecond later, after the write under way.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn submit_unawaited(&self, work: &mut Work) -> Result<()> {
        let submitted = work
            .check()
            .and_then(|()| self.handle.inbox.submit(work, None));
        work.clear();
        submitted
    }

    /// Hands in a part of a transaction that is too large for memory: its messages and removals take effect when a later
    /// work says [`Work::staged_commit`]. Nobody waits for it; the commit follows it in order.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::TooLarge`].
    pub fn stage(&self, id: StagedId, work: Work) -> Result<()> {
        work.check()?;
        self.handle.inbox.submit(&work.staged(id), None)
    }

    /// Bytes submitted and not yet durable: what a caller watches to bound its producers.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.handle.inbox.pending_bytes()
    }

    /// The id for a new queue; put [`Work::queue`] in front of its first use.
    #[must_use]
    pub fn new_queue(&self) -> QueueId {
        self.handle.core.new_queue()
    }

    /// The id for a new transaction that is staged.
    #[must_use]
    pub fn new_staged(&self) -> StagedId {
        self.handle.core.new_staged()
    }

    /// Notes that a message of this producer is about to be submitted; answers whether one of that sequence was submitted
    /// or stored before. Within a transaction call it at the commit, not before: what is noted counts as sent. The sequence of
    /// a producer whose name no work may hold is always new: its messages are refused.
    pub fn note_producer(&self, producer: &[u8], sequence: u64) -> Noted {
        let core = &self.handle.core;
        let stored = || core.with_index(|applied| applied.index.producer(producer));
        let noted = locked(&core.producers).note(producer, sequence, stored);
        noted.unwrap_or_else(|cause| {
            // Nobody can tell any more what is a duplicate. The message is refused with the store itself.
            self.fail(cause);
            Noted::New
        })
    }

    /// How a transaction ended, if that is known: the answer to a commit asked twice.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Index`].
    pub fn outcome(&self, transaction: &[u8]) -> Result<Option<Outcome>> {
        self.handle
            .core
            .with_index(|applied| applied.index.outcome(transaction))
    }

    /// Durable messages of a queue from `from` on, in order: at most `max_count`, at most `max_bytes` of payload but at
    /// least one if there is one. Reads files and may wait for the disk.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a payload is not what was stored, [`Error::Io`], [`Error::Closed`], [`Error::Index`].
    pub fn read(
        &self,
        queue: QueueId,
        from: Seq,
        max_count: usize,
        max_bytes: usize,
    ) -> Result<Vec<Stored>> {
        read::read(&self.handle.core, queue, from, max_count, max_bytes)
    }

    /// One queue as of the last durable batch.
    #[must_use]
    pub fn queue(&self, id: QueueId) -> Option<QueueSummary> {
        self.handle
            .core
            .with_index(|applied| Ok(applied.index.queue(id)))
            .ok()
            .flatten()
    }

    /// All queues as of the last durable batch.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueSummary> {
        self.handle
            .core
            .with_index(|applied| Ok(applied.index.queues()))
            .unwrap_or_default()
    }

    /// Use of space and disk.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let core = &self.handle.core;
        let Written {
            messages,
            batches,
            bytes,
        } = self.written();
        Usage {
            journal_bytes: core.directory.bytes_on_disk(),
            live_bytes: core
                .with_index(|applied| Ok(applied.index.live_bytes()))
                .unwrap_or(0),
            limit: core.settings.journal_limit_bytes,
            full: core.counters.full.load(Ordering::Relaxed),
            batches,
            syncs: batches,
            bytes_written: bytes,
            messages,
        }
    }

    /// What was made durable so far; waits for nobody.
    pub fn written(&self) -> Written {
        let counters = &self.handle.core.counters;
        Written {
            messages: counters.messages.load(Ordering::Relaxed),
            batches: counters.batches.load(Ordering::Relaxed),
            bytes: counters.bytes_written.load(Ordering::Relaxed),
        }
    }

    /// A thread of the caller's without which nobody can be served has panicked: ends the store as a panic of its own would,
    /// with this cause.
    pub fn give_up(&self, thread: &'static str, panic: &(dyn Any + Send)) {
        self.fail(Error::panicked(thread, panic));
    }

    /// Asks the lock whether this process is still the holder.
    #[must_use]
    pub fn verifier(&self) -> lock::Verifier {
        self.handle.core.verifier.clone()
    }

    /// The epoch of this opening.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.handle.core.epoch
    }

    /// Before a clean stop, while work goes on: has written down in the index what a successor would otherwise replay. Waits
    /// for it, but not longer than `limit`.
    pub fn shorten_replay(&self, limit: Duration) {
        let core = &self.handle.core;
        if core.tail() < core.settings.checkpoint_bytes / limits::SHORT_REPLAY {
            return;
        }
        let wanted = core.counters.applied.load(Ordering::Relaxed);
        core.counters.hastened.store(true, Ordering::Relaxed);
        core.signals.ask();
        core.signals.wait_until(limit, || {
            core.counters.checkpointed.load(Ordering::Relaxed) >= wanted
        });
    }

    /// Clean stop, for all clones: commits what was submitted, answers it, and gives the lock back at once. Blocks until
    /// then; not to be called from the outlet.
    ///
    /// # Errors
    /// [`Error::Closed`] when the store was lost before; the outlet has the cause.
    pub fn close(self) -> Result<()> {
        // Maintenance winds down while the last batches are committed.
        self.handle.core.signals.stop();
        self.handle.inbox.close();
        let Some(thread) = locked(&self.handle.committer).take() else {
            return Ok(());
        };
        thread.join().unwrap_or_else(|_| Err(thread_ended()))
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        &self.handle.core
    }

    fn fail(&self, cause: Error) {
        if !matches!(cause, Error::Closed) {
            self.handle.inbox.fail(cause);
        }
    }
}

/// For a slave that waits: does what a takeover would otherwise do first. Returns at once.
pub fn warm_up() {
    index::warm_up();
}

fn opening<'a>(held: &lock::Held, backend: Backend, settings: &'a Settings) -> Opening<'a> {
    Opening {
        epoch: held.epoch().get(),
        boot_id: held.holder().boot_id.clone(),
        network: held.filesystem().kind != lock::FilesystemKind::Local,
        // Nobody on record is no proof: the lock file may have been torn, or removed under a master that still runs.
        previous_clean: held.previous().is_some_and(|previous| previous.released),
        oldest_segment: None,
        backend,
        settings,
    }
}

fn spawn<R: Send + 'static>(
    name: &'static str,
    run: impl FnOnce() -> R + Send + 'static,
) -> Result<JoinHandle<R>> {
    let spawned = Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| Error::Thread {
        name,
        why: error.to_string(),
    })
}

fn thread_ended() -> Error {
    Error::Thread {
        name: "store-commit",
        why: "ended by a panic while ending".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_holder_that_said_so_has_ended_in_order() {
        let dir = tempfile::tempdir().expect("temp dir");
        let settings = Settings::default();
        let clean = || {
            let (identity, stop) = (lock::Identity::default(), lock::Stop::new());
            let lock = lock::Settings::default();
            let held = lock::acquire(
                dir.path(),
                &identity,
                &lock,
                crate::seen_epoch,
                &stop,
                &mut |_| {},
            )
            .expect("the lock is free");
            let clean = opening(&held, Backend::default(), &settings).previous_clean;
            (held, clean)
        };
        let (held, nobody_on_record) = clean();
        assert!(!nobody_on_record);
        drop(held);
        let (held, killed) = clean();
        assert!(!killed);
        held.release().expect("still ours");
        assert!(clean().1);
    }
}
