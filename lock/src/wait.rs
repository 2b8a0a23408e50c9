//! Becoming master: block or poll until the lock is ours, then raise the epoch and say who we are.
//!
//! A slave keeps trying whatever the cause, and says which it is. Only what an operator must change ends the wait: a
//! file system that cannot keep masters apart, a lock file of another program.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::epoch::Epoch;
use crate::error::Error;
use crate::file::{LockFile, NAME, read_record};
use crate::filesystem::Filesystem;
use crate::held::Held;
use crate::holder::{Holder, Identity, Record};
use crate::limits;
use crate::settings::{Settings, Waiting};
use crate::stop::Stop;
use crate::verifier::Verifier;

/// What a waiting slave has to say; at once, then every 30 s, and when the reason changes.
#[derive(Debug)]
pub enum Progress {
    /// The lock is not to be had yet.
    Waiting {
        /// Who holds it, as far as the record tells.
        holder: Option<Box<Holder>>,
        /// Why it is not ours.
        reason: WaitReason,
        /// How long we have been waiting.
        waited: Duration,
    },
    /// Something an operator should know about the file system; said once.
    Warning(String),
}

/// Why the lock is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitReason {
    /// Another process holds it.
    #[error("locked by another broker")]
    Locked,
    /// The directory or the lock file may not be opened for writing.
    #[error("permission denied: this user cannot write the data directory or its lock file")]
    PermissionDenied,
    /// The data directory is not there.
    #[error("the data directory does not exist (is it mounted?)")]
    NotFound,
    /// The file server or kernel has no locks to give.
    #[error("no locks available: the lock service of the file server does not answer")]
    NoLocks,
    /// The file system is mounted read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// Something else.
    #[error("{0}")]
    Io(String),
}

/// Waits until the lock is ours, raises the epoch above everything seen and writes the holder record.
///
/// Blocks the calling thread. `seen_epoch` is asked once, after the lock is held, for the highest epoch in the journal.
///
/// # Errors
/// [`Error::Stopped`] when `stop` was set; otherwise what an operator has to change.
pub fn acquire(
    dir: &Path,
    identity: &Identity,
    settings: &Settings,
    seen_epoch: impl FnOnce(&Path) -> Result<Epoch, io::Error>,
    stop: &Stop,
    notify: &mut dyn FnMut(Progress),
) -> Result<Held, Error> {
    settings.check()?;
    let mut wait = Wait {
        dir,
        settings,
        stop,
        notify,
        began: Instant::now(),
        reported: None,
    };
    let (file, filesystem) = wait.lock()?;
    for warning in &filesystem.warnings {
        (wait.notify)(Progress::Warning(warning.clone()));
    }
    take(dir, file, filesystem, identity, settings, seen_epoch)
}

/// The lock is ours: find out who was before us, raise the epoch, write and sync, verify.
fn take(
    dir: &Path,
    file: LockFile,
    filesystem: Filesystem,
    identity: &Identity,
    settings: &Settings,
    seen_epoch: impl FnOnce(&Path) -> Result<Epoch, io::Error>,
) -> Result<Held, Error> {
    let record = file.read()?;
    let seen = seen_epoch(dir).map_err(Error::io("list the journal in", dir))?;
    let (previous, before) = match record {
        Record::Holder(holder) => (Some(holder.clone()), holder.epoch.max(seen)),
        Record::Empty => (None, seen),
        // Its writer raised an epoch that we cannot read: leave room for it.
        Record::Torn => (None, seen.next()),
        Record::Foreign(found) => {
            return Err(Error::Foreign {
                path: file.path().into(),
                found,
            });
        }
    };
    let holder = Holder::new(identity, before.next()).map_err(|error| {
        Error::io("get random bytes for", file.path())(io::Error::other(error.to_string()))
    })?;
    file.write(&holder)?;
    let file = Arc::new(file);
    let reads_record = !filesystem.is_local();
    let verifier = Verifier::new(
        Arc::clone(&file),
        holder.clone(),
        reads_record,
        settings.verify_deadline,
    );
    let held = Held {
        file,
        dir: dir.to_owned(),
        holder,
        previous,
        filesystem,
        verifier,
    };
    held.verifier.verify()?;
    Ok(held)
}

/// One wait for the lock.
struct Wait<'a> {
    dir: &'a Path,
    settings: &'a Settings,
    stop: &'a Stop,
    notify: &'a mut dyn FnMut(Progress),
    began: Instant,
    reported: Option<(Instant, WaitReason)>,
}

/// What one look at the lock gave.
enum Attempt {
    Ours(LockFile),
    Theirs(LockFile),
}

