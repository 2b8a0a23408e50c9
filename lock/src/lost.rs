//! Why mastership is gone. Each cause has a message of its own; none of them is ever taken back.

use std::path::PathBuf;
use std::time::Duration;

/// Why we are no longer master.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// Another file stands at the lock file's path.
    #[error("{} was replaced by another file while this broker held its lock", path.display())]
    Replaced {
        /// The lock file.
        path: PathBuf,
    },
    /// Nothing stands at the lock file's path.
    #[error("{} was removed while this broker held its lock", path.display())]
    Removed {
        /// The lock file.
        path: PathBuf,
    },
    /// Another holder wrote its record.
    #[error("{} now names another holder: {found}", path.display())]
    HolderChanged {
        /// The lock file.
        path: PathBuf,
        /// Who or what stands there.
        found: String,
    },
    /// The file system refused the check: on NFS this is how a lost lease shows.
    #[error("cannot verify {}: {error}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        error: String,
    },
    /// No verification succeeded for too long; the file system may hang.
    #[error("ownership could not be verified for {} ms, the limit is {} ms", age.as_millis(), limit.as_millis())]
    Overdue {
        /// Time since the last success.
        age: Duration,
        /// The deadline.
        limit: Duration,
    },
    /// The lock was given back by this process.
    #[error("the lock was released")]
    Released,
}
