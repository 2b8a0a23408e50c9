//! What the store asks of a file system, as three small traits.
//!
//! Who implements them promises what FORMAT.md 1 assumes: what is said to be durable is, and a failed sync is reported
//! once and never repeated. Nothing here knows what is in a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// Directories and whole files.
pub trait Fs: Send + Sync + 'static {
    /// Names in a directory, in no order, without `.` and `..`.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes sure that the next [`Fs::list`] shows what other hosts did to this directory: an NFS client may otherwise
    /// answer from a cache that is half a minute old. Needs the right to write there.
    ///
    /// # Errors
    /// What the system says.
    fn refresh_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a directory and those above it; fine if it exists. Durable only after [`Fs::sync_dir`] of its parent.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file that must not exist and reserves `len` bytes of disk for it where the file system can.
    /// It must be zero-filled and finished before anything durable is written to it.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` when there is no room, `AlreadyExists`, and what the system says.
    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn SegmentFile>>;

    /// Opens a file for reading. It stays readable while held, even if it is removed.
    ///
    /// # Errors
    /// What the system says.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>>;

    /// Length of a file in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn file_len(&self, path: &Path) -> io::Result<u64>;

    /// The whole content of a small file.
    ///
    /// # Errors
    /// What the system says.
    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Replaces a small file as a whole: `NAME.new` is written and synced, renamed over it, and the directory synced. After
    /// a crash it holds the old bytes or the new ones.
    ///
    /// # Errors
    /// What the system says; the file is then either as it was or replaced.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file. Durable only after [`Fs::sync_dir`]. The room it took comes back with what is answered.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<Box<dyn Remains>>;

    /// Makes durable what can be read from a file, whoever wrote it, and forgets cached copies of it: what is read from now
    /// on is what the disk has, even after a failed sync of another process.
    ///
    /// # Errors
    /// What the system says.
    fn settle(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes a process without privileges can still allocate there.
    ///
    /// # Errors
    /// What the system says.
    fn available_space(&self, dir: &Path) -> io::Result<u64>;
}

/// The room that a removed file still takes: given back when this is dropped, or before that in steps, because a disk that
/// is handed 32 MiB at once may stand still for ten milliseconds.
pub trait Remains: Send {
    /// Gives `bytes` back to the disk, durably; false when nothing was left. Only once the removal itself is durable, and
    /// when nobody reads the file any more.
    ///
    /// # Errors
    /// What the system says.
    fn shrink(&mut self, bytes: u64) -> io::Result<bool>;
}

/// A file open for reading, shared between threads.
pub trait ReadFile: Send + Sync {
    /// Reads at an offset until `buf` is full or the file ends; answers how many bytes were read.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Says that these bytes will be read soon, so that the disk can begin. Only a hint.
    fn will_need(&self, _offset: u64, _len: u64) {}

    /// Says that reads through this handle jump about, so that nothing around them is read along. Only a hint.
    fn will_jump(&self) {}

    /// Length of the file in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn file_len(&self) -> io::Result<u64>;
}

/// A journal segment that this process creates and writes. Its stages: fill, finish, lock, write.
pub trait SegmentFile: Send {
    /// Writes zeros; durable only after [`SegmentFile::finish`]. Offsets and lengths are multiples of a block.
    ///
    /// # Errors
    /// As [`Fs::create`].
    fn fill(&mut self, offset: u64, len: u64) -> io::Result<()>;

    /// Syncs content and length and makes the file ready for durable writes.
    ///
    /// # Errors
    /// What the system says.
    fn finish(&mut self) -> io::Result<()>;

    /// Takes the exclusive lock on the file, without waiting: on NFS the kernel then refuses writes after the lease was
    /// lost. Held until the file is dropped.
    ///
    /// # Errors
    /// `WouldBlock` when somebody holds it, and what the system says.
    fn lock(&mut self) -> io::Result<()>;

    /// Writes whole blocks at a block boundary and returns when they are durable. `aligned` starts on a block boundary in
    /// memory too (an aligned buffer), as direct writes ask. A finished file only.
    ///
    /// # Errors
    /// What the system says; the bytes may then be there wholly, partly or not at all.
    fn write_durable(&mut self, offset: u64, aligned: &[u8]) -> io::Result<()>;

    /// Lengthens a finished file from `from` to `to` bytes with durable zeros; undone as far as possible on failure.
    ///
    /// # Errors
    /// As [`Fs::create`].
    fn grow(&mut self, from: u64, to: u64) -> io::Result<()>;
}