impl Wait<'_> {
    fn lock(&mut self) -> Result<(LockFile, Filesystem), Error> {
        loop {
            if self.stop.is_stopped() {
                return Err(Error::Stopped);
            }
            let filesystem = match self.filesystem() {
                Ok(filesystem) => filesystem,
                Err(error) => {
                    self.pause_after(error)?;
                    continue;
                }
            };
            let attempt = match self.attempt() {
                Ok(Attempt::Theirs(file)) => self.wait_for(file, &filesystem),
                other => other.map(|attempt| match attempt {
                    Attempt::Ours(file) | Attempt::Theirs(file) => Some(file),
                }),
            };
            match attempt {
                // A lock on a file that is no longer at its path is worth nothing: open again.
                Ok(Some(file)) if file.is_in_place().unwrap_or(false) => {
                    return Ok((file, filesystem));
                }
                Ok(_) => {}
                Err(error) => self.pause_after(error)?,
            }
        }
    }

    fn filesystem(&self) -> Result<Filesystem, Error> {
        let filesystem = Filesystem::of(self.dir, self.settings.assume)?;
        if filesystem.refusals.is_empty() || self.settings.allow_unsafe_filesystem {
            return Ok(filesystem);
        }
        Err(Error::UnsafeFilesystem {
            dir: self.dir.into(),
            why: filesystem.refusals.join("; "),
        })
    }

    fn attempt(&mut self) -> Result<Attempt, Error> {
        let file = LockFile::in_dir(self.dir)?;
        let locked = file.try_lock().map_err(Error::io("lock", file.path()))?;
        Ok(if locked {
            Attempt::Ours(file)
        } else {
            Attempt::Theirs(file)
        })
    }

    /// Another holds it: wait the way that suits the file system. `None` means look again from the start.
    fn wait_for(
        &mut self,
        file: LockFile,
        filesystem: &Filesystem,
    ) -> Result<Option<LockFile>, Error> {
        self.report(WaitReason::Locked);
        let block = match self.settings.waiting {
            Waiting::Auto => filesystem.is_local(),
            Waiting::Block => true,
            Waiting::Poll => false,
        };
        if block {
            return self.block(file);
        }
        drop(file);
        self.stop.wait(jittered(self.settings.poll_interval));
        Ok(None)
    }

    /// Waits in the kernel, on a thread of its own because such a wait cannot be interrupted. When the lock comes after
    /// a stop, that thread drops the file and with it the lock.
    fn block(&mut self, file: LockFile) -> Result<Option<LockFile>, Error> {
        let path = file.path().to_owned();
        let result: Arc<Mutex<Slot>> = Arc::default();
        let (slot, wake) = (Arc::clone(&result), self.stop.clone());
        let waiter = move || {
            let outcome = file.lock().map(|()| file);
            slot.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill(outcome);
            wake.nudge();
        };
        thread::Builder::new()
            .name("lock-wait".into())
            .spawn(waiter)
            .map_err(Error::io("wait for", &path))?;
        loop {
            let stopped = self.stop.wait(limits::REPORT_INTERVAL);
            let mut slot = result.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(outcome) = slot.outcome.take() {
                return outcome.map(Some).map_err(Error::io("lock", &path));
            }
            if stopped {
                slot.abandoned = true;
                return Err(Error::Stopped);
            }
            drop(slot);
            self.report(WaitReason::Locked);
        }
    }

    /// Says why we wait and tries again a little later; gives up only on what waiting cannot mend.
    fn pause_after(&mut self, error: Error) -> Result<(), Error> {
        let Error::Io { source, .. } = &error else {
            return Err(error);
        };
        self.report(WaitReason::of(source, &error));
        self.stop.wait(limits::RETRY_PAUSE);
        Ok(())
    }

    fn report(&mut self, reason: WaitReason) {
        let due = self.reported.as_ref().is_none_or(|(at, said)| {
            *said != reason || at.elapsed() + Duration::from_millis(100) >= limits::REPORT_INTERVAL
        });
        if !due {
            return;
        }
        self.reported = Some((Instant::now(), reason.clone()));
        // Reading through a descriptor of its own is safe: flock belongs to the open file, and this one never locks.
        let record = std::fs::File::open(self.dir.join(NAME)).and_then(|file| read_record(&file));
        let holder = match record {
            Ok(Record::Holder(holder)) if !holder.released => Some(Box::new(holder)),
            _ => None,
        };
        (self.notify)(Progress::Waiting {
            holder,
            reason,
            waited: self.began.elapsed(),
        });
    }
}

/// Where the blocked thread leaves its file.
#[derive(Default)]
struct Slot {
    outcome: Option<io::Result<LockFile>>,
    abandoned: bool,
}

impl Slot {
    fn fill(&mut self, outcome: io::Result<LockFile>) {
        if !self.abandoned {
            self.outcome = Some(outcome);
        }
    }
}

impl WaitReason {
    fn of(source: &io::Error, error: &Error) -> Self {
        match source
            .raw_os_error()
            .map(rustix::io::Errno::from_raw_os_error)
        {
            Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => Self::PermissionDenied,
            Some(rustix::io::Errno::NOENT) => Self::NotFound,
            Some(rustix::io::Errno::NOLCK) => Self::NoLocks,
            Some(rustix::io::Errno::ROFS) => Self::ReadOnly,
            _ => Self::Io(error.to_string()),
        }
    }
}

/// The interval plus up to a quarter, so that slaves do not ask in step.
fn jittered(interval: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes the slaves ask in step, which is only less polite.
    let _ = getrandom::fill(&mut byte);
    interval + interval * u32::from(byte[0]) / 1024
}

#[cfg(test)]
mod tests;
