//! The one that writes: frames batches, writes each durably, rolls into the next segment (FORMAT.md 2, 3, 5 step 8).
//!
//! Per batch one system call and no allocation. After any failed write it is poisoned for good: what is on disk is
//! unknown then, and only the next master's recovery may find out. It does not verify the lock; whoever lets anything
//! follow from a batch does that.

use std::path::PathBuf;
use std::sync::Arc;

use super::batch::Batch;
use super::directory::{Directory, SegmentInfo};
use super::end::{After, End};
use super::frame::{HEADER_BYTES, padded_len};
use super::preparer::{Prepare, Preparer};
use super::segment::SegmentHeader;
use super::spares::{Maker, Spare};
use crate::error::{Error, Result};
use crate::fs::{AlignedBuf, SegmentFile};
use crate::limits::{BLOCK_BYTES, MAX_FRAME_BYTES};
use crate::position::{BatchNumber, Position};
use crate::record::{Record, Seal};
use crate::settings::Settings;

/// What the writer is told about sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriterSettings {
    /// Length of the first segment of the epoch.
    pub(crate) first_segment_bytes: u64,
    /// Length of the segments after it, once they have grown to it.
    pub(crate) segment_bytes: u64,
    /// At most this much for all segments, one reserve not counted.
    pub(crate) journal_limit_bytes: Option<u64>,
    /// Who makes segments ready.
    pub(crate) prepare: Prepare,
}

impl From<&Settings> for WriterSettings {
    fn from(settings: &Settings) -> Self {
        Self {
            first_segment_bytes: settings.first_segment_bytes,
            segment_bytes: settings.segment_bytes,
            journal_limit_bytes: settings.journal_limit_bytes,
            prepare: Prepare::Background,
        }
    }
}

/// Where a batch was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Position of its first record byte: a record at offset n of the batch lies n bytes behind it.
    pub(crate) position: Position,
    /// Its number.
    pub(crate) number: BatchNumber,
    /// Its CRC-32 field.
    pub(crate) crc: u32,
    /// The place behind it.
    pub(crate) after: After,
    /// Bytes written for it, a new segment's head included.
    pub(crate) bytes_on_disk: u64,
    /// A new segment was begun for it.
    pub(crate) rolled: bool,
}

/// Appends batches to the journal of one epoch.
pub(crate) struct Writer {
    directory: Arc<Directory>,
    preparer: Preparer,
    epoch: u64,
    file: Box<dyn SegmentFile>,
    info: SegmentInfo,
    /// The place behind the last batch.
    after: After,
    /// Header block and seal of a new segment.
    head: AlignedBuf,
    seal: Batch,
    poisoned: bool,
}

impl Writer {
    /// Seals the end that recovery has found in a new segment of this epoch, and begins to remove what holds nothing: only
    /// after `verify`, because a successor that raised its epoch before the seal was durable may have found batches there.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when the epoch is not above every epoch that recovery has seen, [`Error::Full`] when there is
    /// no room for the first segment, [`Error::Io`], [`Error::Thread`], what `verify` says.
    pub(crate) fn start(
        directory: &Arc<Directory>,
        epoch: u64,
        end: &End,
        settings: &WriterSettings,
        now_ms: u64,
        verify: &dyn Fn() -> Result<()>,
    ) -> Result<Self> {
        if epoch <= end.highest_epoch {
            let found = end.highest_epoch;
            return Err(Error::Overtaken { epoch, found });
        }
        let mut maker = Maker::new(Arc::clone(directory), epoch, end.highest_number, settings);
        let mut leftovers = end.leftovers.clone();
        directory.set_aside(&leftovers);
        let mut first = maker.make_now();
        if matches!(first, Err(Error::Full { .. })) {
            // The last master's spares are room enough, once they are gone.
            verify()?;
            for leftover in leftovers.drain(..) {
                drop(directory.remove_file(&directory.path_of(&leftover))?);
            }
            first = maker.make_now();
        }
        let first = first?;
        let mut writer = Self {
            directory: Arc::clone(directory),
            preparer: Preparer::new(maker),
            epoch,
            info: first.info,
            file: first.file,
            after: end.after(),
            head: AlignedBuf::with_capacity(usize::try_from(2 * BLOCK_BYTES).expect("two blocks")),
            seal: Batch::with_capacity(0),
            poisoned: false,
        };
        writer.write_head(end.seal(), now_ms)?;
        verify()?;
        writer.preparer.run(settings.prepare, leftovers)?;
        Ok(writer)
    }

