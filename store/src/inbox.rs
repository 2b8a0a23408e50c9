//! What was submitted and not yet taken by the committing thread: the one hand-over between callers and disk.
//!
//! Submitting is a short lock, a copy, and a wake-up only if the committing thread sleeps. Buffers go round, so that
//! steady work allocates nothing. Order is that of submission, with one exception: while the journal is full, work
//! that speaks only of durable messages (acknowledgements) goes ahead of messages that wait for room.

use std::collections::VecDeque;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chunk::Chunk;
use crate::compact::Moves;
use crate::error::{Error, Result};
use crate::gather::{Patience, Pause};
use crate::limits;
use crate::sync::locked;
use crate::work::Work;

/// Submitted work on its way to the committing thread.
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    pending: AtomicUsize,
    max_batch: usize,
}

struct State<T> {
    gate: Gate,
    sleeping: bool,
    /// When it wakes up by itself.
    wakes_at: Option<Instant>,
    /// While the committing thread gathers: it sleeps until so many wait in `filling`.
    wanted: usize,
    filling: Chunk<T>,
    /// Somebody waits for something in `filling`.
    awaited: bool,
    /// Otherwise it goes at this time.
    unawaited_until: Option<Instant>,
    ready: VecDeque<Chunk<T>>,
    spare: Vec<Chunk<T>>,
    urgent: Chunk<T>,
    full: bool,
    retry_at: Option<Instant>,
    urgent_retry_at: Option<Instant>,
    moves: Option<Moves>,
    failure: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Closing,
    Shut,
}

/// What the committing thread does next.
pub(crate) enum Next<T> {
    /// Commit this.
    Ordered(Chunk<T>),
    /// Commit this, from the reserve if need be: no messages in it.
    Urgent(Chunk<T>),
    /// Move these records of an old segment forward.
    Moves(Moves),
    /// Give up: something that cannot be repaired happened on another thread.
    Failed(Error),
    /// Everything was taken and nothing more comes.
    Stop,
}

impl<T> Next<T> {
    /// How many wait for what is written next.
    pub(crate) fn waiters(&self) -> usize {
        match self {
            Self::Ordered(chunk) | Self::Urgent(chunk) if !chunk.batch.is_empty() => {
                chunk.tokens.len()
            }
            _ => 0,
        }
    }
}

impl<T> Inbox<T> {
    pub(crate) fn new(max_batch: usize) -> Self {
        let state = State {
            gate: Gate::Open,
            sleeping: false,
            wakes_at: None,
            wanted: 0,
            filling: Chunk::new(),
            awaited: false,
            unawaited_until: None,
            ready: VecDeque::new(),
            spare: Vec::new(),
            urgent: Chunk::new(),
            full: false,
            retry_at: None,
            urgent_retry_at: None,
            moves: None,
            failure: None,
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            pending: AtomicUsize::new(0),
            max_batch,
        }
    }

