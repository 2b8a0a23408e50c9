//! Time within a run.

use std::time::{Duration, Instant};

/// Nanoseconds since the clock was made. A `u64` is enough for five centuries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    /// The moment so much later.
    pub(super) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(time)))
    }

    /// The time from `earlier` to this, zero if it is later.
    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Gives the time; copies agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        Self {
            zero: Instant::now(),
        }
    }

    /// The time.
    pub(super) fn now(self) -> Moment {
        Moment(nanoseconds(self.zero.elapsed()))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
