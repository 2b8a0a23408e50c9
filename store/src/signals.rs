//! How the committing thread and the maintenance thread wake and wait for each other.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::locked;

/// Requests to the maintenance thread, and what it is at.
#[derive(Default)]
pub(crate) struct Signals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    due: bool,
    /// Since when the store ends.
    stop: Option<Instant>,
    /// A checkpoint is being written: the one thing that the committing thread may wait for. Everything else that
    /// maintenance does may in turn wait for the committing thread.
    checkpointing: bool,
}

/// Why the maintenance thread woke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// There is something to do.
    Due,
    /// Nothing happened for a while.
    Idle,
    /// The store ends.
    Stop,
}

/// How long the maintenance thread may go on with what it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it takes.
    Plenty,
    /// The store ends: begin nothing, but finish what is nearly done, because it saves the next start a look at all pages.
    Little,
    /// The lock is about to go: leave everything as it is.
    Gone,
}

impl Signals {
    /// Asks for a round of maintenance.
    pub(crate) fn ask(&self) {
        let mut state = locked(&self.state);
        if !state.due {
            state.due = true;
            self.changed.notify_all();
        }
    }

    /// Maintenance thread: whatever was asked for meanwhile is done. The committing thread asks with every batch until then.
    pub(crate) fn answered(&self) {
        locked(&self.state).due = false;
    }

    /// Ends the maintenance thread and everybody's waiting.
    pub(crate) fn stop(&self) {
        locked(&self.state).stop.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    /// Maintenance thread: asked between its steps. `grace` is how long after the stop the lock can wait.
    pub(crate) fn patience(&self, grace: Duration) -> Patience {
        match locked(&self.state).stop {
            None => Patience::Plenty,
            Some(since) if since.elapsed() < grace => Patience::Little,
            Some(_) => Patience::Gone,
        }
    }

    /// Maintenance thread: waits for a call.
    pub(crate) fn wait(&self, idle: Duration) -> Call {
        let state = locked(&self.state);
        let waited = self
            .changed
            .wait_timeout_while(state, idle, |state| !state.due && state.stop.is_none());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.stop.is_some() {
            return Call::Stop;
        }
        let call = if state.due { Call::Due } else { Call::Idle };
        state.due = false;
        call
    }

    /// Maintenance thread: lets some time pass, whatever is asked for, unless the store ends.
    pub(crate) fn pace(&self, pause: Duration) {
        let state = locked(&self.state);
        let paused = self
            .changed
            .wait_timeout_while(state, pause, |state| state.stop.is_none());
        drop(paused.unwrap_or_else(PoisonError::into_inner));
    }

    /// Maintenance thread: a checkpoint begins, or is through.
    pub(crate) fn checkpointing(&self, begins: bool) {
        locked(&self.state).checkpointing = begins;
        self.changed.notify_all();
    }

    /// Waits until a checkpoint has reached what was asked for, or the store ends, for `limit` at most.
    pub(crate) fn wait_until(&self, limit: Duration, reached: impl Fn() -> bool) {
        let state = locked(&self.state);
        let waited = self
            .changed
            .wait_timeout_while(state, limit, |state| state.stop.is_none() && !reached());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Committing thread: waits while `too_long` says so and a checkpoint is being written, for `limit` at most.
    pub(crate) fn wait_for_checkpoint(&self, limit: Duration, too_long: impl Fn() -> bool) {
        let state = locked(&self.state);
        let waited = self.changed.wait_timeout_while(state, limit, |state| {
            state.checkpointing && state.stop.is_none() && too_long()
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    #[test]
    fn a_request_before_the_wait_is_not_lost_and_stop_wins() {
        let signals = Signals::default();
        signals.ask();
        assert_eq!(signals.wait(Duration::ZERO), Call::Due);
        assert_eq!(signals.wait(Duration::ZERO), Call::Idle);
        signals.ask();
        signals.stop();
        assert_eq!(signals.wait(Duration::from_secs(60)), Call::Stop);
    }

    #[test]
    fn a_pause_ends_with_the_store() {
        let signals = Signals::default();
        signals.ask();
        signals.pace(Duration::from_millis(1));
        assert_eq!(
            signals.wait(Duration::ZERO),
            Call::Due,
            "the request is still there"
        );
        signals.stop();
        let began = Instant::now();
        signals.pace(Duration::from_secs(20));
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "a pause outlived the store"
        );
    }

    #[test]
    fn the_committer_waits_for_a_running_checkpoint_only() {
        let signals = Signals::default();
        signals.ask();
        let limit = Duration::from_secs(60);
        signals.wait_for_checkpoint(limit, || true); // Nobody is at it: no waiting.
        signals.checkpointing(true);
        let long = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(signals.wait(Duration::from_secs(60)), Call::Due);
                long.store(false, Ordering::SeqCst);
                signals.checkpointing(false);
            });
            signals.wait_for_checkpoint(limit, || long.load(Ordering::SeqCst));
        });
        assert!(!long.load(Ordering::SeqCst));
    }

    #[test]
    fn the_committer_waits_neither_beyond_its_limit_nor_for_a_store_that_ends() {
        let (signals, began) = (Signals::default(), Instant::now());
        signals.checkpointing(true);
        signals.wait_for_checkpoint(Duration::from_millis(1), || true);
        signals.stop();
        signals.wait_for_checkpoint(Duration::from_secs(20), || true);
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn patience_ends_a_while_after_the_stop() {
        let signals = Signals::default();
        assert_eq!(signals.patience(Duration::ZERO), Patience::Plenty);
        signals.stop();
        assert_eq!(signals.patience(Duration::from_secs(60)), Patience::Little);
        assert_eq!(signals.patience(Duration::ZERO), Patience::Gone);
    }
}