    /// Takes in one unit of work. Without a token nobody waits for it: it goes with the next that somebody waits for, or
    /// after a while. A sync and two thread switches for every acknowledgement would cost more than all the rest of it.
    ///
    /// # Errors
    /// [`Error::Closed`] after a close or loss.
    pub(crate) fn submit(&self, work: &Work, token: Option<T>) -> Result<()> {
        let mut state = locked(&self.state);
        if state.gate != Gate::Open {
            return Err(Error::Closed);
        }
        self.pending.fetch_add(work.bytes(), Ordering::Relaxed);
        let first = state.unawaited_until.is_none();
        if state.full && !work.is_ordered() {
            state.urgent.add(work, token);
        } else {
            state.fill(work, token, self.max_batch);
        }
        let is_news = (first && !state.wakes_in_time()) || state.is_hurried();
        let wake = state.sleeping && is_news && state.is_worth_waking();
        if wake {
            state.sleeping = false;
        }
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Bytes submitted and not yet durable.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// How many units somebody waits for will be in the next batch, as things stand.
    pub(crate) fn waiting(&self) -> usize {
        locked(&self.state).filling.tokens.len()
    }

    /// Waits for something to do; nothing if there was none until this time. Whoever has such a time is busy, and sleeps in
    /// naps then: what nobody waits for needs no waking up.
    pub(crate) fn next(&self, until: Option<Instant>) -> Option<Next<T>> {
        let mut state = locked(&self.state);
        loop {
            let next = state.take();
            if next.is_some() || until.is_some_and(|until| until <= Instant::now()) {
                return next;
            }
            let nap = until.map(|until| until.min(Instant::now() + limits::UNAWAITED_WAIT));
            state.sleeping = true;
            state.wakes_at = state.sleep_until().into_iter().chain(nap).min();
            state = match state.wakes_at {
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    let waited = self.wake.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.sleeping = false;
            state.wakes_at = None;
        }
    }

    /// Lets as many as are expected come together; answers how many did, or nothing when there was anything else to do.
    pub(crate) fn gather(&self, patience: Patience) -> Option<usize> {
        let mut state = locked(&self.state);
        state.wanted = patience.units;
        let mut pause = Pause::begin(patience, Instant::now());
        state.sleeping = !state.is_worth_waking();
        while state.sleeping {
            let Some(left) = pause.left(Instant::now(), state.filling.tokens.len()) else {
                break;
            };
            let waited = self.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.sleeping = false;
        state.wanted = 0;
        (!state.has_else_to_do()).then_some(state.filling.tokens.len())
    }

    /// Stays awake until something is to be written; false when nothing came in this time. Work without a record is not seen.
    pub(crate) fn stay_awake(&self, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        loop {
            if Instant::now() >= until {
                return false;
            }
            if self.pending.load(Ordering::Relaxed) > 0 {
                return true;
            }
            hint::spin_loop();
        }
    }

    /// So many bytes are durable: said before their tokens go out.
    pub(crate) fn durable(&self, bytes: usize) {
        self.pending.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Gives back a chunk whose work is done.
    pub(crate) fn done(&self, mut chunk: Chunk<T>) {
        let bytes = chunk.bytes();
        chunk.clear();
        // A buffer that one huge unit of work has blown up is let go.
        if bytes > 2 * self.max_batch {
            return;
        }
        let mut state = locked(&self.state);
        if state.spare.len() < limits::SPARE_CHUNKS {
            state.spare.push(chunk);
        }
    }

    /// There was no room for this chunk: acknowledgements in it and behind it go ahead, the rest waits for
    /// [`Inbox::had_room`] or the next try. True if this is news.
    pub(crate) fn no_room(&self, chunk: Chunk<T>) -> bool {
        let mut state = locked(&self.state);
        let news = !state.full;
        state.full = true;
        state.retry_at = Some(Instant::now() + limits::FULL_RETRY);
        if news {
            state.ready.push_front(chunk);
            state.let_urgent_ahead();
        } else {
            state.put_back(chunk);
        }
        news
    }

    /// Not even the reserve had room for this urgent chunk.
    pub(crate) fn no_room_for_urgent(&self, mut chunk: Chunk<T>) {
        let mut state = locked(&self.state);
        state.urgent_retry_at = Some(Instant::now() + limits::FULL_RETRY);
        std::mem::swap(&mut state.urgent, &mut chunk);
        // What came meanwhile goes behind it.
        let mut none = Chunk::new();
        chunk.split(&mut state.urgent, &mut none);
        debug_assert!(none.is_empty(), "only urgent work is in the urgent chunk");
    }

    /// Work that waited for room got it. True if this is news.
    pub(crate) fn had_room(&self) -> bool {
        let mut state = locked(&self.state);
        state.retry_at = None;
        state.urgent_retry_at = None;
        std::mem::take(&mut state.full)
    }

    /// Space came back: try what waits at once.
    pub(crate) fn try_again(&self) {
        let mut state = locked(&self.state);
        state.retry_at = state.retry_at.map(|_| Instant::now());
        state.urgent_retry_at = None;
        self.wake_up(state);
    }

    /// Leaves records to be moved for the committing thread; given back if the store is closing.
    pub(crate) fn move_records(&self, moves: Moves) -> Result<(), Moves> {
        let mut state = locked(&self.state);
        if state.gate != Gate::Open {
            return Err(moves);
        }
        state.moves = Some(moves);
        self.wake_up(state);
        Ok(())
    }

    /// Another thread found that the store cannot go on.
    pub(crate) fn fail(&self, cause: Error) {
        let mut state = locked(&self.state);
        state.failure.get_or_insert(cause);
        self.wake_up(state);
    }

    /// No more work is taken; what was submitted is still committed.
    pub(crate) fn close(&self) {
        let mut state = locked(&self.state);
        if state.gate == Gate::Open {
            state.gate = Gate::Closing;
        }
        state.moves = None;
        self.wake_up(state);
    }

    /// No more work is taken, and what waits is dropped with its tokens.
    pub(crate) fn shut(&self) {
        let mut state = locked(&self.state);
        state.gate = Gate::Shut;
        state.filling.clear();
        state.urgent.clear();
        state.ready.clear();
        state.spare.clear();
        state.moves = None;
        self.pending.store(0, Ordering::Relaxed);
    }

    fn wake_up(&self, mut state: MutexGuard<'_, State<T>>) {
        state.sleeping = false;
        drop(state);
        self.wake.notify_one();
    }
}

impl<T> State<T> {
    fn fill(&mut self, work: &Work, token: Option<T>, max_batch: usize) {
        let over = self.filling.bytes() + work.bytes() > max_batch;
        if over && !self.filling.is_empty() {
            let filled = self.take_filling();
            self.ready.push_back(filled);
        }
        self.awaited |= token.is_some();
        if !self.awaited && self.unawaited_until.is_none() {
            self.unawaited_until = Some(Instant::now() + limits::UNAWAITED_WAIT);
        }
        self.filling.add(work, token);
    }

    fn take_filling(&mut self) -> Chunk<T> {
        self.awaited = false;
        self.unawaited_until = None;
        let next = self.spare.pop().unwrap_or_else(Chunk::new);
        std::mem::replace(&mut self.filling, next)
    }

    /// Whether the committing thread wakes up before what nobody waits for has to go.
    fn wakes_in_time(&self) -> bool {
        self.unawaited_until
            .is_none_or(|until| self.wakes_at.is_some_and(|at| at <= until))
    }

    /// Whether there is more than what nobody waits for.
    fn is_hurried(&self) -> bool {
        self.awaited || !self.ready.is_empty() || !self.urgent.is_empty()
    }

    /// Whether what is in `filling` goes now.
    fn is_filled(&self, now: Instant) -> bool {
        let due = self.awaited || self.gate != Gate::Open;
        !self.filling.is_empty() && (due || self.unawaited_until.is_none_or(|until| until <= now))
    }

    /// Whether the committing thread, while it gathers, has waited enough.
    fn is_worth_waking(&self) -> bool {
        self.filling.tokens.len() >= self.wanted || self.has_else_to_do()
    }

    /// Whether there is more than what is in `filling`.
    fn has_else_to_do(&self) -> bool {
        !self.ready.is_empty()
            || !self.urgent.is_empty()
            || self.moves.is_some()
            || self.failure.is_some()
            || self.full
            || self.gate != Gate::Open
    }

    fn take(&mut self) -> Option<Next<T>> {
        let now = Instant::now;
        if let Some(cause) = self.failure.take() {
            return Some(Next::Failed(cause));
        }
        let due = self.retry_at.is_none_or(|at| at <= now());
        if !self.urgent.is_empty() && self.urgent_retry_at.is_none_or(|at| at <= now()) {
            let spare = self.spare.pop().unwrap_or_else(Chunk::new);
            let mut urgent = std::mem::replace(&mut self.urgent, spare);
            // Room may be back: what waits for it is tried along, or acknowledgements without a pause would keep it
            // waiting for ever.
            let waiting = if self.full && due {
                self.ready.pop_front()
            } else {
                None
            };
            return Some(match waiting {
                Some(chunk) => {
                    urgent.append(chunk);
                    Next::Ordered(urgent)
                }
                None => Next::Urgent(urgent),
            });
        }
        if let Some(moves) = self.moves.take() {
            return Some(Next::Moves(moves));
        }
        if self.gate == Gate::Shut || (self.gate == Gate::Closing && self.full) {
            return Some(Next::Stop);
        }
        // What is submitted later may be the answer to what goes ahead here, and where that has no room nothing has.
        if self.urgent.is_empty() && due {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(Next::Ordered(chunk));
            }
            if self.is_filled(now()) {
                return Some(Next::Ordered(self.take_filling()));
            }
        }
        (self.gate == Gate::Closing).then_some(Next::Stop)
    }

    fn sleep_until(&self) -> Option<Instant> {
        if !self.urgent.is_empty() {
            return self.urgent_retry_at;
        }
        let waiting = !self.ready.is_empty() || !self.filling.is_empty();
        if waiting {
            self.retry_at.or(self.unawaited_until)
        } else {
            None
        }
    }

    /// A chunk that was tried once more goes back in front of what came meanwhile.
    fn put_back(&mut self, chunk: Chunk<T>) {
        let (mut ahead, mut ordered) = (Chunk::new(), Chunk::new());
        chunk.split(&mut ahead, &mut ordered);
        ahead.append(std::mem::replace(&mut self.urgent, Chunk::new()));
        self.urgent = ahead;
        self.ready.push_front(ordered);
    }

    fn let_urgent_ahead(&mut self) {
        let filling = self.take_filling();
        for chunk in std::mem::take(&mut self.ready).into_iter().chain([filling]) {
            let mut ordered = Chunk::new();
            chunk.split(&mut self.urgent, &mut ordered);
            if !ordered.is_empty() {
                self.ready.push_back(ordered);
            }
        }
    }
}

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;
