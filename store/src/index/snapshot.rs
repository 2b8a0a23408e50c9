//! A checkpoint being written: what changed, frozen, and the steps that make it the good one.

use crate::error::Result;

/// Everything that a checkpoint has to write, frozen by [`crate::index::Index::begin_checkpoint`].
pub(crate) struct Snapshot {}

/// What became of a checkpoint; hand it to [`crate::index::Index::finish_checkpoint`].
pub(crate) struct Written {}

impl Snapshot {
    /// Writes it: control `updating`, the pages, flush and sync, `verify`, control `stable`. Slow; needs no lock on the index.
    ///
    /// # Errors
    /// Only what `verify` says (then do nothing more with the store). Trouble with files or the database is in `Written`.
    pub(crate) fn write(self, _verify: &dyn Fn() -> Result<()>) -> Result<Written> {
        todo!()
    }
}
