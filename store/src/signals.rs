//! How the committing thread and the maintenance thread wake and wait for each other.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

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
    stop: bool,
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

impl Signals {
    /// Asks for a round of maintenance.
    pub(crate) fn ask(&self) {
        let mut state = locked(&self.state);
        if !state.due {
            state.due = true;
            self.changed.notify_all();
        }
    }

    /// Ends the maintenance thread and everybody's waiting.
    pub(crate) fn stop(&self) {
        locked(&self.state).stop = true;
        self.changed.notify_all();
    }

    /// Maintenance thread: waits for a call.
    pub(crate) fn wait(&self, idle: Duration) -> Call {
        let state = locked(&self.state);
        let waited = self
            .changed
            .wait_timeout_while(state, idle, |state| !state.due && !state.stop);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if state.stop {
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
            .wait_timeout_while(state, pause, |state| !state.stop);
        drop(paused.unwrap_or_else(PoisonError::into_inner));
    }

    /// Maintenance thread: a checkpoint begins, or is through.
    pub(crate) fn checkpointing(&self, begins: bool) {
        locked(&self.state).checkpointing = begins;
        self.changed.notify_all();
    }

    /// Committing thread: waits while `too_long` says so and a checkpoint is being written.
    pub(crate) fn wait_for_checkpoint(&self, too_long: impl Fn() -> bool) {
        let mut state = locked(&self.state);
        while state.checkpointing && !state.stop && too_long() {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
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
        signals.wait_for_checkpoint(|| true); // Nobody is at it: no waiting.
        signals.checkpointing(true);
        let long = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(signals.wait(Duration::from_secs(60)), Call::Due);
                long.store(false, Ordering::SeqCst);
                signals.checkpointing(false);
            });
            signals.wait_for_checkpoint(|| long.load(Ordering::SeqCst));
        });
        assert!(!long.load(Ordering::SeqCst));
    }
}
