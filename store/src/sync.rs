//! Taking a mutex.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex` even if a thread panicked under it: a panic on the committing or maintenance thread stops the store
/// for good (`committer`), and what callers may still read until then was durable.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
