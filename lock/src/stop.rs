//! A flag that wakes whoever waits for it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ends a waiting [`crate::acquire`], or a watcher, promptly. Clones share the flag; it is never reset.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    /// Set by [`Stop::nudge`], taken by the waiter: something other than the flag is worth a look.
    nudged: bool,
}

impl Stop {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag and wakes every waiter.
    pub fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stopped
    }

    /// Wakes a waiter once without setting the flag.
    pub(crate) fn nudge(&self) {
        self.change(|state| state.nudged = true);
    }

    /// Waits until the flag is set, a nudge comes or the time is over; says whether the flag is set.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, limit, |state| !state.stopped && !state.nudged)
            .unwrap_or_else(PoisonError::into_inner);
        state.nudged = false;
        state.stopped
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(
            &mut self
                .shared
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.shared.changed.notify_all();
    }
}
