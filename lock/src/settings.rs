//! How to wait for the lock and how often to look whether it is still ours.

use std::time::Duration;

use crate::error::Error;
use crate::filesystem::FilesystemKind;
use crate::limits;

/// How a slave waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// Block on local file systems, poll on the others.
    #[default]
    Auto,
    /// Block in the kernel.
    Block,
    /// Ask again and again without blocking.
    Poll,
}

/// Settings of the lock; [`Settings::default`] is right almost everywhere.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How a slave waits.
    pub waiting: Waiting,
    /// Time between two polls, plus up to a quarter of jitter. Default 250 ms.
    pub poll_interval: Duration,
    /// Time between two verifications by the watcher. Default 1 s.
    pub verify_interval: Duration,
    /// Longest time without a successful verification. Default 5 s; must stay well below the lease of the file server.
    pub verify_deadline: Duration,
    /// Go on where the file system was found unfit. For people who know better.
    pub allow_unsafe_filesystem: bool,
    /// Treat the file system as this kind, whatever statfs says.
    pub assume: Option<FilesystemKind>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            waiting: Waiting::Auto,
            poll_interval: limits::POLL_INTERVAL,
            verify_interval: limits::VERIFY_INTERVAL,
            verify_deadline: limits::VERIFY_DEADLINE,
            allow_unsafe_filesystem: false,
            assume: None,
        }
    }
}

impl Settings {
    /// Checks the ranges before anything is touched.
    ///
    /// # Errors
    /// [`Error::Settings`] names the setting and the range.
    pub fn check(&self) -> Result<(), Error> {
        if self.poll_interval < Duration::from_millis(10) {
            return Err(Error::Settings(
                "poll interval must be at least 10 ms".into(),
            ));
        }
        if self.verify_interval < Duration::from_millis(10) {
            return Err(Error::Settings(
                "verify interval must be at least 10 ms".into(),
            ));
        }
        if self.verify_deadline < self.verify_interval * 2 {
            return Err(Error::Settings(
                "verify deadline must be at least twice the verify interval".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_nonsense_is_not() {
        Settings::default().check().unwrap();
        let poll = Settings {
            poll_interval: Duration::ZERO,
            ..Settings::default()
        };
        assert!(poll.check().is_err());
        let deadline = Settings {
            verify_deadline: Duration::from_millis(1500),
            ..Settings::default()
        };
        assert!(deadline.check().is_err());
    }
}
