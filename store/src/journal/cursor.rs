//! Reads batches out of one segment file, some way ahead.
//!
//! Checks each batch against itself (magic, length within the segment, checksum) and against what it must follow. A length
//! is believed only when the batch fits below the limit. It does not decide what an invalid batch means.

use std::path::PathBuf;
use std::sync::Arc;

use super::directory::{Directory, SegmentInfo};
use super::frame::{BatchHeader, HEADER_BYTES, checksum};
use super::view::View;
use crate::error::{Error, Result};
use crate::fs::ReadFile;
use crate::limits::{ANNOUNCED_BYTES, BLOCK, BLOCK_BYTES, LAST_READ_BYTES, READ_AHEAD_BYTES};
use crate::position::{BatchNumber, Position, SegmentNumber};

/// What the next batch of a chain must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) epoch: u64,
    pub(super) number: u64,
    pub(super) previous_crc: u32,
}

impl Expected {
    /// What must follow this batch in the same segment.
    pub(super) fn behind(view: &View<'_>) -> Self {
        Self {
            epoch: view.epoch,
            number: view.number.0 + 1,
            previous_crc: view.crc,
        }
    }
}

/// What stands at an offset.
pub(super) enum Found<'a> {
    /// The batch that was expected.
    Batch(View<'a>),
    /// Anything else, and why.
    Invalid(String),
}

/// A window over one segment file.
pub(super) struct Cursor {
    file: Arc<dyn ReadFile>,
    path: PathBuf,
    segment: SegmentNumber,
    /// Nothing from here on is read.
    limit: u64,
    ahead: usize,
    window: Vec<u8>,
    window_at: u64,
    /// The disk was told that bytes up to here will be needed.
    announced: u64,
    /// It is not told of what lies from here on: that may not be needed.
    announce_until: u64,
    bytes_read: u64,
}

impl Cursor {
    /// Opens a segment to be read up to `limit`, at least `ahead` bytes at a time.
    pub(super) fn open(
        directory: &Directory,
        info: &SegmentInfo,
        limit: u64,
        ahead: usize,
    ) -> Result<Self> {
        let path = directory.path_of(info);
        let file = directory
            .fs()
            .open_read(&path)
            .map_err(Error::io("open", &path))?;
        if ahead < READ_AHEAD_BYTES {
            // Who reads less at a time does not want the kernel to read on.
            file.will_jump();
        }
        let (window, window_at, announced, bytes_read) = (Vec::new(), 0, 0, 0);
        Ok(Self {
            file,
            path,
            segment: info.number,
            limit,
            ahead,
            window,
            window_at,
            announced,
            announce_until: limit,
            bytes_read,
        })
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// From now on at least this many bytes are read at a time.
    pub(super) fn read_ahead(&mut self, ahead: usize) {
        self.ahead = ahead;
    }

    /// Tells the disk that these bytes will be read, and from now on of nothing behind them. Reads become small: what lies
    /// there is hardly worth reading.
    pub(super) fn announce_last(&mut self, from: u64, len: u64) {
        self.announce_until = (from + len).min(self.limit);
        self.announce(from, self.announce_until);
        self.ahead = self.ahead.min(LAST_READ_BYTES);
    }

    /// Tells the disk, as far as it was not told before.
    fn announce(&mut self, from: u64, until: u64) {
        let (from, until) = (from.max(self.announced), until.min(self.announce_until));
        if until > from {
            self.file.will_need(from, until - from);
            self.announced = until;
        }
    }

    /// Damage at an offset of this file.
    pub(super) fn damaged(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            offset,
            what: what.into(),
        }
    }