    /// Frames the batch, writes it and returns when it is durable. The batch keeps its records; the caller clears it.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::TooLarge`]: nothing was written, the batch is as it was, the writer goes on.
    /// Anything else poisons the writer.
    ///
    /// # Panics
    /// On an empty batch.
    pub(crate) fn append(&mut self, batch: &mut Batch, now_ms: u64) -> Result<Placed> {
        self.append_as(batch, now_ms, false)
    }

    /// As [`Writer::append`], for batches that store no message: may use the segment held in reserve, so that consumers
    /// go on and space comes back when the disk is full.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub(crate) fn append_urgent(&mut self, batch: &mut Batch, now_ms: u64) -> Result<Placed> {
        self.append_as(batch, now_ms, true)
    }

    /// The place behind the last batch.
    pub(crate) fn after(&self) -> After {
        self.after
    }

    fn append_as(&mut self, batch: &mut Batch, now_ms: u64, urgent: bool) -> Result<Placed> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        assert!(!batch.is_empty(), "a batch holds at least one record");
        if batch.len() > MAX_FRAME_BYTES {
            return Err(Error::TooLarge {
                bytes: batch.len(),
                limit: MAX_FRAME_BYTES,
            });
        }
        let placed = self.place(batch, now_ms, urgent);
        if placed
            .as_ref()
            .is_err_and(|error| !matches!(error, Error::Full { .. }))
        {
            self.poisoned = true;
            self.preparer.stop();
        }
        placed
    }

    fn place(&mut self, batch: &mut Batch, now_ms: u64, urgent: bool) -> Result<Placed> {
        let len = padded_len(batch.len());
        let rolled = self.after.position.offset + len > self.info.bytes;
        if rolled {
            self.roll(len, urgent, now_ms)?;
        }
        let position = Position {
            segment: self.info.number,
            offset: self.after.position.offset + HEADER_BYTES as u64,
        };
        let after = self.write(batch, now_ms)?;
        let head = if rolled { 2 * BLOCK_BYTES } else { 0 };
        Ok(Placed {
            position,
            number: after.number,
            crc: after.crc,
            after,
            bytes_on_disk: len + head,
            rolled,
        })
    }

    /// Begins the next segment with a seal of this one. The old file is closed, and with it its lock.
    fn roll(&mut self, batch_bytes: u64, urgent: bool, now_ms: u64) -> Result<()> {
        let Spare { info, file, .. } = self.preparer.take(urgent, 2 * BLOCK_BYTES + batch_bytes)?;
        let seal = Seal {
            epoch: self.epoch,
            segment: self.info.number,
            end: self.after.position.offset,
            last_batch: self.after.number.0,
            last_crc: self.after.crc,
        };
        self.info = info;
        self.file = file;
        self.write_head(seal, now_ms)?;
        tracing::debug!(event = "segment.rolled", segment = %info.number, "next segment");
        Ok(())
    }

    /// Header and seal go out alone in one write: whatever stands behind them in the file proves later that they were
    /// durable, so a torn head never hides an acknowledged batch.
    fn write_head(&mut self, seal: Seal, now_ms: u64) -> Result<()> {
        let info = self.info;
        let header = SegmentHeader {
            epoch: info.epoch,
            number: info.number,
            length: info.bytes,
        };
        self.seal.clear();
        self.seal.push_record(&Record::Seal(seal));
        let number = BatchNumber(seal.last_batch + 1);
        let (crc, blocks) = self.seal.frame(seal.last_crc, self.epoch, number.0, now_ms);
        assert_eq!(
            blocks.len() as u64,
            BLOCK_BYTES,
            "a seal fits into one block"
        );
        self.head.truncate(0);
        self.head.extend(&header.encode());
        self.head.pad();
        self.head.extend(blocks);
        self.file
            .write_durable(0, self.head.as_slice())
            .map_err(Error::io("write", self.path()))?;
        let position = Position {
            segment: info.number,
            offset: 2 * BLOCK_BYTES,
        };
        self.after = After {
            position,
            number,
            crc,
        };
        Ok(())
    }

    fn write(&mut self, batch: &mut Batch, now_ms: u64) -> Result<After> {
        let number = BatchNumber(self.after.number.0 + 1);
        let (crc, blocks) = batch.frame(self.after.crc, self.epoch, number.0, now_ms);
        let offset = self.after.position.offset;
        if let Err(source) = self.file.write_durable(offset, blocks) {
            return Err(Error::Io {
                what: "write",
                path: self.path(),
                source,
            });
        }
        let position = Position {
            segment: self.info.number,
            offset: offset + blocks.len() as u64,
        };
        self.after = After {
            position,
            number,
            crc,
        };
        Ok(self.after)
    }

    fn path(&self) -> PathBuf {
        self.directory.path_of(&self.info)
    }
}
