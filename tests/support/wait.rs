//! The one way to wait in these tests: on a condition, with a deadline, and with words for when it passes.

use std::time::{Duration, Instant};

/// How long a healthy machine under full load may take for anything that normally takes milliseconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How often a condition that nobody announces is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// Looks until `condition` yields a value; panics with `what` and `state()` when the deadline passes.
pub(crate) fn until<T>(
    what: &str,
    mut condition: impl FnMut() -> Option<T>,
    state: impl FnOnce() -> String,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "waited {DEADLINE:?} for {what}\n{}",
            state()
        );
        std::thread::park_timeout(GLANCE);
    }
}

/// As `until`, for a plain yes or no.
pub(crate) fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()), String::new);
}

/// Runs a future to its end, or panics with `what` at the deadline.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}
