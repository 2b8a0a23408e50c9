//! From what lies in `index/` to an [`Index`] that can be replayed onto.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::fs::Fs;
use crate::index::Index;
use crate::journal::After;
use crate::position::SegmentNumber;
use crate::settings::Settings;

/// Where the pages are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A sled database per generation, on the real file system.
    #[default]
    Sled,
    /// One plain file per generation through [`Fs`], so that tests can crash it with the rest.
    #[cfg(any(test, feature = "sim"))]
    File,
}

/// What the index needs to know about this start.
#[derive(Clone, Debug)]
pub(crate) struct Opening<'a> {
    /// Our epoch; names the generations we create.
    pub(crate) epoch: u64,
    /// Boot id of this host: tells a killed process from a host that went down.
    pub(crate) boot_id: String,
    /// The data directory is on a network file system.
    pub(crate) network: bool,
    /// The previous holder released the lock in order.
    pub(crate) previous_clean: bool,
    /// The oldest segment that is still there; a checkpoint before it is of no use.
    pub(crate) oldest_segment: Option<SegmentNumber>,
    /// Where pages are kept.
    pub(crate) backend: Backend,
    /// Cache size and ages.
    pub(crate) settings: &'a Settings,
}

/// An index, and from where to replay onto it.
pub(crate) struct Opened {
    /// The index as of `from`, or empty.
    pub(crate) index: Index,
    /// Replay what comes after this; everything when `None`.
    pub(crate) from: Option<After>,
    /// Why there was no usable index although there should have been one.
    pub(crate) rebuilt: Option<String>,
}

impl Index {
    /// Opens the index of the data directory `dir` (its files are in `dir/index`). Never fails because of what the
    /// index looks like: any doubt sets the generation aside and gives an empty index with a reason.
    ///
    /// The database opens on a thread of its own meanwhile; call [`Index::settle`] after the replay.
    pub(crate) fn open(_fs: Arc<dyn Fs>, _dir: &Path, _opening: &Opening<'_>) -> Result<Opened> {
        todo!()
    }
}
