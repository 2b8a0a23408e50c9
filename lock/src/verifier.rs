//! Are we still the holder? Asked after every synced batch, before anything follows from it.
//!
//! A success at time t means that no later epoch had been raised before t. A loss is final: once lost, always lost,
//! even if the file comes back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::file::{LockFile, read_record};
use crate::holder::{Holder, Record};
use crate::limits;
use crate::lost::Lost;

/// Checks that the lock is still ours. Clones share what they found.
#[derive(Clone, Debug)]
pub struct Verifier {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: Arc<LockFile>,
    holder: Holder,
    /// Read the record as well: the kernel's word is not enough across hosts.
    reads_record: bool,
    deadline: Duration,
    started: Instant,
    /// When the last successful check began, nanoseconds after `started`.
    verified_nanos: AtomicU64,
    lost: OnceLock<Lost>,
}

impl Verifier {
    pub(crate) fn new(
        file: Arc<LockFile>,
        holder: Holder,
        reads_record: bool,
        deadline: Duration,
    ) -> Self {
        let shared = Shared {
            file,
            holder,
            reads_record,
            deadline,
            started: Instant::now(),
            verified_nanos: AtomicU64::new(0),
            lost: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Checks now.
    ///
    /// # Errors
    /// The reason why mastership is gone; the same one for ever after.
    pub fn verify(&self) -> Result<(), Lost> {
        self.known()?;
        // The check is worth what was true when it began, not when it returned.
        let began = self.now_nanos();
        if let Err(lost) = self.check() {
            return Err(self.lose(lost));
        }
        self.known()?;
        self.shared
            .verified_nanos
            .fetch_max(began, Ordering::Relaxed);
        Ok(())
    }

    /// Time since the last success began; needs no file access.
    #[must_use]
    pub fn verified_age(&self) -> Duration {
        let verified = self.shared.verified_nanos.load(Ordering::Relaxed);
        Duration::from_nanos(self.now_nanos().saturating_sub(verified))
    }

    /// Whether the last success is longer ago than the deadline; needs no file access.
    #[must_use]
    pub fn overdue(&self) -> bool {
        self.verified_age() > self.shared.deadline
    }

    /// Whether mastership is known to be gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.lost.get().is_some()
    }

    /// Declares mastership lost; the first cause stays and is returned.
    pub(crate) fn lose(&self, lost: Lost) -> Lost {
        self.shared.lost.get_or_init(|| lost).clone()
    }

    /// The loss by a missed deadline, if there is one.
    pub(crate) fn missed_deadline(&self) -> Option<Lost> {
        let age = self.verified_age();
        let limit = self.shared.deadline;
        (age > limit).then(|| self.lose(Lost::Overdue { age, limit }))
    }

    fn known(&self) -> Result<(), Lost> {
        self.shared
            .lost
            .get()
            .map_or(Ok(()), |lost| Err(lost.clone()))
    }

    fn check(&self) -> Result<(), Lost> {
        let path = self.shared.file.path();
        match self.shared.file.is_in_place() {
            Ok(true) => {}
            Ok(false) if fs::symlink_metadata(path).is_err() => {
                return Err(Lost::Removed { path: path.into() });
            }
            Ok(false) => return Err(Lost::Replaced { path: path.into() }),
            Err(error) => {
                return Err(Lost::Io {
                    path: path.into(),
                    error: error.to_string(),
                });
            }
        }
        if self.shared.reads_record {
            self.check_record(path)
        } else {
            Ok(())
        }
    }

    fn check_record(&self, path: &Path) -> Result<(), Lost> {
        let holder = &self.shared.holder;
        let found = match read_uncached(path) {
            Ok(Record::Holder(found))
                if found.token == holder.token && found.epoch == holder.epoch =>
            {
                return Ok(());
            }
            Ok(Record::Holder(found)) => {
                format!("{} on {}, epoch {}", found.name, found.host, found.epoch)
            }
            Ok(Record::Empty) => "nobody".into(),
            Ok(Record::Torn) => "a record that is being written".into(),
            Ok(Record::Foreign(start)) => format!("something else, {start:?}"),
            Err(error) => {
                return Err(Lost::Io {
                    path: path.into(),
                    error: error.to_string(),
                });
            }
        };
        Err(Lost::HolderChanged {
            path: path.into(),
            found,
        })
    }

    fn now_nanos(&self) -> u64 {
        u64::try_from(self.shared.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Reads the record past the page cache: O_DIRECT, or where that is not offered through a fresh descriptor, which on
/// NFS asks the server whether the cache is still good.
fn read_uncached(path: &Path) -> io::Result<Record> {
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap_or_default();
    let Ok(file) = OpenOptions::new()
        .read(true)
        .custom_flags(direct)
        .open(path)
    else {
        return read_record(&File::open(path)?);
    };
    let mut room = vec![0; limits::RECORD_BYTES * 2];
    let start = room.as_ptr().align_offset(limits::RECORD_BYTES);
    let block = &mut room[start..start + limits::RECORD_BYTES];
    match file.read_at(block, 0) {
        Ok(count) => Ok(Record::decode(&block[..count])),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            read_record(&File::open(path)?)
        }
        Err(error) => Err(error),
    }
}
