//! What an operator may set about the store, with its defaults, checked before any file is touched.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits;

/// Settings of a store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of a journal segment.
    pub segment_bytes: u64,
    /// Length of the first segment of an epoch: short, because a takeover waits for it to be written.
    pub first_segment_bytes: u64,
    /// Journal bytes between two checkpoints. Committing waits for a running checkpoint at twice this.
    pub checkpoint_bytes: u64,
    /// Records collected into one batch, except that one larger unit of work gets a batch of its own.
    pub max_batch_bytes: usize,
    /// At most this much disk for the journal; the free space of the disk when `None`.
    pub journal_limit_bytes: Option<u64>,
    /// Memory for pages of the index that are unchanged since the last checkpoint.
    pub page_cache_bytes: usize,
    /// Changed parts of the index in memory that make a checkpoint due. Committing waits for a running one at twice this.
    pub dirty_bytes: usize,
    /// A producer not heard of for this long is forgotten, and with it the guard against its duplicates.
    pub producer_age: Duration,
    /// How long the outcome of a transaction is remembered.
    pub outcome_age: Duration,
    /// About so many outcomes are remembered; beyond it the oldest are forgotten before their time.
    pub outcome_limit: usize,
    /// Sleep after each sync: makes a fast disk behave like a slow one in tests and benchmarks.
    pub sync_delay: Option<Duration>,
    /// Told during a long replay.
    pub progress: Progress,
    /// How often `progress` is told; after every batch when zero.
    pub progress_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: limits::SEGMENT_BYTES,
            first_segment_bytes: limits::FIRST_SEGMENT_BYTES,
            checkpoint_bytes: limits::CHECKPOINT_BYTES,
            max_batch_bytes: limits::MAX_BATCH_BYTES,
            journal_limit_bytes: None,
            page_cache_bytes: limits::PAGE_CACHE_BYTES,
            dirty_bytes: limits::DIRTY_BYTES,
            producer_age: limits::PRODUCER_AGE,
            outcome_age: limits::OUTCOME_AGE,
            outcome_limit: limits::OUTCOMES,
            sync_delay: None,
            progress: Progress::default(),
            progress_interval: limits::PROGRESS_EVERY,
        }
    }
}

impl Settings {
    /// Checks every value; names the first that cannot be.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        check_segment("segment_bytes", self.segment_bytes)?;
        check_segment("first_segment_bytes", self.first_segment_bytes)?;
        at_least(
            "checkpoint_bytes",
            self.checkpoint_bytes,
            limits::MIN_SEGMENT_BYTES,
        )?;
        at_least(
            "max_batch_bytes",
            self.max_batch_bytes as u64,
            limits::BLOCK_BYTES,
        )?;
        at_least("dirty_bytes", self.dirty_bytes as u64, limits::BLOCK_BYTES)?;
        let spares = limits::MIN_SEGMENTS * self.segment_bytes;
        match self.journal_limit_bytes {
            Some(limit) => at_least("journal_limit_bytes", limit, spares),
            None => Ok(()),
        }
    }
}

fn check_segment(name: &'static str, bytes: u64) -> Result<()> {
    at_least(name, bytes, limits::MIN_SEGMENT_BYTES)?;
    if !bytes.is_multiple_of(limits::BLOCK_BYTES) {
        let why = format!("{bytes} bytes is not a multiple of {}", limits::BLOCK_BYTES);
        return Err(Error::Setting { name, why });
    }
    Ok(())
}

fn at_least(name: &'static str, bytes: u64, least: u64) -> Result<()> {
    if bytes < least {
        return Err(Error::Setting {
            name,
            why: format!("{bytes} bytes is below the least, {least}"),
        });
    }
    Ok(())
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Batches replayed so far.
    pub batches: u64,
    /// Records replayed so far.
    pub records: u64,
    /// Time since the replay began.
    pub elapsed: Duration,
}

/// Somebody who wants to hear of progress, or nobody.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(ReplayProgress) + Send + Sync>>);

impl Progress {
    /// Calls `told` every [`Settings::progress_interval`] while a replay runs.
    pub fn new(told: impl Fn(ReplayProgress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(crate) fn tell(&self, progress: ReplayProgress) {
        if let Some(told) = &self.0 {
            told(progress);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Progress(told)"
        } else {
            "Progress(nobody)"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().expect_err("must be refused").to_string()
    }

    #[test]
    fn defaults_pass_and_nonsense_is_named() {
        Settings::default().check().expect("defaults are valid");
        assert!(
            refused(|s| s.segment_bytes = 1)
                .starts_with("store setting segment_bytes: 1 bytes is below")
        );
        assert!(refused(|s| s.first_segment_bytes += 1).contains("not a multiple of 4096"));
        assert!(refused(|s| s.checkpoint_bytes = 0).contains("checkpoint_bytes"));
        assert!(refused(|s| s.max_batch_bytes = 7).contains("max_batch_bytes"));
        assert!(refused(|s| s.dirty_bytes = 0).contains("dirty_bytes"));
        assert!(refused(|s| s.journal_limit_bytes = Some(1 << 20)).contains("journal_limit_bytes"));
    }
}
