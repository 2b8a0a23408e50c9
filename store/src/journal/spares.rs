//! Segments made ready ahead of need, one small step at a time (FORMAT.md 2).
//!
//! A segment is reserved (created, its blocks allocated) and then filled (zeros, sync, directory sync, lock). Two are kept:
//! one to roll into, one in reserve that only acknowledgements may use once the disk is full. Who runs the steps is the
//! preparer's business; this knows no threads beyond its own mutex.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::directory::{Directory, SegmentInfo};
use super::writer::WriterSettings;
use crate::error::{Error, Result};
use crate::fs::SegmentFile;
use crate::limits::{SEGMENT_GROWTH, SPARE_SEGMENTS, URGENT_FILL_BYTES};
use crate::position::SegmentNumber;

/// A segment file that is reserved, being filled, or ready for its first batch.
pub(super) struct Spare {
    pub(super) info: SegmentInfo,
    pub(super) file: Box<dyn SegmentFile>,
    path: PathBuf,
    filled: u64,
    /// Synced, named durably and locked.
    finished: bool,
}

/// What the steps have produced so far.
#[derive(Default)]
pub(super) struct Spares {
    reserved: VecDeque<Spare>,
    ready: VecDeque<Spare>,
    /// The one that [`Step::Fill`] has taken out.
    filling: usize,
}

/// What is to be done next.
pub(super) enum Step {
    /// Reserve one more; the flag says that it is the last reserve, which may exceed the journal's limit.
    Reserve { last_reserve: bool },
    /// Fill this one a little further.
    Fill(Spare),
}

/// How a segment is made.
pub(super) struct Maker {
    directory: Arc<Directory>,
    epoch: u64,
    next_number: SegmentNumber,
    next_bytes: u64,
    segment_bytes: u64,
    limit_bytes: Option<u64>,
}

impl Spares {
    /// The next step, if there is anything to do. A fill comes last: room is more urgent than zeros.
    pub(super) fn next_step(&mut self) -> Option<Step> {
        if self.wants_room() {
            return Some(Step::Reserve {
                last_reserve: self.count() == 0,
            });
        }
        self.next_fill()
    }

    /// The next fill, for when nothing more can be reserved.
    pub(super) fn next_fill(&mut self) -> Option<Step> {
        let spare = self.reserved.pop_front()?;
        self.filling += 1;
        Some(Step::Fill(spare))
    }

    pub(super) fn put_reserved(&mut self, spare: Spare) {
        self.reserved.push_back(spare);
    }

    /// Takes back what a fill step worked on.
    pub(super) fn put_filled(&mut self, spare: Spare) {
        self.filling -= 1;
        if spare.finished {
            self.ready.push_back(spare);
        } else {
            self.reserved.push_front(spare);
        }
    }

    /// The one being filled was given up.
    pub(super) fn forget_filling(&mut self) {
        self.filling -= 1;
    }

    pub(super) fn wants_room(&self) -> bool {
        self.count() < SPARE_SEGMENTS
    }

    pub(super) fn wants_fill(&self) -> bool {
        !self.reserved.is_empty()
    }

    /// Whether one is ready, be it the reserve.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the oldest ready one, unless it is the reserve and the caller may not have it.
    pub(super) fn take(&mut self, urgent: bool) -> Option<Spare> {
        if !urgent && self.count() < SPARE_SEGMENTS {
            return None;
        }
        self.ready.pop_front()
    }

    /// Gives back one that turned out too small to be lengthened.
    pub(super) fn put_back(&mut self, spare: Spare) {
        self.ready.push_front(spare);
    }

    /// Whether waiting for steps already possible will yield one.
    pub(super) fn will_have(&self, urgent: bool) -> bool {
        self.count() >= if urgent { 1 } else { SPARE_SEGMENTS }
    }

    fn count(&self) -> usize {
        self.reserved.len() + self.filling + self.ready.len()
    }
}

impl Maker {
    pub(super) fn new(
        directory: Arc<Directory>,
        epoch: u64,
        highest: SegmentNumber,
        settings: &WriterSettings,
    ) -> Self {
        Self {
            directory,
            epoch,
            next_number: SegmentNumber(highest.0 + 1),
            next_bytes: settings.first_segment_bytes,
            segment_bytes: settings.segment_bytes,
            limit_bytes: settings.journal_limit_bytes,
        }
    }

