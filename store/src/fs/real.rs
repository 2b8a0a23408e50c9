//! The file system of this host.
//!
//! Durable writes go through O_DIRECT and O_DSYNC where the file system honours both (one system call, no page cache, no
//! journal commit on a file of fixed length) and through a plain write plus fdatasync elsewhere. Which one is
//! probed when a segment is created. A failed sync is reported and never repeated. It does not interpret what it reads
//! or writes.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the file layer, and it can make a disk slow on request"
)]

use std::fs::{self, File, OpenOptions};
use std::hint;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fs2::FileExt as LockExt;
use rustix::fs::{Advice, FallocateFlags, OFlags};
use rustix::io::Errno;

use super::aligned::AlignedBuf;
use super::contract::{Fs, ReadFile, Remains, SegmentFile};
use crate::limits::{OVERSLEEP, URGENT_FILL_BYTES};

/// Linux' O_DSYNC on every architecture this broker is built for. The constant of that name in rustix 1.1 is O_SYNC,
/// which would commit the file's times to the file system's journal with every batch.
const O_DSYNC: i32 = 0o10_000;

/// Real files.
#[derive(Debug)]
pub struct RealFs {
    /// Cleared for good when a file system refuses direct writes.
    direct: Arc<AtomicBool>,
    sync_delay: Option<Duration>,
}

impl RealFs {
    /// With a delay, every sync takes that much longer: a fast disk behaves like a slow one.
    #[must_use]
    pub fn new(sync_delay: Option<Duration>) -> Self {
        Self {
            direct: Arc::new(AtomicBool::new(true)),
            sync_delay,
        }
    }

    /// Never tries direct writes.
    #[must_use]
    pub fn without_direct_writes(sync_delay: Option<Duration>) -> Self {
        Self {
            direct: Arc::new(AtomicBool::new(false)),
            sync_delay,
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()
}

#[cfg(test)]
impl RealFs {
    /// Whether somebody holds the lock on a file.
    pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
        let file = OpenOptions::new().write(true).open(path)?;
        Ok(LockExt::try_lock_exclusive(&file).is_err())
    }
}

impl Fs for RealFs {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn refresh_dir(&self, dir: &Path) -> io::Result<()> {
        // Changing the directory ourselves makes an NFS client compare the server's change counter with its cache.
        let probe = dir.join(format!(".refresh-{}", std::process::id()));
        File::create(&probe)?;
        fs::remove_file(&probe)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn SegmentFile>> {
        let (file, direct) = self.create_new(path)?;
        if let Err(error) = reserve(&file, len) {
            drop(file);
            // Only an empty name is left if this fails too, and the next start removes it.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(Box::new(RealSegment {
            path: path.to_owned(),
            file,
            direct,
            sync_delay: self.sync_delay,
            stage: Stage::Filling,
            zeros: None,
        }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(RealRead(File::open(path)?)))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        if let Err(error) = write_synced(&new, bytes) {
            if error.kind() == io::ErrorKind::StorageFull {
                // Half a file would keep the disk full; if it cannot go, that changes nothing.
                let _ = fs::remove_file(&new);
            }
            return Err(error);
        }
        delay(self.sync_delay);
        fs::rename(&new, path)?;
        match path.parent() {
            Some(dir) => self.sync_dir(dir),
            None => Ok(()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<Box<dyn Remains>> {
        let file = OpenOptions::new().write(true).open(path)?;
        fs::remove_file(path)?;
        let len = file.metadata()?.len();
        Ok(Box::new(RealRemains { file, len }))
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        file.sync_data()?;
        delay(self.sync_delay);
        // After a failed sync Linux keeps the pages and calls them clean; only without them the disk itself is read.
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()?;
        delay(self.sync_delay);
        Ok(())
    }

    fn available_space(&self, dir: &Path) -> io::Result<u64> {
        fs2::available_space(dir)
    }
}

impl RealFs {
    /// EINVAL on a direct open means that the file system does not have it; some leave the file behind when they refuse.
    fn create_new(&self, path: &Path) -> io::Result<(File, bool)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        if !self.direct.load(Ordering::Relaxed) {
            return Ok((options.open(path)?, false));
        }
        match options.clone().custom_flags(o_direct()).open(path) {
            Ok(file) => match probe_direct(&file) {
                Ok(()) => return Ok((file, true)),
                Err(error) if !refuses_direct(&error) => return Err(error),
                Err(_) => {}
            },
            Err(error) if !refuses_direct(&error) => return Err(error),
            Err(_) => {}
        }
        self.direct.store(false, Ordering::Relaxed);
        let plain = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        Ok((plain, false))
    }
}

fn o_direct() -> i32 {
    i32::try_from(OFlags::DIRECT.bits()).expect("O_DIRECT is a low bit")
}

fn refuses_direct(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
        || error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error())
}

/// Some file systems accept the flag and refuse the write.
fn probe_direct(file: &File) -> io::Result<()> {
    let mut block = AlignedBuf::with_capacity(1);
    block.extend(&[0]);
    file.write_all_at(block.padded(), 0)
}

/// Takes the blocks now, so that a full disk shows here and not in the middle of a batch.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
        Ok(()) => Ok(()),
        // Older NFS and some others cannot: the zero-fill takes the blocks, or fails, before the segment is used.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// A file without a name.
struct RealRemains {
    file: File,
    len: u64,
}

impl Remains for RealRemains {
    fn shrink(&mut self, bytes: u64) -> io::Result<bool> {
        if self.len == 0 {
            return Ok(false);
        }
        self.len = self.len.saturating_sub(bytes);
        self.file.set_len(self.len)?;
        // Otherwise the file system keeps all steps for one commit.
        self.file.sync_all()?;
        Ok(true)
    }
}

struct RealRead(File);

impl ReadFile for RealRead {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn will_need(&self, offset: u64, len: u64) {
        // Without the hint the bytes arrive all the same, only later.
        let _ = rustix::fs::fadvise(&self.0, offset, NonZeroU64::new(len), Advice::WillNeed);
    }

