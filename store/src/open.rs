//! Opening the store: the steps of FORMAT.md 5, in their order.
//!
//! Runs only under the lock. Reads the journal from the checkpoint on, or from its beginning when the index is not to
//! be believed; writes nothing before the whole journal was found good. What it hands out is sealed and ready for
//! work.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::apply::apply_batch;
use crate::clock;
use crate::core::Applied;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::index::{Index, Opening};
use crate::journal::{self, After, Batch, Directory, End, View, Writer, WriterSettings};
use crate::layout;
use crate::limits;
use crate::position::{SegmentNumber, StagedId};
use crate::record::Record;
use crate::settings::{Progress, ReplayProgress, Settings};
use crate::summary::Recovery;

/// A store that has recovered.
pub(crate) struct Recovered {
    pub(crate) applied: Applied,
    /// The stable checkpoint that was replayed from; nothing, 0, without one.
    pub(crate) checkpoint: SegmentNumber,
    pub(crate) directory: Arc<Directory>,
    pub(crate) writer: Writer,
    pub(crate) recovery: Recovery,
}

/// Recovers the journal and the index in `dir`, seals the previous epoch and voids what it left uncommitted.
///
/// # Errors
/// [`Error::NotOurs`], [`Error::Damaged`], [`Error::Format`], [`Error::Full`], [`Error::Io`],
/// [`Error::LostMastership`].
pub(crate) fn recover(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    mut opening: Opening<'_>,
    writing: &WriterSettings,
    verify: &dyn Fn() -> Result<()>,
) -> Result<Recovered> {
    layout::prepare(&**fs, dir)?;
    let directory = Arc::new(Directory::open(Arc::clone(fs), &layout::journal_dir(dir))?);
    opening.oldest_segment = directory.segments().first().map(|info| info.number);
    let mut recovery = Recovery {
        epoch: opening.epoch,
        ..Recovery::default()
    };
    let (mut index, end, from) =
        match replayed(fs, dir, &opening, &directory, verify, &mut recovery) {
            // The index found its database wanting only now and has set it aside: the second time it starts empty.
            Err(Error::Index { .. }) => {
                replayed(fs, dir, &opening, &directory, verify, &mut recovery)?
            }
            result => result?,
        };
    let sealing = Instant::now();
    let now_ms = clock::now_ms();
    let mut writer = Writer::start(&directory, opening.epoch, &end, writing, now_ms, verify)?;
    recovery.rolled_back = roll_back(&mut index, &mut writer, verify, now_ms)?;
    recovery.seal = sealing.elapsed();
    recovery.queues = index.queues();
    // What was replayed counts as a tail, so that a long replay is followed by a checkpoint soon.
    let applied = Applied {
        index,
        after: writer.after(),
        bytes: end.bytes_read,
    };
    Ok(Recovered {
        applied,
        checkpoint: from.map_or(SegmentNumber(0), |from| from.position.segment),
        directory,
        writer,
        recovery,
    })
}

/// Opens the index and replays the journal onto it; answers from where, too.
fn replayed(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    opening: &Opening<'_>,
    directory: &Directory,
    verify: &dyn Fn() -> Result<()>,
    recovery: &mut Recovery,
) -> Result<(Index, End, Option<After>)> {
    let started = Instant::now();
    let opened = Index::open(Arc::clone(fs), dir, opening)?;
    recovery.index_open = started.elapsed();
    recovery.index_rebuilt = recovery.index_rebuilt.take().or(opened.rebuilt);
    let mut replay = Replay::new(opened.index, opening.settings, verify);
    let end = journal::recover(directory, opened.from, &mut |view| replay.visit(&view))?;
    replay.index.settle()?;
    replay.index.forget_nameless()?;
    recovery.replay = replay.started.elapsed();
    recovery.records = replay.records;
    recovery.batches = replay.batches;
    recovery.bytes_read = end.bytes_read;
    Ok((replay.index, end, opened.from))
}

struct Replay<'a> {
    index: Index,
    progress: &'a Progress,
    progress_interval: Duration,
    verify: &'a dyn Fn() -> Result<()>,
    started: Instant,
    told: Instant,
    records: u64,
    batches: u64,
}

impl<'a> Replay<'a> {
    fn new(index: Index, settings: &'a Settings, verify: &'a dyn Fn() -> Result<()>) -> Self {
        let started = Instant::now();
        Self {
            index,
            progress: &settings.progress,
            progress_interval: settings.progress_interval,
            verify,
            started,
            told: started,
            records: 0,
            batches: 0,
        }
    }

    fn visit(&mut self, view: &View<'_>) -> Result<()> {
        self.records +=
            apply_batch(&mut self.index, view.position, view.records, view.time_ms)?.records;
        self.batches += 1;
        if self.index.dirty_bytes() > limits::REPLAY_DIRTY_BYTES {
            self.checkpoint(view.after())?;
        }
        if self.told.elapsed() >= self.progress_interval {
            self.told = Instant::now();
            let (batches, records) = (self.batches, self.records);
            self.progress.tell(ReplayProgress {
                batches,
                records,
                elapsed: self.started.elapsed(),
            });
        }
        Ok(())
    }

    /// A rebuild of millions of messages must not need memory for all of them at once.
    fn checkpoint(&mut self, after: After) -> Result<()> {
        self.index.sweep(clock::now_ms())?;
        let snapshot = self.index.begin_checkpoint(after);
        let written = snapshot.write(self.verify)?;
        self.index.finish_checkpoint(written);
        Ok(())
    }
}

/// Voids what was staged and never committed; the first batch of the new epoch says so.
fn roll_back(
    index: &mut Index,
    writer: &mut Writer,
    verify: &dyn Fn() -> Result<()>,
    now_ms: u64,
) -> Result<usize> {
    let open: Vec<StagedId> = index.open_staged();
    if open.is_empty() {
        return Ok(0);
    }
    let mut batch = Batch::new();
    for transaction in &open {
        batch.push_record(&Record::StagedRollback {
            transaction: *transaction,
        });
    }
    let placed = writer.append(&mut batch, now_ms)?;
    verify()?;
    apply_batch(index, placed.position, batch.records(), now_ms)?;
    Ok(open.len())
}