    /// Makes the first segment ready at once.
    ///
    /// # Errors
    /// As [`Maker::reserve`]; the limit does not count here.
    pub(super) fn make_now(&mut self) -> Result<Spare> {
        let mut spare = self.reserve(true)?;
        while !spare.finished {
            if let Err(error) = self.fill(&mut spare, URGENT_FILL_BYTES) {
                self.discard(spare)?;
                return Err(error);
            }
        }
        Ok(spare)
    }

    /// Creates the next segment and allocates its blocks.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room or, unless `last_reserve`, the limit would be exceeded; [`Error::Io`].
    pub(super) fn reserve(&mut self, last_reserve: bool) -> Result<Spare> {
        let bytes = self.next_bytes;
        if let Some(limit) = self.limit_bytes
            && !last_reserve
        {
            let available = limit.saturating_sub(self.directory.bytes_on_disk());
            if bytes > available {
                return Err(Error::Full {
                    needed: bytes,
                    available,
                });
            }
        }
        // A name is used once, even when the creation fails half way.
        let info = SegmentInfo {
            number: self.next_number,
            epoch: self.epoch,
            bytes,
        };
        self.next_number = SegmentNumber(self.next_number.0 + 1);
        let path = self.directory.path_of(&info);
        let created = self.directory.fs().create(&path, bytes);
        let file = created.map_err(|source| self.judge("create", &path, bytes, source))?;
        self.next_bytes = (bytes * SEGMENT_GROWTH).min(self.segment_bytes);
        self.directory.register(info);
        Ok(Spare {
            info,
            file,
            path,
            filled: 0,
            finished: false,
        })
    }

    /// Fills a piece of at most so many bytes, or when all are filled syncs, names durably and locks the segment. A step
    /// each, because the thread can be stopped only between two.
    ///
    /// # Errors
    /// As [`Maker::reserve`]. The spare is lost then.
    pub(super) fn fill(&self, spare: &mut Spare, bytes: u64) -> Result<()> {
        let (path, total) = (&spare.path, spare.info.bytes);
        let piece = bytes.min(total - spare.filled);
        if piece > 0 {
            let filled = spare.file.fill(spare.filled, piece);
            filled.map_err(|source| self.judge("fill", path, total, source))?;
            spare.filled += piece;
            return Ok(());
        }
        spare
            .file
            .finish()
            .map_err(|source| self.judge("sync", path, total, source))?;
        self.directory.sync()?;
        spare.file.lock().map_err(Error::io("lock", path))?;
        spare.finished = true;
        Ok(())
    }

    /// Removes a spare that could not be filled, so that it does not hold the room it had got.
    pub(super) fn discard(&self, spare: Spare) -> Result<()> {
        let Spare { file, path, .. } = spare;
        drop(file);
        self.directory.remove_file(&path).map(drop)
    }

    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    fn judge(
        &self,
        what: &'static str,
        path: &std::path::Path,
        needed: u64,
        source: io::Error,
    ) -> Error {
        if is_full(&source) {
            let available = self.directory.available_space().unwrap_or(0);
            return Error::Full { needed, available };
        }
        Error::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// Lengthens a ready segment to at least `bytes`, for a batch that does not fit into an ordinary one.
///
/// # Errors
/// [`Error::Full`], after which the segment is as it was; [`Error::Io`].
pub(super) fn lengthen(directory: &Directory, spare: &mut Spare, bytes: u64) -> Result<()> {
    if bytes <= spare.info.bytes {
        return Ok(());
    }
    match spare.file.grow(spare.info.bytes, bytes) {
        Ok(()) => {
            spare.info.bytes = bytes;
            directory.register(spare.info);
            Ok(())
        }
        Err(source) if is_full(&source) => {
            let available = directory.available_space().unwrap_or(0);
            Err(Error::Full {
                needed: bytes - spare.info.bytes,
                available,
            })
        }
        Err(source) => Err(Error::Io {
            what: "lengthen",
            path: spare.path.clone(),
            source,
        }),
    }
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
