//! Runs the steps that make spare segments ready: on a thread of its own, or inline when the writer asks.
//!
//! The writer waits here only when it has outrun the preparer. A full disk is an answer, not a failure; any other
//! error is kept and handed to the writer, which never writes again. On drop the thread begins no further step and leaves
//! its files as they are: the next start removes them. A spare that is being made is waited for only a moment, because no
//! other master reads anything but zeros from a spare of ours, and none uses its name; a removal is waited for longer.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::directory::{Directory, SegmentInfo};
use super::spares::{Maker, Spare, Spares, Step, lengthen};
use crate::error::{Error, Result};
use crate::fs::Remains;
use crate::limits::{self, PREPARER_STOP_WAIT, UPKEEP_STOP_WAIT};

/// Who makes spare segments ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Prepare {
    /// A thread, ahead of need.
    #[default]
    Background,
    /// The writer itself, when it needs one: the same file operations in the same order every time, for tests.
    Inline,
}

/// Hands out segments that are ready.
pub(super) struct Preparer {
    shared: Arc<Shared>,
    /// Of the thread, if there is one: disconnected when it has ended.
    thread: Option<Receiver<()>>,
}

struct Shared {
    directory: Arc<Directory>,
    /// Held during a step, so that there is one at a time.
    maker: Mutex<Maker>,
    /// Likewise; the room of a removed file that is just being given back.
    clearing: Mutex<Option<Box<dyn Remains>>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    leftovers: Vec<SegmentInfo>,
    spares: Spares,
    /// Why nothing more can be reserved; cleared when it is worth trying again.
    full: Option<(u64, u64)>,
    failed: Option<Error>,
    stopped: bool,
    /// A file of an earlier master is just being removed.
    removing: bool,
    /// The room of one is just being given back.
    clearing: bool,
}

impl Preparer {
    /// Does nothing yet: see [`Preparer::run`].
    pub(super) fn new(maker: Maker) -> Self {
        let directory = Arc::clone(maker.directory());
        let (maker, state, changed) = (Mutex::new(maker), Mutex::default(), Condvar::default());
        Self {
            shared: Arc::new(Shared {
                directory,
                maker,
                clearing: Mutex::default(),
                state,
                changed,
            }),
            thread: None,
        }
    }

    /// Begins, with removing `leftovers`: a takeover must not wait for that.
    pub(super) fn run(&mut self, prepare: Prepare, leftovers: Vec<SegmentInfo>) -> Result<()> {
        self.shared.state().leftovers = leftovers;
        if prepare == Prepare::Inline {
            while self.shared.clear_away() {}
            return self.shared.state().failed.take().map_or(Ok(()), Err);
        }
        let worker = Arc::clone(&self.shared);
        let (alive, ended) = sync_channel(0);
        let spawned = thread::Builder::new()
            .name("store-prepare".into())
            .spawn(move || {
                worker.run();
                drop(alive);
            });
        spawned.map_err(|error| Error::Thread {
            name: "store-prepare",
            why: error.to_string(),
        })?;
        self.thread = Some(ended);
        Ok(())
    }

    /// A segment of at least `bytes` that is zero, synced, named durably and locked. Only `urgent` callers get the last
    /// one while no other can be had.
    ///
    /// # Errors
    /// [`Error::Full`]: nothing has changed, ask again when there may be room. Anything else is final.
    pub(super) fn take(&self, urgent: bool, bytes: u64) -> Result<Spare> {
        let mut spare = self.wait_for(urgent)?;
        if let Err(error) = lengthen(&self.shared.directory, &mut spare, bytes) {
            self.shared.state().spares.put_back(spare);
            return Err(error);
        }
        self.shared.changed.notify_all();
        Ok(spare)
    }

    /// Begins no further step: the store's files are not ours to touch any more.
    pub(super) fn stop(&self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
    }

