//! The one place that reads the wall clock, and counts with what it says.
//!
//! Batches carry it for ages only: nothing is ever ordered or decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; 0 while the clock stands before that.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    millis(since)
}

/// A time so long after `time_ms`.
pub(crate) fn after(time_ms: u64, span: Duration) -> u64 {
    time_ms.saturating_add(millis(span))
}

/// The youngest time that is older than `age`.
pub(crate) fn older_than(age: Duration, now_ms: u64) -> u64 {
    now_ms.saturating_sub(millis(age).saturating_add(1))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
