//! The committing thread: the only writer of the journal and the only door for answers.
//!
//! Takes everything submitted so far as one batch, writes and syncs it, verifies that this process is still the
//! holder, applies the records to the index, and only then hands out the tokens. While one batch syncs, the next one
//! collects; only on slow disks it waits a little for those just answered ([`Gather`]), and for a lone producer it stays
//! awake ([`Lone`]). Any failure but a full disk ends the store for good; a panic counts as one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::apply::apply_batch;
use crate::chunk::Chunk;
use crate::clock;
use crate::compact::{self, Moved, Moves};
use crate::core::{Applied, Core};
use crate::error::{Error, Result};
use crate::gather::Gather;
use crate::inbox::{Inbox, Next};
use crate::journal::{Batch, Writer};
use crate::limits;
use crate::lone::Lone;
use crate::outlet::Outlet;
use crate::pace::Pace;
use crate::slow::SlowWrites;

/// What the committing thread owns.
pub(crate) struct Committer<T, O> {
    core: Arc<Core>,
    inbox: Arc<Inbox<T>>,
    writer: Writer,
    outlet: O,
    moving: Batch,
    gather: Gather,
    lone: Lone,
    pace: Pace,
    slow: SlowWrites,
}

/// What is left to do when the committing thread ends.
pub(crate) struct Ending {
    /// Given back last.
    pub(crate) held: lock::Held,
    /// Disconnected when the maintenance thread has ended.
    pub(crate) upkeep: Receiver<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reserve {
    Spare,
    Use,
}

/// Whether a batch began another segment.
struct Rolled(bool);

impl<T, O: Outlet<T>> Committer<T, O> {
    pub(crate) fn new(core: Arc<Core>, inbox: Arc<Inbox<T>>, writer: Writer, outlet: O) -> Self {
        Self {
            core,
            inbox,
            writer,
            outlet,
            moving: Batch::new(),
            gather: Gather::new(),
            lone: Lone::default(),
            pace: Pace::default(),
            slow: SlowWrites::default(),
        }
    }

    /// Works until the store is closed or lost, then gives the lock back.
    ///
    /// # Errors
    /// [`Error::Closed`] after a loss; the cause went to the outlet.
    pub(crate) fn run(mut self, ending: Ending) -> Result<()> {
        let worked = catch_unwind(AssertUnwindSafe(|| self.work()));
        let result = worked.unwrap_or_else(|panic| Err(Error::panicked("store-commit", &*panic)));
        match result {
            Ok(()) => self.end(ending),
            Err(cause) => {
                self.lose(cause, ending);
                Err(Error::Closed)
            }
        }
    }

    fn work(&mut self) -> Result<()> {
        loop {
            if let Some(patience) = self.gather.patience() {
                let together = self.inbox.gather(patience);
                self.gather.waited(together);
            } else if self.lone.is_expected() {
                self.lone.awaited(self.inbox.stay_awake(limits::LONE_WAIT));
            }
            let next = self.next();
            let began = Instant::now();
            let news = self.pace.began(began, next.waiters());
            self.tell_busy(news);
            match next {
                Next::Ordered(chunk) => self.commit(chunk)?,
                Next::Urgent(chunk) => self.commit_urgent(chunk)?,
                Next::Moves(moves) => self.move_records(&moves)?,
                Next::Failed(cause) => return Err(cause),
                Next::Stop => return Ok(()),
            }
            self.ask_for_upkeep(began.elapsed());
        }
    }

    /// Waits for something to do, and says so when that is a pause.
    fn next(&mut self) -> Next<T> {
        loop {
            if let Some(next) = self.inbox.next(self.pace.until()) {
                return next;
            }
            let news = self.pace.paused();
            self.tell_busy(news);
        }
    }

