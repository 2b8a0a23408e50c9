//! What can go wrong in the broker, and what to do about each.
//!
//! Messages are facts; the advice for people is added where they are printed
//! (`cli`). Errors towards clients are `Refusal`s, not these.

use std::io;
use std::path::PathBuf;

/// A broker error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong; nothing was touched yet.
    #[error("{place}: {what}")]
    Configuration {
        /// File, variable or flag.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// A listener could not be opened.
    #[error("cannot listen on {uri}: {source}")]
    Listen {
        /// As configured.
        uri: String,
        /// The system's word.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("data directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A demoted broker could not start again.
    #[error("demoted ({cause}) and cannot restart as a slave: {source}")]
    Restart {
        /// Why it was demoted.
        cause: String,
        /// The system's word.
        source: io::Error,
    },
    /// Threads, signals and the like.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's word.
        source: io::Error,
    },
}

/// What the caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The same may work later.
    Retry,
    /// Refuse the one who asked; the broker goes on.
    Reject,
    /// No longer master: start again as a slave.
    Demote,
    /// End the process with a line that says why.
    Exit,
}

impl Error {
    /// What to do about it.
    pub fn action(&self) -> Action {
        match self {
            Error::Configuration { .. }
            | Error::Listen { .. }
            | Error::Directory { .. }
            | Error::Restart { .. }
            | Error::System { .. } => Action::Exit,
            Error::Lock(error) => match error.action() {
                lock::Action::Retry => Action::Retry,
                lock::Action::Reject => Action::Reject,
                lock::Action::Demote => Action::Demote,
                lock::Action::Exit => Action::Exit,
            },
            Error::Store(error) => match error.action() {
                store::Action::Retry => Action::Retry,
                store::Action::Reject => Action::Reject,
                store::Action::Demote => Action::Demote,
                store::Action::Exit => Action::Exit,
            },
        }
    }

    /// Whether a listener's port is taken.
    pub(crate) fn is_address_in_use(&self) -> bool {
        matches!(self, Error::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