    /// The bytes at an offset; fewer when the limit or the end of the file comes first.
    pub(super) fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8]> {
        let left = usize::try_from(self.limit.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = len.min(left);
        let skip = at
            .checked_sub(self.window_at)
            .and_then(|skip| usize::try_from(skip).ok());
        let inside = skip.filter(|skip| skip.saturating_add(len) <= self.window.len());
        let from = match inside {
            Some(skip) => skip,
            None => {
                self.load(at, len.max(self.ahead).min(left))?;
                0
            }
        };
        let end = self.window.len().min(from + len);
        Ok(&self.window[from..end])
    }

    /// Prepares for [`Cursor::sample`] at these offsets: the disk gets all requests at once.
    pub(super) fn announce_samples(&self, offsets: impl Iterator<Item = u64>) {
        self.file.will_jump();
        for at in offsets {
            self.file.will_need(at, BLOCK_BYTES);
        }
    }

    /// One block, or what there is of it, read alone and without a trace in the window.
    pub(super) fn sample(&mut self, at: u64) -> Result<Vec<u8>> {
        let mut block = vec![0; BLOCK];
        let read = self
            .file
            .read_at(&mut block, at)
            .map_err(Error::io("read", &self.path))?;
        self.bytes_read += read as u64;
        block.truncate(read);
        Ok(block)
    }

    /// A batch that is valid by itself, or why there is none.
    pub(super) fn frame(&mut self, at: u64) -> Result<Result<(BatchHeader, u32), String>> {
        let (header, crc) = match BatchHeader::parse(self.bytes(at, HEADER_BYTES)?) {
            Ok(parsed) => parsed,
            Err(why) => return Ok(Err(why.to_owned())),
        };
        let len = HEADER_BYTES as u64 + u64::from(header.length);
        let left = self.limit - at;
        if len > left {
            return Ok(Err(format!("a batch of {len} bytes where {left} are left")));
        }
        let len = usize::try_from(len).expect("it fits into the segment");
        let frame = self.bytes(at, len)?;
        if frame.len() < len {
            return Ok(Err("the file ends within a batch".to_owned()));
        }
        let found = checksum(frame);
        if found != crc {
            return Ok(Err(format!(
                "batch crc 0x{found:08x}, its header says 0x{crc:08x}"
            )));
        }
        Ok(Ok((header, crc)))
    }

    /// The expected batch at an offset, or why it is not there.
    pub(super) fn batch(&mut self, at: u64, expected: &Expected) -> Result<Found<'_>> {
        let (header, crc) = match self.frame(at)? {
            Ok(valid) => valid,
            Err(why) => return Ok(Found::Invalid(why)),
        };
        if header.epoch != expected.epoch {
            let why = format!(
                "batch of epoch {}, expected epoch {}",
                header.epoch, expected.epoch
            );
            return Ok(Found::Invalid(why));
        }
        if header.number != expected.number {
            let why = format!(
                "batch {}, expected batch {}",
                header.number, expected.number
            );
            return Ok(Found::Invalid(why));
        }
        if header.previous_crc != expected.previous_crc {
            let (found, want) = (header.previous_crc, expected.previous_crc);
            let why = format!(
                "batch {} follows crc 0x{found:08x}, expected 0x{want:08x}",
                header.number
            );
            return Ok(Found::Invalid(why));
        }
        let position = Position {
            segment: self.segment,
            offset: at + HEADER_BYTES as u64,
        };
        let records = self.bytes(position.offset, header.length as usize)?;
        Ok(Found::Batch(View {
            position,
            number: BatchNumber(header.number),
            crc,
            epoch: header.epoch,
            time_ms: header.time_ms,
            records,
        }))
    }

    fn load(&mut self, at: u64, len: usize) -> Result<()> {
        if self.ahead >= READ_AHEAD_BYTES {
            self.announce(at, at + len as u64 + ANNOUNCED_BYTES);
        }
        self.window.resize(len, 0);
        let read = self
            .file
            .read_at(&mut self.window, at)
            .map_err(Error::io("read", &self.path))?;
        self.window.truncate(read);
        self.window_at = at;
        self.bytes_read += read as u64;
        Ok(())
    }
}