    fn commit(&mut self, mut chunk: Chunk<T>) -> Result<()> {
        let started = Instant::now();
        match self.write(&mut chunk.batch, Reserve::Spare) {
            Ok(_) => {
                if !chunk.batch.is_empty() {
                    self.wrote(&chunk, started.elapsed());
                }
                self.answer(chunk);
            }
            Err(Error::Full { .. }) if !chunk.has_ordered() => self.commit_urgent(chunk)?,
            Err(Error::Full { needed, available }) => {
                if self.inbox.no_room(chunk) {
                    tracing::warn!(
                        needed,
                        available,
                        "the journal is full: messages wait for room"
                    );
                    self.tell_full(true);
                }
                self.core.signals.ask();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Something is on the disk and nobody was answered yet.
    fn wrote(&mut self, chunk: &Chunk<T>, took: Duration) {
        if self.inbox.had_room() {
            self.tell_full(false);
        }
        let (units, waiting) = (chunk.tokens.len(), self.inbox.waiting());
        self.gather.wrote(took, chunk.bytes(), units, waiting);
        self.lone.wrote(units);
    }

    fn commit_urgent(&mut self, mut chunk: Chunk<T>) -> Result<()> {
        match self.write(&mut chunk.batch, Reserve::Use) {
            Ok(Rolled(rolled)) => {
                if rolled {
                    self.ask_for_room();
                }
                self.answer(chunk);
            }
            Err(Error::Full { .. }) => {
                self.inbox.no_room_for_urgent(chunk);
                self.ask_for_room();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// An exclusive batch: everything submitted before it has been applied, nothing submitted later is in it.
    fn move_records(&mut self, moves: &Moves) -> Result<()> {
        let mut batch = std::mem::take(&mut self.moving);
        batch.clear();
        self.core
            .with_index(|applied| compact::renew(&mut applied.index, moves, &mut batch))?;
        let reserve = if self.core.counters.wants_room() {
            Reserve::Use
        } else {
            Reserve::Spare
        };
        let moved = match self.write(&mut batch, reserve) {
            Ok(_) => Moved::Done,
            Err(Error::Full { .. }) => Moved::NoRoom,
            Err(error) => return Err(error),
        };
        self.moving = batch;
        // The maintenance thread may have stopped waiting.
        let _ = moves.reply.try_send(moved);
        Ok(())
    }

    /// Write, sync, verify, apply: in this order, and nothing follows from a batch before the verification.
    fn write(&mut self, batch: &mut Batch, reserve: Reserve) -> Result<Rolled> {
        if batch.is_empty() {
            // What is answered now may repeat an answer, and who is no longer the holder gives none.
            self.core.verify()?;
            return Ok(Rolled(false));
        }
        // A watcher may know it already: then nothing is written, whether anybody would believe it or not.
        if self.core.verifier.is_lost() {
            self.core.verify()?;
        }
        let (now_ms, began) = (clock::now_ms(), Instant::now());
        let placed = match reserve {
            Reserve::Spare => self.writer.append(batch, now_ms)?,
            Reserve::Use => self.writer.append_urgent(batch, now_ms)?,
        };
        self.slow.wrote(began.elapsed(), placed.bytes_on_disk);
        self.core.verify()?;
        let counters = &self.core.counters;
        self.core.with_index(|applied| {
            let index = &mut applied.index;
            let counted = apply_batch(index, placed.position, batch.records(), now_ms)?;
            counters
                .messages
                .fetch_add(counted.messages, Ordering::Relaxed);
            applied.after = placed.after;
            applied.bytes += placed.bytes_on_disk;
            counters.applied.store(applied.bytes, Ordering::Relaxed);
            counters.note_dirty(applied);
            Ok(())
        })?;
        counters.batches.fetch_add(1, Ordering::Relaxed);
        counters
            .bytes_written
            .fetch_add(placed.bytes_on_disk, Ordering::Relaxed);
        Ok(Rolled(placed.rolled))
    }

    fn answer(&mut self, mut chunk: Chunk<T>) {
        self.inbox.durable(chunk.bytes());
        if !chunk.tokens.is_empty() {
            self.outlet.durable(&mut chunk.tokens);
        }
        self.inbox.done(chunk);
    }

    /// The reserve is begun or used up, and acknowledgements alone tell nobody that the disk is full.
    fn ask_for_room(&self) {
        let begun = &self.core.counters.reserve_begun;
        begun.fetch_add(1, Ordering::Relaxed);
        self.core.signals.ask();
    }

    fn tell_busy(&mut self, news: Option<bool>) {
        if let Some(busy) = news {
            self.outlet.busy(busy);
        }
    }

    fn tell_full(&mut self, full: bool) {
        self.core.counters.full.store(full, Ordering::Relaxed);
        self.outlet.full(full);
    }

    /// Asks for a checkpoint when one is due, and slows down while one is overdue. `took` is how long the last commit took:
    /// waiting no longer than that costs half the speed at most.
    fn ask_for_upkeep(&self, took: Duration) {
        let core = &self.core;
        if !core.is_checkpoint_due(1) {
            return;
        }
        core.signals.ask();
        let overdue = || core.is_checkpoint_due(limits::OVERDUE_FACTOR);
        if overdue() {
            core.signals.wait_for_checkpoint(took, overdue);
        }
        let long_overdue = || core.is_checkpoint_due(limits::LONG_OVERDUE_FACTOR);
        if long_overdue() {
            let limit = limits::CHECKPOINT_WAIT;
            core.signals.wait_for_checkpoint(limit, long_overdue);
        }
    }

    /// Clean end: the lock goes right after the last batch; what maintenance was at is left to the next start.
    fn end(self, ending: Ending) -> Result<()> {
        self.inbox.shut();
        let Self {
            core,
            writer,
            outlet,
            ..
        } = self;
        drop(writer);
        drop(outlet);
        let (ended, index) = finish(&core, &ending);
        if !ended {
            // Dropping gives the lock back without the note that nothing of us is left running.
            tracing::warn!("maintenance hangs: the next master will not trust the index files");
            return Ok(());
        }
        // Everything is answered and durable; if the note of it fails, the lock itself goes all the same.
        if let Err(error) = ending.held.release() {
            tracing::warn!(%error, "the next master will not know that this one ended in order");
        }
        // Giving back all that memory takes longer than everything before.
        drop(index);
        Ok(())
    }

    fn lose(self, cause: Error, ending: Ending) {
        tracing::error!(%cause, "the store is lost");
        let Self {
            core,
            inbox,
            writer,
            mut outlet,
            ..
        } = self;
        core.stop();
        inbox.shut();
        outlet.lost(cause);
        drop(outlet);
        drop(writer);
        finish(&core, &ending);
    }
}

/// Stops maintenance and closes the index's files, within a limit. False: the thread hangs in a file operation, and will
/// find the store stopped afterwards. What is left of the index is only memory.
fn finish(core: &Core, ending: &Ending) -> (bool, Option<Applied>) {
    // The lock is still ours: a checkpoint that is nearly through is finished, everything else is left as it is.
    core.signals.stop();
    let ended = ending.upkeep.recv_timeout(limits::UPKEEP_STOP_WAIT);
    let mut index = core.take_index();
    if let Some(applied) = &mut index {
        applied.index.close();
    }
    (ended != Err(RecvTimeoutError::Timeout), index)
}
