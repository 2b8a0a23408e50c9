//! The lock file: opened once, locked, read and written as one block, never deleted.
//!
//! Closing any descriptor of a file drops its locks on some file systems, so a process-wide guard makes sure that the
//! same path is never opened twice by us.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::holder::{Holder, Record};
use crate::limits;

/// Name of the lock file in the data directory.
pub(crate) const NAME: &str = "lock";

/// Lock files that this process has open.
static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The lock file of one data directory: open until it is given back.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    created: bool,
    /// Shared for the length of a call, so that giving the lock back does not wait for a call that hangs in the kernel.
    open: Mutex<Option<Arc<Open>>>,
}

/// The open file; its guard must outlive it, and fields are dropped in order.
#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    _guard: OpenGuard,
}

/// Device and inode: while the file is open, no other file has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

#[derive(Debug)]
struct OpenGuard(PathBuf);

impl LockFile {
    /// Opens `dir/lock` for reading and writing, as flock on NFS needs; creates it if it is not there.
    pub(crate) fn in_dir(dir: &Path) -> Result<Self, Error> {
        let dir = fs::canonicalize(dir).map_err(Error::io("open", dir))?;
        let path = dir.join(NAME);
        let guard = OpenGuard::take(&path)?;
        let created = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        let there = file.metadata().map_err(Error::io("open", &path))?;
        let identity = Identity::of(&there);
        let open = Mutex::new(Some(Arc::new(Open {
            file,
            identity,
            _guard: guard,
        })));
        Ok(Self {
            path,
            created,
            open,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tries to lock without waiting; false when another holds it.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        match fs2::FileExt::try_lock_exclusive(&self.open()?.file) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits in the kernel for the lock.
    pub(crate) fn lock(&self) -> io::Result<()> {
        let open = self.open()?;
        loop {
            match fs2::FileExt::lock_exclusive(&open.file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Gives the lock back and closes the file. Unlocks first: a call that hangs in the kernel may keep the file open.
    pub(crate) fn close(&self) -> io::Result<()> {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        open.map_or(Ok(()), |open| fs2::FileExt::unlock(&open.file))
    }

    fn open(&self) -> io::Result<Arc<Open>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clone()
            .ok_or_else(|| io::Error::other("the lock file was closed"))
    }

    /// Whether the path still leads to this file.
    pub(crate) fn is_in_place(&self) -> io::Result<bool> {
        let ours = self.open()?.identity;
        match fs::metadata(&self.path) {
            Ok(there) => Ok(ours == Identity::of(&there)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the record through this descriptor.
    pub(crate) fn read(&self) -> Result<Record, Error> {
        let record = self.open().and_then(|open| read_record(&open.file));
        record.map_err(Error::io("read", &self.path))
    }

    /// Writes the record and syncs it, and the directory if the file is new.
    pub(crate) fn write(&self, holder: &Holder) -> Result<(), Error> {
        let open = self.open().map_err(Error::io("write", &self.path))?;
        open.file
            .write_all_at(&holder.encode(), 0)
            .map_err(Error::io("write", &self.path))?;
        open.file
            .sync_all()
            .map_err(Error::io("sync", &self.path))?;
        if self.created {
            let dir = self.path.parent().unwrap_or(Path::new("."));
            File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(Error::io("sync", dir))?;
        }
        Ok(())
    }
}

impl OpenGuard {
    fn take(path: &Path) -> Result<Self, Error> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.insert(path.to_owned()) {
            return Err(Error::AlreadyOpen {
                path: path.to_owned(),
            });
        }
        Ok(Self(path.to_owned()))
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        OPEN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// Reads up to one record from the start of a file.
pub(crate) fn read_record(file: &File) -> io::Result<Record> {
    let mut block = vec![0; limits::RECORD_BYTES];
    let mut filled = 0;
    while filled < block.len() {
        match file.read_at(&mut block[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Record::decode(&block[..filled]))
}

impl Identity {
    fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino())
    }
}
