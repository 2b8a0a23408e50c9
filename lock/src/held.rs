//! Mastership as a value.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::epoch::Epoch;
use crate::error::Error;
use crate::file::LockFile;
use crate::filesystem::Filesystem;
use crate::holder::Holder;
use crate::lost::Lost;
use crate::verifier::Verifier;

/// Proof that this process holds the lock. Not `Clone`, made only by [`crate::acquire`]; dropping it gives the lock back.
#[derive(Debug)]
pub struct Held {
    pub(crate) file: Arc<LockFile>,
    pub(crate) dir: PathBuf,
    pub(crate) holder: Holder,
    pub(crate) previous: Option<Holder>,
    pub(crate) filesystem: Filesystem,
    pub(crate) verifier: Verifier,
}

impl Held {
    /// The epoch raised with this acquisition.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.holder.epoch
    }

    /// What we wrote about ourselves.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Who held the lock before, if a readable record was there.
    #[must_use]
    pub fn previous(&self) -> Option<&Holder> {
        self.previous.as_ref()
    }

    /// What the directory stands on.
    #[must_use]
    pub fn filesystem(&self) -> &Filesystem {
        &self.filesystem
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// A check that can be handed to other threads; it is no proof.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier.clone()
    }

    /// Gives the lock back in order: notes in the record that nothing of us is left running that
    /// the next master would have to fear, then unlocks.
    ///
    /// # Errors
    /// If we were not the holder any more, nothing is written; if the record could not be written, the lock is still
    /// given back.
    pub fn release(self) -> Result<(), Error> {
        self.verifier.verify()?;
        let holder = Holder {
            released: true,
            ..self.holder.clone()
        };
        self.file.write(&holder)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // From here on no batch may count, whoever still has a verifier.
        self.verifier.lose(Lost::Released);
        // Verifiers may live on; a failure here is for the kernel to mend when the process ends.
        if let Err(error) = self.file.close() {
            tracing::warn!(%error, path = %self.file.path().display(), "the lock could not be given back");
        }
    }
}
