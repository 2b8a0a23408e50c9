//! The maintenance thread: checkpoints, removing segments nothing lives in, and moving what lives in sparse ones.
//!
//! Works beside the committing thread and never writes the journal itself. Deletes only what lies before a stable
//! checkpoint, and only after verifying that this process is still the holder. Everything but checkpoints is done in small
//! pieces with rests: it takes a fifth of the time, and half of it while it lags behind. When the store ends it begins nothing
//! more, and leaves to the next start what it cannot finish at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::clock;
use crate::compact::{self, Collected, Moved};
use crate::core::{Applied, Core};
use crate::error::{Error, Result};
use crate::fs::Remains;
use crate::inbox::Inbox;
use crate::journal::scan_segment;
use crate::limits;
use crate::position::SegmentNumber;
use crate::reclaim;
use crate::signals::{Call, Patience};
use crate::sync::locked;

/// What the maintenance thread works with.
pub(crate) struct Upkeep<T> {
    core: Arc<Core>,
    inbox: Arc<Inbox<T>>,
    /// An old segment turned out to be damaged: no more compaction in this process.
    damaged: AtomicBool,
    /// How long the last checkpoint took.
    checkpoint_ms: AtomicU64,
}

impl<T> Upkeep<T> {
    pub(crate) fn new(core: Arc<Core>, inbox: Arc<Inbox<T>>) -> Self {
        Self {
            core,
            inbox,
            damaged: AtomicBool::new(false),
            checkpoint_ms: AtomicU64::new(0),
        }
    }

