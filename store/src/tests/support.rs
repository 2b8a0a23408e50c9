//! An outlet that remembers, and opening a store under a real lock.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::sim::SimFs;
use crate::sync::locked;
use crate::{Error, Fs, Outlet, Settings};

/// A test that waits longer than this has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What came out of the store so far.
#[derive(Default)]
pub(crate) struct Collected {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    durable: Vec<Answer>,
    lost: Option<String>,
    full: Vec<bool>,
    busy: Vec<bool>,
}

/// A token and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) token: u64,
    /// What the test's own clock said, for instance the number of file operations so far.
    pub(crate) at: usize,
}

/// The outlet's end.
pub(crate) struct Collector {
    collected: Arc<Collected>,
    clock: Box<dyn Fn() -> usize + Send>,
}

impl Outlet<u64> for Collector {
    fn durable(&mut self, tokens: &mut Vec<u64>) {
        let at = (self.clock)();
        let mut state = locked(&self.collected.state);
        assert_eq!(state.lost, None, "no token after the loss");
        state
            .durable
            .extend(tokens.drain(..).map(|token| Answer { token, at }));
        self.collected.changed.notify_all();
    }

    fn lost(&mut self, cause: Error) {
        self.collected.note_lost(&cause);
    }

    fn busy(&mut self, busy: bool) {
        locked(&self.collected.state).busy.push(busy);
        self.collected.changed.notify_all();
    }

    fn full(&mut self, full: bool) {
        locked(&self.collected.state).full.push(full);
        self.collected.changed.notify_all();
    }
}

impl Collected {
    /// Both ends.
    pub(crate) fn new() -> (Arc<Self>, Collector) {
        Self::with_clock(|| 0)
    }

    /// Both ends, answers stamped by `clock`.
    pub(crate) fn with_clock(clock: impl Fn() -> usize + Send + 'static) -> (Arc<Self>, Collector) {
        let collected = Arc::new(Self::default());
        let collector = Collector {
            collected: Arc::clone(&collected),
            clock: Box::new(clock),
        };
        (collected, collector)
    }

    pub(crate) fn note_lost(&self, cause: &Error) {
        let before = locked(&self.state).lost.replace(cause.to_string());
        assert_eq!(before, None, "lost comes once");
        self.changed.notify_all();
    }

    /// Tokens in the order they came.
    pub(crate) fn tokens(&self) -> Vec<u64> {
        self.answers().iter().map(|answer| answer.token).collect()
    }

    pub(crate) fn answers(&self) -> Vec<Answer> {
        locked(&self.state).durable.clone()
    }

    pub(crate) fn fulls(&self) -> Vec<bool> {
        locked(&self.state).full.clone()
    }

    /// Waits until this token came.
    pub(crate) fn wait_for(&self, token: u64) {
        self.wait("a token", |state| {
            state
                .durable
                .iter()
                .rev()
                .any(|answer| answer.token == token)
        });
    }

    /// Waits until this token came or none comes any more; true if it came.
    pub(crate) fn came(&self, token: u64) -> bool {
        let state = locked(&self.state);
        let came = |state: &State| {
            state
                .durable
                .iter()
                .rev()
                .any(|answer| answer.token == token)
        };
        let waited = self.changed.wait_timeout_while(state, DEADLINE, |state| {
            !came(state) && state.lost.is_none()
        });
        let state = waited.expect("no panic under this lock").0;
        assert!(
            came(&state) || state.lost.is_some(),
            "neither {token} nor the loss came"
        );
        came(&state)
    }

    /// Waits for the loss and answers its cause.
    pub(crate) fn wait_lost(&self) -> String {
        self.wait("the loss", |state| state.lost.is_some());
        locked(&self.state).lost.clone().expect("waited for it")
    }

    /// What was said about the store being busy.
    pub(crate) fn busy(&self) -> Vec<bool> {
        locked(&self.state).busy.clone()
    }

    /// Waits until the store is said to be busy no longer.
    pub(crate) fn wait_quiet(&self) {
        self.wait("a pause", |state| state.busy.last() == Some(&false));
    }

    /// Waits until the last word on fullness is this.
    pub(crate) fn wait_full(&self, full: bool) {
        self.wait("fullness", |state| state.full.last() == Some(&full));
    }

    fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = locked(&self.state);
        let waited = self.changed.wait_timeout_while(state, DEADLINE, |state| {
            !done(state) && state.lost.is_none()
        });
        let state = waited.expect("no panic under this lock").0;
        assert!(done(&state), "{what} did not come; lost: {:?}", state.lost);
    }
}

/// Waits until `done`, with a deadline.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !done() {
        assert!(started.elapsed() < DEADLINE, "{what} did not happen");
        std::thread::yield_now();
    }
}

/// The lock of `dir`, taken for real.
pub(crate) fn hold(dir: &Path) -> lock::Held {
    let identity = lock::Identity {
        broker_name: "test".into(),
        ..lock::Identity::default()
    };
    let (settings, stop) = (lock::Settings::default(), lock::Stop::new());
    lock::acquire(
        dir,
        &identity,
        &settings,
        crate::seen_epoch,
        &stop,
        &mut |_| {},
    )
    .expect("the lock is free")
}

/// Settings under which everything happens within a few hundred messages: rolling, checkpoints, reclaim, compaction.
pub(crate) fn small() -> Settings {
    Settings {
        segment_bytes: 64 << 10,
        first_segment_bytes: 32 << 10,
        checkpoint_bytes: 64 << 10,
        max_batch_bytes: 32 << 10,
        ..Settings::default()
    }
}

/// A simulated disk on which the data directory exists, durably.
pub(crate) fn disk_with(dir: &Path) -> SimFs {
    let sim = SimFs::new();
    sim.create_dir_all(dir).expect("create");
    for above in dir.ancestors() {
        sim.sync_dir(above).expect("sync");
    }
    sim.copy()
}
