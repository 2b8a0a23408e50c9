//! Every limit of this crate, with its reason.

use std::time::Duration;

/// How often a slave asks a network file system for the lock. Blocking waits are unfair and slow there.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How often the watcher verifies when nothing is written.
pub(crate) const VERIFY_INTERVAL: Duration = Duration::from_secs(1);

/// Without a verification for this long the sockets must close. Well below every NFS lease in use (10 s and more), so a
/// master that is cut off falls silent before a new one can be there.
pub(crate) const VERIFY_DEADLINE: Duration = Duration::from_secs(5);

/// How often a waiting slave says that it is waiting.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// Pause after a cause that no lock wait reports by itself: a missing directory, no permission, an I/O error.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Size of the holder record: one block, so that it can be read and written past the cache.
pub(crate) const RECORD_BYTES: usize = 4096;

/// Longest holder text: the record less its checksum line.
pub(crate) const TEXT_BYTES: usize = RECORD_BYTES - 32;
