//! What can go wrong on the way to the lock, and what the caller should do about it.

use std::io;
use std::path::PathBuf;

/// What an error asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The same call may succeed later.
    Retry,
    /// The request was wrong; nothing else is affected.
    Reject,
    /// Mastership is gone; drop everything and start again as a slave.
    Demote,
    /// Nothing can be done from inside; end the process with the message.
    Exit,
}

/// Why the lock could not be had or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Waiting was ended by [`crate::Stop`].
    #[error("waiting for the lock was stopped")]
    Stopped,
    /// This process has the lock file open already.
    #[error("{} is already open in this process", path.display())]
    AlreadyOpen {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file has content that we did not write.
    #[error("{} is not a holdfast lock file (it starts with {found:?}); point --data at a directory of its own", path.display())]
    Foreign {
        /// The lock file.
        path: PathBuf,
        /// Its first bytes, printable.
        found: String,
    },
    /// The file system cannot keep two masters apart.
    #[error("{} cannot be shared safely: {why}", dir.display())]
    UnsafeFilesystem {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong and what to change.
        why: String,
    },
    /// A setting is out of range.
    #[error("lock settings: {0}")]
    Settings(String),
    /// Mastership was lost before it began.
    #[error(transparent)]
    Lost(#[from] crate::Lost),
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl Error {
    /// What this asks of the caller.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Lost(_) => Action::Demote,
            // A slave that others count on does not end because a file server stumbled.
            Self::Io { .. } => Action::Retry,
            Self::Stopped
            | Self::AlreadyOpen { .. }
            | Self::Foreign { .. }
            | Self::UnsafeFilesystem { .. }
            | Self::Settings(_) => Action::Exit,
        }
    }

    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