    fn will_jump(&self) {
        let _ = rustix::fs::fadvise(&self.0, 0, None, Advice::Random);
    }

    fn file_len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Writes are not durable yet; direct, so that they do not push others out of the page cache.
    Filling,
    /// Reopened so that each write is durable when it returns.
    Durable,
}

struct RealSegment {
    path: PathBuf,
    file: File,
    direct: bool,
    sync_delay: Option<Duration>,
    stage: Stage,
    /// What a fill writes; given back when filled.
    zeros: Option<AlignedBuf>,
}

impl SegmentFile for RealSegment {
    fn fill(&mut self, offset: u64, len: u64) -> io::Result<()> {
        assert_eq!(self.stage, Stage::Filling, "fill comes before finish");
        let zeros = self.zeros.get_or_insert_with(fill_piece);
        write_zeros(&self.file, zeros, offset, offset + len)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.zeros = None;
        self.file.sync_all()?;
        delay(self.sync_delay);
        if self.direct {
            let flags = o_direct() | O_DSYNC;
            self.file = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(flags)
                .open(&self.path)?;
        }
        self.stage = Stage::Durable;
        Ok(())
    }

    fn lock(&mut self) -> io::Result<()> {
        assert_eq!(
            self.stage,
            Stage::Durable,
            "the lock belongs to the handle that writes"
        );
        LockExt::try_lock_exclusive(&self.file)
    }

    fn write_durable(&mut self, offset: u64, aligned: &[u8]) -> io::Result<()> {
        assert_eq!(
            self.stage,
            Stage::Durable,
            "durable writes come after finish"
        );
        self.file.write_all_at(aligned, offset)?;
        if !self.direct {
            self.file.sync_data()?;
        }
        delay(self.sync_delay);
        Ok(())
    }

    fn grow(&mut self, from: u64, to: u64) -> io::Result<()> {
        let grown =
            reserve(&self.file, to).and_then(|()| write_zeros(&self.file, &fill_piece(), from, to));
        if let Err(error) = grown {
            // A file longer than its header says is refused by recovery, so a failure here must not go unnoticed.
            self.file.set_len(from)?;
            return Err(error);
        }
        self.file.sync_all()
    }
}

fn write_zeros(file: &File, zeros: &AlignedBuf, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let left = usize::try_from(to - at).unwrap_or(usize::MAX);
        let piece = &zeros.as_slice()[..left.min(zeros.len())];
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

fn fill_piece() -> AlignedBuf {
    AlignedBuf::zeros(usize::try_from(URGENT_FILL_BYTES).expect("a fill piece is small"))
}

fn delay(delay: Option<Duration>) {
    if let Some(delay) = delay {
        let until = Instant::now() + delay;
        thread::sleep(delay.saturating_sub(OVERSLEEP));
        while Instant::now() < until {
            hint::spin_loop();
        }
    }
}