    /// Works until the store ends; a failure ends the store, and a panic is one.
    pub(crate) fn run(&self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            // Nobody may go on waiting for the checkpoint that was under way.
            self.core.signals.checkpointing(false);
            self.inbox.fail(Error::panicked("store-upkeep", &*panic));
        }
    }

    fn work(&self) {
        loop {
            let took = Duration::from_millis(self.checkpoint_ms.load(Ordering::Relaxed));
            let call = self.core.signals.wait(next_look(took));
            let round = match call {
                Call::Stop => return,
                Call::Idle if !self.is_worth_a_round() => Ok(()),
                Call::Due | Call::Idle => self.round(),
            };
            self.core.signals.checkpointing(false);
            match round {
                // Still no room: nothing came free. The waiting work was tried again and has asked for the next round already.
                Ok(()) if self.core.counters.wants_room() => {
                    self.core.signals.pace(limits::FULL_UPKEEP);
                }
                Ok(()) => {}
                // The store was stopped meanwhile, by a close or a loss that others report.
                Err(Error::Closed) => return,
                Err(cause) => return self.inbox.fail(cause),
            }
        }
    }

    /// Where nobody called: whether there is a tail to shorten, or space to be had, or something to be forgotten.
    fn is_worth_a_round(&self) -> bool {
        let tail = self.core.tail();
        tail >= limits::IDLE_TAIL_BYTES || (tail > 0 && self.is_wasteful()) || self.is_sweep_due()
    }

    fn is_sweep_due(&self) -> bool {
        let now_ms = clock::now_ms();
        self.core
            .with_index(|applied| Ok(applied.index.is_sweep_due(now_ms)))
            .unwrap_or(false)
    }

    fn is_wasteful(&self) -> bool {
        let live = self
            .core
            .with_index(|applied| Ok(applied.index.live_bytes()));
        let allowed = live.map(|live| self.allowed(live));
        allowed.is_ok_and(|allowed| self.core.directory.bytes_on_disk() > allowed)
    }

    /// Spares count as journal, and records that clients still add to keep the youngest segments alive for a while: with
    /// less slack every segment would be moved once.
    fn allowed(&self, live_bytes: u64) -> u64 {
        let settings = &self.core.settings;
        let slack = if self.core.counters.wants_room() {
            limits::SLACK_SEGMENTS_FULL
        } else {
            // Room is made before the journal is full.
            let limit = settings.journal_limit_bytes.unwrap_or(u64::MAX);
            (limit / settings.segment_bytes / 4).clamp(1, limits::SLACK_SEGMENTS)
        };
        reclaim::allowed(live_bytes, settings.segment_bytes, slack)
    }

    /// Checkpoint, reclaim, and compact. What compaction emptied goes with the next round, unless room is wanted now.
    fn round(&self) -> Result<()> {
        self.go_on()?;
        let counters = &self.core.counters;
        let wanted_room = counters.wants_room();
        let reserve_begun = counters.reserve_begun.load(Ordering::Relaxed);
        let mut stable = self.checkpoint()?;
        self.reclaim()?;
        let mut bytes = u64::MAX;
        let wanted = self.wanted();
        while stable
            && !self.damaged.load(Ordering::Relaxed)
            && self.compact(wanted)?
            && counters.wants_room()
        {
            let journal = self.core.directory.bytes_on_disk();
            if journal >= bytes {
                // Moving has not made it smaller.
                break;
            }
            bytes = journal;
            stable = self.checkpoint()?;
            self.reclaim()?;
        }
        if stable {
            counters
                .reserve_relieved
                .store(reserve_begun, Ordering::Relaxed);
        }
        if counters.wants_room() {
            self.inbox.try_again();
        } else if !self.core.is_checkpoint_due(1) {
            self.core.signals.answered();
            if counters.wants_room() {
                // It was asked for just before.
                self.core.signals.ask();
            }
        }
        self.sweep_producers(wanted_room)
    }

    /// How large the journal may stay. Acknowledgements in the reserve have to get another before it is used up, however little
    /// of the journal is dead; messages that wait are told that the disk is full.
    fn wanted(&self) -> u64 {
        if !self.core.counters.wants_reserve() {
            return u64::MAX;
        }
        let spares = limits::SPARE_SEGMENTS as u64 * self.core.settings.segment_bytes;
        self.core.directory.bytes_on_disk().saturating_sub(spares)
    }

    /// Writes a checkpoint; false if the index could not take it, which costs nothing but a longer replay.
    fn checkpoint(&self) -> Result<bool> {
        self.sweep_outcomes()?;
        let began = Instant::now();
        self.core.signals.checkpointing(true);
        let counters = &self.core.counters;
        let (snapshot, bytes, after) = self.core.with_index(|applied| {
            counters.hastened.store(false, Ordering::Relaxed);
            applied.index.expire(clock::now_ms())?;
            let snapshot = applied.index.begin_checkpoint(applied.after);
            counters.note_dirty(applied);
            Ok((snapshot, applied.bytes, applied.after))
        })?;
        let written = snapshot.write_while(&|| self.core.verify(), &|| self.patience())?;
        let stable = self.core.with_index(|applied| {
            let stable = applied.index.finish_checkpoint(written);
            counters.note_dirty(applied);
            Ok(stable)
        })?;
        if stable {
            counters.checkpointed.store(bytes, Ordering::Relaxed);
            counters
                .checkpoint_segment
                .store(after.position.segment.0, Ordering::Relaxed);
        }
        self.core.signals.checkpointing(false);
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.checkpoint_ms.store(ms, Ordering::Relaxed);
        tracing::debug!(event = "checkpoint.written", stable, ms, "checkpoint");
        Ok(stable)
    }

    fn patience(&self) -> Patience {
        if self.core.is_stopped() {
            return Patience::Gone;
        }
        self.core.signals.patience(limits::STOP_GRACE)
    }

    /// Ends the round when the store ends: what comes next has time until the next start.
    fn go_on(&self) -> Result<()> {
        match self.patience() {
            Patience::Plenty => Ok(()),
            Patience::Little | Patience::Gone => Err(Error::Closed),
        }
    }

    /// Forgets outcomes that are too old or too many, a few at a time: committing goes on in between.
    fn sweep_outcomes(&self) -> Result<()> {
        let now_ms = clock::now_ms();
        let begun = self
            .core
            .with_index(|applied| applied.index.begin_sweep(now_ms))?;
        let Some(sweep) = begun else { return Ok(()) };
        let looked = sweep.look_while(&|| self.go_on().is_ok());
        self.go_on()?;
        let swept = self
            .core
            .with_index(|applied| applied.index.finish_sweep(looked))?;
        for keys in swept.keys.chunks(limits::EXPIRE_STEP) {
            self.go_on()?;
            self.core
                .with_index(|applied| applied.index.forget_outcomes(keys, swept.through_ms))?;
            self.core.signals.pace(limits::EXPIRE_PAUSE);
        }
        Ok(())
    }

    /// Removes the oldest segments while they lie before the checkpoint and nothing lives in them.
    fn reclaim(&self) -> Result<()> {
        let checkpoint = SegmentNumber(
            self.core
                .counters
                .checkpoint_segment
                .load(Ordering::Relaxed),
        );
        let segments = self.core.directory.segments();
        let last = self.core.with_index(|applied| {
            Ok(reclaim::removable_through(
                &segments,
                checkpoint,
                |segment| applied.index.live(segment),
            ))
        })?;
        let Some(last) = last else { return Ok(()) };
        // One at a time: removing a large file takes a while, and a stop does not wait for all of them.
        for segment in segments.iter().filter(|info| info.number <= last) {
            self.go_on()?;
            self.core.verify()?;
            for remains in self.core.directory.remove_through(segment.number)? {
                self.shrink(remains)?;
            }
            // With many to remove a checkpoint becomes due meanwhile: it comes first, the rest has time.
            if self.core.is_checkpoint_due(1) && !self.core.counters.wants_room() {
                break;
            }
        }
        Ok(())
    }

    /// Gives back the room of a removed segment in steps. Still the holder after the removal is durable: then no successor can
    /// have seen the name, and whoever comes later does not find it.
    fn shrink(&self, mut remains: Box<dyn Remains>) -> Result<()> {
        loop {
            self.go_on()?;
            self.core.verify()?;
            let began = Instant::now();
            if !self.core.directory.shrink(&mut *remains)? {
                return Ok(());
            }
            self.let_others_commit(began);
        }
    }

    /// Moves what lives out of the oldest segments while the journal is too large for what lives in it, or, where room is
    /// wanted, larger than `wanted` bytes and worth the moving. True if that made segments removable after the next checkpoint.
    fn compact(&self, wanted: u64) -> Result<bool> {
        let checkpoint = SegmentNumber(
            self.core
                .counters
                .checkpoint_segment
                .load(Ordering::Relaxed),
        );
        let segments = self.core.directory.segments();
        let segment_bytes = self.core.settings.segment_bytes;
        let targets = self.core.with_index(|applied| {
            let live = applied.index.live_bytes();
            let of = |segment| applied.index.live(segment);
            let choose = |allowed, room| {
                reclaim::to_compact(&segments, checkpoint, allowed, segment_bytes, room, of)
            };
            let allowed = self.allowed(live);
            if !self.core.counters.wants_room() {
                return Ok(choose(allowed, u64::MAX));
            }
            let room = reclaim::movable(&segments, applied.after.position, segment_bytes);
            let chosen = choose(allowed.min(wanted), room);
            let is_worth_it = self.core.directory.bytes_on_disk() > allowed
                || reclaim::gain(&segments, &chosen, of) >= segment_bytes / 8;
            Ok(if is_worth_it { chosen } else { Vec::new() })
        })?;
        for segment in &targets {
            match self.compact_segment(*segment) {
                // A checkpoint is due: it comes first, the rest has time.
                Ok(true) if self.core.is_checkpoint_due(1) => {
                    return Ok(true);
                }
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // What is damaged stays where it is, and so do those behind it. Messages that can be read still are, and
                // a start would not come by here: no reason to stop serving.
                Err(Error::Damaged { path, offset, what }) => {
                    let path = path.display();
                    tracing::error!(event = "store.damaged", %path, offset, what, "space cannot be reclaimed");
                    self.damaged.store(true, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(!targets.is_empty())
    }

    fn compact_segment(&self, segment: SegmentNumber) -> Result<bool> {
        tracing::debug!(event = "segment.compacting", %segment, "moving what lives in it");
        let mut collected = Collected::default();
        let mut room = true;
        let (mut began, mut read) = (Instant::now(), 0);
        scan_segment(&self.core.directory, segment, &mut |view| {
            self.go_on()?;
            read += view.records.len();
            if read >= limits::COMPACTION_READ_BYTES {
                self.let_others_commit(began);
                (began, read) = (Instant::now(), 0);
            }
            if room {
                let look = |applied: &mut Applied| compact::wanted(&mut applied.index, &view);
                collected.keep(&view, self.core.with_index(look)?);
                if collected.bytes() >= limits::MOVE_BYTES {
                    room = self.hand_over(segment, &mut collected)?;
                    (began, read) = (Instant::now(), 0);
                }
            }
            Ok(())
        })?;
        Ok(room && self.hand_over(segment, &mut collected)?)
    }

    /// Has the committing thread move what was collected; false if there is no room.
    fn hand_over(&self, segment: SegmentNumber, collected: &mut Collected) -> Result<bool> {
        if collected.bytes() == 0 {
            return Ok(true);
        }
        let (reply, replied) = sync_channel(1);
        let began = Instant::now();
        if self
            .inbox
            .move_records(collected.take(segment, reply))
            .is_err()
        {
            return Err(Error::Closed);
        }
        loop {
            match replied.recv_timeout(limits::MOVE_WAIT) {
                Ok(moved) => {
                    self.let_others_commit(began);
                    return Ok(moved == Moved::Done);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Closed),
                Err(RecvTimeoutError::Timeout) => self.core.verify()?,
            }
        }
    }

    fn let_others_commit(&self, began: Instant) {
        let (piece, mut rested) = (began.elapsed(), 0);
        // Asked anew in between: a piece may have taken long, and what others wait for comes first.
        while rested < self.rest() {
            self.core.signals.pace(piece);
            rested += 1;
        }
    }

    fn rest(&self) -> u32 {
        let is_late = self.core.is_checkpoint_due(1);
        rest(self.core.counters.wants_room(), is_late)
    }

    fn sweep_producers(&self, wanted_room: bool) -> Result<()> {
        // What waits for room was not given up, however long ago it was noted: dropped, a resend would be stored twice.
        if wanted_room || self.core.counters.wants_room() {
            return Ok(());
        }
        locked(&self.core.producers).sweep(limits::PRODUCER_GIVE_UP, |producer| {
            self.core
                .with_index(|applied| applied.index.producer(producer))
        })
    }
}

/// How long to wait for a call before looking: what a checkpoint takes is to stay a small part of the time.
fn next_look(checkpoint_took: Duration) -> Duration {
    checkpoint_took
        .saturating_mul(limits::UPKEEP_LOOK_FACTOR)
        .clamp(limits::UPKEEP_LOOK, limits::UPKEEP_LOOK_AT_LAST)
}

/// For how many times as long as a piece took it is left alone. What is moved, read or given back makes clients wait for the disk
/// and for a processor: most of the time belongs to them, half of it when the next checkpoint is due before this round is through,
/// none while they wait for the room that it gives.
fn rest(wants_room: bool, is_late: bool) -> u32 {
    match (wants_room, is_late) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => limits::UPKEEP_REST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_checkpoints_are_rarer_and_never_rare() {
        let (least, most) = (limits::UPKEEP_LOOK, limits::UPKEEP_LOOK_AT_LAST);
        assert_eq!(next_look(Duration::ZERO), least);
        assert_eq!(
            next_look(Duration::from_millis(30)),
            Duration::from_secs(3),
            "a hundredth of the time"
        );
        assert_eq!(next_look(Duration::MAX), most);
    }

    #[test]
    fn clients_have_most_of_the_time_unless_it_costs_them_more() {
        assert_eq!(rest(false, false), limits::UPKEEP_REST);
        assert_eq!(rest(false, true), 1, "a recovery would take longer");
        assert_eq!(rest(true, false), 0);
        assert_eq!(rest(true, true), 0);
    }
}
