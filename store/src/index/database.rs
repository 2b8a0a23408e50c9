//! What the index asks of a database, and sled 0.34.7, fenced in: the only place that calls it.
//!
//! Measured and therefore guarded here: it panics on most damage (every call runs inside `catch_unwind`), leaks with large
//! batches (128 operations at most), its flush is no sync (our own follows), its background flusher would change the file
//! between checkpoints (switched off), and it opens damaged files with keys missing (so nobody believes what it answers:
//! see `generation`). Every trouble is a text; what to do about it is decided above.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::file_database::FileDatabase;
use crate::fs::Fs;
use crate::limits::{
    DATABASE_BATCH_OPS, DATABASE_CACHE_BYTES, DATABASE_LOCK_LOOK, DATABASE_LOCK_TIME,
    DATABASE_SEGMENT_BYTES, WARM_UP_AFTER,
};

/// One change: a key and its new value, or none.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// What is wrong with a database, for the log.
pub(super) type Trouble = String;

/// An ordered map of bytes that is durable after [`Database::sync`].
pub(super) trait Database: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble>;

    /// Visits keys from `from` on, in order, until the visitor says false.
    fn scan(&self, from: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool)
    -> Result<(), Trouble>;

    /// At most [`DATABASE_BATCH_OPS`] changes.
    fn write(&self, changes: Vec<Change>) -> Result<(), Trouble>;

    /// Hands what was written so far to the file, so that the sync that follows some time has little left to do. Makes
    /// nothing durable.
    fn push(&self) -> Result<(), Trouble> {
        Ok(())
    }

    fn sync(&self) -> Result<(), Trouble>;

    fn bytes_on_disk(&self) -> Result<u64, Trouble>;
}

/// Why a database did not open.
#[derive(Debug)]
pub(super) enum OpenTrouble {
    /// Somebody else has it open, for longer than it takes to close it.
    Locked,
    /// Anything else.
    Unusable(Trouble),
}

/// What a database is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One file, see [`FileDatabase`].
    File,
    /// A directory that is sled's.
    Sled,
}

/// Opens or creates the database at `path`.
pub(super) fn open(
    form: Form,
    fs: &Arc<dyn Fs>,
    path: &Path,
) -> Result<Arc<dyn Database>, OpenTrouble> {
    match form {
        Form::Sled => Ok(Arc::new(SledDatabase::open(fs, path)?)),
        Form::File => {
            let database = FileDatabase::open(fs, path).map_err(OpenTrouble::Unusable)?;
            Ok(Arc::new(database))
        }
    }
}

/// Starts the threads that sled keeps for the whole process, by opening an empty database in a temporary directory. They
/// wait for each other spinning, so that on two cores the first opening takes some 10 ms longer than any later one: a
/// slave has the time, a takeover has not. Returns at once; what goes wrong shows when it is needed.
///
/// It begins after a moment: who has just become a slave may be the old master, and the new one needs the processors now.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody tells when another process has taken over"
)]
pub(crate) fn warm_up() {
    let warming = || {
        thread::sleep(WARM_UP_AFTER);
        let Ok(dir) = tempfile::tempdir() else { return };
        let config = sled::Config::new().path(dir.path()).flush_every_ms(None);
        if let Err(trouble) = caught(|| config.open().map(drop)) {
            tracing::debug!(%trouble, "the index could not be warmed up");
        }
    };
    let spawned = thread::Builder::new()
        .name("index-warm-up".into())
        .spawn(warming);
    if let Err(error) = spawned {
        tracing::debug!(%error, "the index could not be warmed up");
    }
}

/// A sled database.
struct SledDatabase {
    db: sled::Db,
    fs: Arc<dyn Fs>,
    path: PathBuf,
}

