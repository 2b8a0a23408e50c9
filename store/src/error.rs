//! What can go wrong in the store, named by cause, and what the caller is to do about it.
//!
//! Every variant carries the facts an operator needs: file, offset, numbers. Callers match on [`Error::action`],
//! never on text.

use std::any::Any;
use std::io;
use std::path::PathBuf;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried: "open", "list", "read", ...
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that were durable once are not what they were; nothing is skipped or guessed.
    #[error("{path} is damaged at byte {offset}: {what}", path = path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was found and what was expected.
        what: String,
    },
    /// The directory holds files of another program; it is left untouched.
    #[error("{path} is not a data directory of ours: it has no journal but holds {found:?}", path = path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// The first foreign name in it.
        found: String,
    },
    /// Written by another version of the store.
    #[error("{path} has format {found}, this version reads format 1", path = path.display())]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// The format it names.
        found: u32,
    },
    /// No segment could be had: the disk or the configured limit of the journal is full.
    #[error("the journal is full: {needed} bytes needed, {available} available")]
    Full {
        /// Bytes of the segment that could not be had.
        needed: u64,
        /// Bytes that were left.
        available: u64,
    },
    /// One unit of work is beyond what the journal takes in one batch.
    #[error("one unit of work takes {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit it exceeds.
        limit: usize,
    },
    /// A setting that cannot be.
    #[error("store setting {name}: {why}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The store was closed, or lost, and takes no more work.
    #[error("the store is closed")]
    Closed,
    /// A write or sync failed before; the journal is never written to again by this process.
    #[error("the journal writer has failed before and stays stopped")]
    Poisoned,
    /// Somebody else is the holder now, or may be.
    #[error("no longer the holder of the data directory: {0}")]
    LostMastership(#[from] lock::Lost),
    /// The journal holds an epoch that is not below ours: another master began at the same time, or later.
    #[error("epoch {found} stands in the journal, ours is {epoch}: another master has begun")]
    Overtaken {
        /// Ours.
        epoch: u64,
        /// The highest in the journal.
        found: u64,
    },
    /// The index cannot be believed any more; opening the store again rebuilds it from the journal.
    #[error("the index is unusable: {reason}")]
    Index {
        /// What is wrong with it.
        reason: String,
    },
    /// A thread could not be started, or ended where it must not.
    #[error("thread {name}: {why}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What happened.
        why: String,
    },
}

/// What the caller is to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask again later; nothing was done.
    Retry,
    /// Refuse this one request; the store goes on.
    Reject,
    /// Stop being master: drop the sockets and start again as a slave.
    Demote,
    /// Stop the process and tell the operator; trying again cannot help.
    Exit,
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Full { .. } => Action::Retry,
            Self::TooLarge { .. } => Action::Reject,
            Self::Io { .. }
            | Self::Closed
            | Self::Poisoned
            | Self::LostMastership(_)
            | Self::Overtaken { .. }
            | Self::Index { .. }
            | Self::Thread { .. } => Action::Demote,
            Self::Damaged { .. }
            | Self::NotOurs { .. }
            | Self::Format { .. }
            | Self::Setting { .. } => Action::Exit,
        }
    }

    /// A thread that must not end did, by a panic.
    pub(crate) fn panicked(name: &'static str, panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let why = text
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panicked".to_owned());
        Self::Thread { name, why }
    }

    /// Shorthand for [`Error::Io`], made for `map_err`.
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

/// What most functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_or_sync_demotes_and_damage_exits() {
        let failed = Error::io("sync", "/d/journal/1.seg")(io::Error::other("disk on fire"));
        assert_eq!(
            failed.to_string(),
            "cannot sync /d/journal/1.seg: disk on fire"
        );
        assert_eq!(failed.action(), Action::Demote);
        let damaged = Error::Damaged {
            path: "/d/journal/1.seg".into(),
            offset: 4096,
            what: "crc".into(),
        };
        assert_eq!(
            damaged.to_string(),
            "/d/journal/1.seg is damaged at byte 4096: crc"
        );
        assert_eq!(damaged.action(), Action::Exit);
        assert_eq!(
            Error::Full {
                needed: 1,
                available: 0
            }
            .action(),
            Action::Retry
        );
        assert_eq!(
            Error::TooLarge { bytes: 2, limit: 1 }.action(),
            Action::Reject
        );
    }
}
