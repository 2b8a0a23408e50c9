//! The changes that the simulated file system records, in the order in which they were begun.

use std::path::PathBuf;
use std::sync::Arc;

use super::fault::OpKind;

/// Bytes of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// That many zeros.
    Zeros(u64),
    /// These bytes.
    Bytes(Arc<[u8]>),
}

impl Data {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Zeros(len) => *len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A directory was created.
    CreateDir {
        /// Its path.
        path: PathBuf,
    },
    /// A file was created.
    Create {
        /// Its path.
        path: PathBuf,
        /// Its identity, which outlives the name.
        inode: u64,
        /// Its length, all zeros.
        len: u64,
    },
    /// Bytes were written without a sync.
    Write {
        /// The file.
        inode: u64,
        /// Where.
        offset: u64,
        /// What.
        data: Data,
    },
    /// Bytes were written and synced.
    WriteDurable {
        /// The file.
        inode: u64,
        /// Where.
        offset: u64,
        /// What.
        data: Data,
    },
    /// A file was synced.
    Sync {
        /// The file.
        inode: u64,
    },
    /// Cached bytes of a file were dropped: what is read now is on the disk.
    DropCache {
        /// The file.
        inode: u64,
    },
    /// A file got another name, replacing what had that name.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new name.
        to: PathBuf,
    },
    /// A name was removed.
    Remove {
        /// The name.
        path: PathBuf,
    },
    /// A file without a name was made shorter. Taken for durable at once: the worst case for a name that comes back.
    Shrink {
        /// The file.
        inode: u64,
        /// What is left of it.
        len: u64,
    },
    /// The entries of a directory were synced.
    SyncDir {
        /// The directory.
        path: PathBuf,
    },
    /// The operation was begun and failed: it may have taken effect in part, and proves nothing.
    Failed(Box<Op>),
    /// No change: the test notes that something happened here, an acknowledgement for example.
    Mark(u64),
}

impl Op {
    pub(super) fn kind(&self) -> Option<OpKind> {
        match self {
            Self::CreateDir { .. } => Some(OpKind::CreateDir),
            Self::Create { .. } => Some(OpKind::Create),
            Self::Write { .. } => Some(OpKind::Write),
            Self::WriteDurable { .. } => Some(OpKind::WriteDurable),
            Self::Sync { .. } | Self::DropCache { .. } => Some(OpKind::Sync),
            Self::Rename { .. } => Some(OpKind::Rename),
            Self::Remove { .. } | Self::Shrink { .. } => Some(OpKind::Remove),
            Self::SyncDir { .. } => Some(OpKind::SyncDir),
            Self::Failed(_) | Self::Mark(_) => None,
        }
    }
}