    fn wait_for(&self, urgent: bool) -> Result<Spare> {
        let mut tried_again = false;
        let mut state = self.shared.state();
        loop {
            if let Some(error) = state.failed.take() {
                state.stopped = true;
                return Err(error);
            }
            if state.stopped {
                return Err(Error::Poisoned);
            }
            if let Some(spare) = state.spares.take(urgent) {
                state.full = None;
                return Ok(spare);
            }
            if let Some((needed, available)) = state.full
                && !state.spares.will_have(urgent)
                && !state.is_clearing()
            {
                if tried_again {
                    return Err(Error::Full { needed, available });
                }
                tried_again = true;
                state.full = None;
                self.shared.changed.notify_all();
            }
            if self.thread.is_some() {
                state = self
                    .shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                drop(state);
                self.shared.step();
                state = self.shared.state();
            }
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.stop();
        if let Some(ended) = self.thread.take() {
            // The next master may be looking at the file that is going.
            let wait = if self.shared.state().removing {
                UPKEEP_STOP_WAIT
            } else {
                PREPARER_STOP_WAIT
            };
            // It has nothing to say that the state does not say. One that is still busy ends by itself.
            let _ = ended.recv_timeout(wait);
        }
    }
}

impl Shared {
    fn run(&self) {
        // Even a panic must not leave the writer waiting for ever.
        let _stopped = StopOnDrop(self);
        loop {
            while self.paced(Self::step, limits::PREPARE_REST) || self.paced(Self::clear_away, 1) {}
            let state = self.state();
            if state.is_over() {
                return;
            }
            if state.has_work() {
                continue;
            }
            drop(
                self.changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// One step towards removing what holds nothing; answers whether there was one to do. Its room comes back in steps as
    /// well: these are the first moments with a new master.
    fn clear_away(&self) -> bool {
        let mut clearing = self.clearing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state().is_over() {
            return false;
        }
        let cleared = if let Some(remains) = clearing.take() {
            self.shrink(remains)
        } else {
            let leftover = self.state().next_leftover();
            let Some(leftover) = leftover else {
                return false;
            };
            self.remove(&leftover)
        };
        let mut state = self.state();
        match cleared {
            Ok(Some(remains)) => *clearing = Some(remains),
            // There may be room now.
            Ok(None) => state.full = None,
            Err(error) => state.failed = Some(error),
        }
        state.clearing = clearing.is_some();
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Removes a file durably. What cannot be removed only takes room.
    fn remove(&self, leftover: &SegmentInfo) -> Result<Option<Box<dyn Remains>>> {
        let path = self.directory.path_of(leftover);
        let removed = self.directory.remove_file(&path);
        self.state().removing = false;
        let remains = removed.unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "cannot remove an unused segment");
            None
        });
        if remains.is_some() {
            self.directory.sync()?;
        }
        Ok(remains)
    }

    fn shrink(&self, mut remains: Box<dyn Remains>) -> Result<Option<Box<dyn Remains>>> {
        let more = self.directory.shrink(&mut *remains)?;
        Ok(more.then_some(remains))
    }

    /// Does a step, and then leaves the disk to the writer for so many times as long, unless that has no ready segment to
    /// go on with: zeros at full speed would make every batch wait behind them.
    fn paced(&self, step: fn(&Self) -> bool, rest: u32) -> bool {
        let began = Instant::now();
        let stepped = step(self);
        if stepped {
            let has_time = |state: &mut State| !state.stopped && state.spares.has_ready();
            let waited =
                self.changed
                    .wait_timeout_while(self.state(), began.elapsed() * rest, has_time);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
        stepped
    }

    /// Does one step; answers whether there was one to do.
    fn step(&self) -> bool {
        let Some(step) = self.state().next_step() else {
            return false;
        };
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Step::Reserve { last_reserve } => {
                let reserved = maker.reserve(last_reserve);
                let mut state = self.state();
                match reserved {
                    Ok(spare) => state.spares.put_reserved(spare),
                    Err(error) => state.note(error),
                }
            }
            Step::Fill(mut spare) => {
                let filled = maker.fill(&mut spare, limits::FILL_BYTES);
                self.after_fill(&maker, spare, filled);
            }
        }
        self.changed.notify_all();
        true
    }

    fn after_fill(&self, maker: &Maker, spare: Spare, filled: Result<()>) {
        let Err(error) = filled else {
            self.state().spares.put_filled(spare);
            return;
        };
        // After a real failure the store's files are left alone; the next start removes this one.
        let discarded = if matches!(error, Error::Full { .. }) {
            maker.discard(spare)
        } else {
            Ok(())
        };
        let mut state = self.state();
        state.spares.forget_filling();
        state.note(discarded.err().unwrap_or(error));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Room is just coming back.
    fn is_clearing(&self) -> bool {
        self.clearing || !self.leftovers.is_empty()
    }

    fn is_over(&self) -> bool {
        self.stopped || self.failed.is_some()
    }

    fn next_leftover(&mut self) -> Option<SegmentInfo> {
        let leftover = self.leftovers.pop()?;
        self.removing = true;
        Some(leftover)
    }

    fn has_work(&self) -> bool {
        !self.is_over()
            && (self.spares.wants_fill() || (self.full.is_none() && self.spares.wants_room()))
    }

    fn next_step(&mut self) -> Option<Step> {
        if self.is_over() {
            return None;
        }
        if self.full.is_some() {
            self.spares.next_fill()
        } else {
            self.spares.next_step()
        }
    }

    fn note(&mut self, error: Error) {
        match error {
            Error::Full { needed, available } => self.full = Some((needed, available)),
            error => self.failed = Some(error),
        }
    }
}

struct StopOnDrop<'a>(&'a Shared);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.state().stopped = true;
        self.0.changed.notify_all();
    }
}