impl SledDatabase {
    /// Waits a little for the lock: sled's threads may hold it for some moments after their database was dropped.
    #[expect(
        clippy::disallowed_methods,
        reason = "nobody tells when a file lock goes"
    )]
    fn open(fs: &Arc<dyn Fs>, path: &Path) -> Result<Self, OpenTrouble> {
        let mut waited = Duration::ZERO;
        loop {
            match Self::try_open(fs, path) {
                Err(OpenTrouble::Locked) if waited < DATABASE_LOCK_TIME => {}
                opened_or_not => return opened_or_not,
            }
            thread::sleep(DATABASE_LOCK_LOOK);
            waited += DATABASE_LOCK_LOOK;
        }
    }

    fn try_open(fs: &Arc<dyn Fs>, path: &Path) -> Result<Self, OpenTrouble> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(DATABASE_CACHE_BYTES)
            .segment_size(DATABASE_SEGMENT_BYTES)
            .flush_every_ms(None)
            .use_compression(false)
            .mode(sled::Mode::HighThroughput);
        match caught(|| config.open()) {
            Ok(db) => Ok(Self {
                db,
                fs: Arc::clone(fs),
                path: path.to_owned(),
            }),
            Err(trouble) if trouble.contains("could not acquire lock") => Err(OpenTrouble::Locked),
            Err(trouble) => Err(OpenTrouble::Unusable(trouble)),
        }
    }

    fn file(&self) -> PathBuf {
        self.path.join("db")
    }
}

impl Database for SledDatabase {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        let value = caught(|| self.db.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Trouble> {
        caught(|| {
            for item in self.db.range(from..) {
                let (key, value) = item?;
                if !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), Trouble> {
        assert!(
            changes.len() <= DATABASE_BATCH_OPS,
            "a batch of {} makes sled leak",
            changes.len()
        );
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        caught(|| self.db.apply_batch(batch))
    }

    fn push(&self) -> Result<(), Trouble> {
        caught(|| self.db.flush())?;
        Ok(())
    }

    fn sync(&self) -> Result<(), Trouble> {
        self.push()?;
        let file = self.file();
        sync_file(&file).map_err(|error| format!("cannot sync {}: {error}", file.display()))
    }

    fn bytes_on_disk(&self) -> Result<u64, Trouble> {
        let file = self.file();
        self.fs
            .file_len(&file)
            .map_err(|error| format!("cannot measure {}: {error}", file.display()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "sled's files are not ours and do not go through the file layer"
)]
fn sync_file(file: &Path) -> std::io::Result<()> {
    std::fs::File::open(file)?.sync_all()
}

/// Runs a call into sled; its errors and panics both become text.
fn caught<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Trouble> {
    // Unwind safety: after a panic the database is condemned and never asked again.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("sled: {error}")),
        Err(panic) => Err(format!("sled panicked: {}", panic_text(&*panic))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return text;
    }
    panic
        .downcast_ref::<String>()
        .map_or("without a word", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::RealFs;

    fn open_sled(path: &Path) -> Result<Arc<dyn Database>, OpenTrouble> {
        let fs: Arc<dyn Fs> = Arc::new(RealFs::new(None));
        open(Form::Sled, &fs, path)
    }

    #[test]
    fn what_was_synced_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let database = open_sled(dir.path()).unwrap();
        for first in (0..100u8).step_by(DATABASE_BATCH_OPS) {
            let numbers = first..first + u8::try_from(DATABASE_BATCH_OPS).unwrap();
            database
                .write(numbers.map(|n| (vec![n], Some(vec![n; 3000]))).collect())
                .unwrap();
        }
        database.write(vec![(vec![5], None)]).unwrap();
        database.sync().unwrap();
        assert!(
            matches!(open_sled(dir.path()), Err(OpenTrouble::Locked)),
            "opened twice"
        );
        drop(database);
        let database = open_sled(dir.path()).unwrap();
        assert_eq!(database.get(&[7]).unwrap(), Some(vec![7; 3000]));
        assert_eq!(database.get(&[5]).unwrap(), None);
        let mut keys = 0;
        let mut visit = |_: &[u8], _: &[u8]| {
            keys += 1;
            keys < 10
        };
        database.scan(&[3], &mut visit).unwrap();
        assert_eq!(keys, 10, "a visitor can stop");
        assert!(database.bytes_on_disk().unwrap() > 0);
    }

    #[test]
    fn a_panic_inside_becomes_text() {
        let trouble = caught::<()>(|| panic!("page {} is odd", 3)).unwrap_err();
        assert_eq!(trouble, "sled panicked: page 3 is odd");
    }
}
