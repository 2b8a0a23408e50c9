//! The control file: which generation is good, as of which position, and what every page in it must look like.
//!
//! Checked as a whole by magic, format and CRC-32 before a field is believed. It is written through [`Fs::replace`], so it
//! is either the old one or the new one. What its parts are for is told in FORMAT.md 6.

use std::path::{Path, PathBuf};

use super::encoding::{Fields, put_bytes, put_number, put_position};
use super::key::PageKey;
use super::page::PageMark;
use super::segment_use::SegmentUse;
use super::tally::Tally;
use crate::fs::Fs;
use crate::journal::After;
use crate::position::{BatchNumber, QueueId, SegmentNumber, Seq, StagedId};

const MAGIC: &[u8; 8] = b"HOLDFIDX";
const FORMAT: u32 = 1;
const HEAD_BYTES: usize = 16;

/// Path of the control file in the directory `index`.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("control")
}

/// Everything in the control file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// Who wrote it.
    pub(super) epoch: u64,
    /// On which run of which host.
    pub(super) boot_id: String,
    /// Name of the generation.
    pub(super) generation: String,
    /// The state that can be replayed onto.
    pub(super) image: Image,
    /// A checkpoint is being written into the same generation: pages may also be as it says.
    pub(super) updating: Option<Updating>,
}

/// The index as of one place in the journal, without the entries themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) after: After,
    pub(super) next_queue: QueueId,
    pub(super) next_staged: StagedId,
    /// By id.
    pub(super) queues: Vec<QueueImage>,
    /// By number.
    pub(super) segments: Vec<(SegmentNumber, SegmentUse)>,
    /// By id.
    pub(super) staged: Vec<StagedImage>,
    pub(super) producers: Tally,
    pub(super) outcomes: Tally,
}

/// One queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueImage {
    pub(super) id: QueueId,
    /// Its name and the segment of the record that says so; none in the middle of a replay only.
    pub(super) name: Option<(Vec<u8>, SegmentNumber)>,
    /// Its dispatch mark and the segment of the record that says so.
    pub(super) mark: Option<(Seq, SegmentNumber)>,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) next_seq: Seq,
    /// Its pages that hold anything, by number.
    pub(super) pages: Vec<(u64, PageMark)>,
}

/// One staged transaction without an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StagedImage {
    pub(super) id: StagedId,
    pub(super) operations: u64,
    pub(super) chunks: Vec<PageMark>,
}

/// Where a checkpoint is heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Updating {
    pub(super) after: After,
    /// Pages that it writes (or removes), by key.
    pub(super) pages: Vec<(PageKey, Option<PageMark>)>,
    pub(super) producers: Tally,
    pub(super) outcomes: Tally,
}

impl Control {
    pub(super) fn write(&self, fs: &dyn Fs, dir: &Path) -> Result<(), String> {
        let path = path(dir);
        fs.replace(&path, &self.encode())
            .map_err(|error| format!("cannot replace {}: {error}", path.display()))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_number(&mut body, self.epoch);
        put_bytes(&mut body, self.boot_id.as_bytes());
        put_bytes(&mut body, self.generation.as_bytes());
        put_image(&mut body, &self.image);
        put_number(&mut body, u64::from(self.updating.is_some()));
        if let Some(updating) = &self.updating {
            put_updating(&mut body, updating);
        }
        let mut out = Vec::with_capacity(HEAD_BYTES + body.len());
        out.extend_from_slice(MAGIC);
        out.extend(FORMAT.to_le_bytes());
        out.extend(crc32fast::hash(&body).to_le_bytes());
        out.extend(body);
        out
    }

    /// # Errors
    /// What is wrong with the bytes, for the log.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, body)) = bytes.split_at_checked(HEAD_BYTES) else {
            return Err(format!("control file of {} bytes", bytes.len()));
        };
        let mut head = Fields::new(head);
        if head.take(8) != Some(MAGIC) {
            return Err("control file without its magic".into());
        }
        let (format, crc) = (head.fixed_u32().unwrap_or(0), head.fixed_u32().unwrap_or(0));
        if format != FORMAT {
            return Err(format!(
                "control file of format {format}, this version reads {FORMAT}"
            ));
        }
        let found = crc32fast::hash(body);
        if found != crc {
            return Err(format!("control file: crc {found:#x}, want {crc:#x}"));
        }
        let mut fields = Fields::new(body);
        let control = Self::read(&mut fields).filter(|_| fields.is_empty());
        control.ok_or_else(|| "control file: its fields do not fit together".into())
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut control = Self {
            epoch: fields.number()?,
            boot_id: read_text(fields)?,
            generation: read_text(fields)?,
            image: read_image(fields)?,
            updating: None,
        };
        if fields.number()? != 0 {
            control.updating = Some(read_updating(fields)?);
        }
        Some(control)
    }

    /// Pages that the generation must hold at the stable place.
    pub(super) fn pages(&self) -> impl Iterator<Item = (PageKey, PageMark)> {
        let entries = self.image.queues.iter().flat_map(|queue| {
            let id = queue.id;
            queue.pages.iter().map(move |(page, mark)| {
                (
                    PageKey::Entries {
                        queue: id,
                        page: *page,
                    },
                    *mark,
                )
            })
        });
        let staged = self.image.staged.iter().flat_map(|staged| {
            let transaction = staged.id;
            let chunks = staged.chunks.iter().zip(0u64..);
            chunks.map(move |(mark, chunk)| (PageKey::Staged { transaction, chunk }, *mark))
        });
        entries.chain(staged)
    }
}

impl Image {
    /// Fills in the mark of a page that was a placeholder while it was being written.
    pub(super) fn set_mark(&mut self, key: PageKey, mark: PageMark) {
        let place = match key {
            PageKey::Entries { queue, page } => {
                let queue = self
                    .queues
                    .binary_search_by_key(&queue, |image| image.id)
                    .ok();
                queue.and_then(|at| {
                    let pages = &mut self.queues[at].pages;
                    let at = pages
                        .binary_search_by_key(&page, |(number, _)| *number)
                        .ok()?;
                    Some(&mut pages[at].1)
                })
            }
            PageKey::Staged { transaction, chunk } => {
                let staged = self
                    .staged
                    .binary_search_by_key(&transaction, |image| image.id)
                    .ok();
                staged.and_then(|at| self.staged[at].chunks.get_mut(usize::try_from(chunk).ok()?))
            }
        };
        *place.expect("a page that is written was in the image from the start") = mark;
    }
}

fn put_image(out: &mut Vec<u8>, image: &Image) {
    put_after(out, image.after);
    put_number(out, u64::from(image.next_queue.0));
    put_number(out, image.next_staged.0);
    put_number(out, image.queues.len() as u64);
    for queue in &image.queues {
        put_queue(out, queue);
    }
    put_number(out, image.segments.len() as u64);
    for (segment, used) in &image.segments {
        put_number(out, segment.0);
        put_number(out, used.entries);
        put_number(out, used.bytes);
    }
    put_number(out, image.staged.len() as u64);
    for staged in &image.staged {
        put_number(out, staged.id.0);
        put_number(out, staged.operations);
        put_number(out, staged.chunks.len() as u64);
        staged.chunks.iter().for_each(|mark| put_mark(out, *mark));
    }
    put_tally(out, image.producers);
    put_tally(out, image.outcomes);
}

fn read_image(fields: &mut Fields<'_>) -> Option<Image> {
    Some(Image {
        after: read_after(fields)?,
        next_queue: QueueId(fields.u32()?),
        next_staged: StagedId(fields.number()?),
        queues: read_list(fields, read_queue)?,
        segments: read_list(fields, |fields| {
            let segment = fields.segment()?;
            Some((
                segment,
                SegmentUse {
                    entries: fields.number()?,
                    bytes: fields.number()?,
                },
            ))
        })?,
        staged: read_list(fields, |fields| {
            let (id, operations) = (StagedId(fields.number()?), fields.number()?);
            Some(StagedImage {
                id,
                operations,
                chunks: read_list(fields, read_mark)?,
            })
        })?,
        producers: read_tally(fields)?,
        outcomes: read_tally(fields)?,
    })
}

fn put_queue(out: &mut Vec<u8>, queue: &QueueImage) {
    put_number(out, u64::from(queue.id.0));
    put_number(
        out,
        u64::from(queue.name.is_some()) | u64::from(queue.mark.is_some()) << 1,
    );
    if let Some((name, segment)) = &queue.name {
        put_bytes(out, name);
        put_number(out, segment.0);
    }
    if let Some((seq, segment)) = queue.mark {
        put_number(out, seq.0);
        put_number(out, segment.0);
    }
    put_number(out, queue.count);
    put_number(out, queue.bytes);
    put_number(out, queue.next_seq.0);
    put_number(out, queue.pages.len() as u64);
    let mut next = 0;
    for (page, mark) in &queue.pages {
        put_number(out, page - next);
        put_mark(out, *mark);
        next = page + 1;
    }
}

fn read_queue(fields: &mut Fields<'_>) -> Option<QueueImage> {
    let (id, flags) = (QueueId(fields.u32()?), fields.number()?);
    let name = if flags & 1 != 0 {
        Some((fields.bytes()?.to_vec(), fields.segment()?))
    } else {
        None
    };
    let mark = if flags & 2 != 0 {
        Some((Seq(fields.number()?), fields.segment()?))
    } else {
        None
    };
    let (count, bytes, next_seq) = (fields.number()?, fields.number()?, Seq(fields.number()?));
    let mut next = 0u64;
    let pages = read_list(fields, |fields| {
        let page = next.checked_add(fields.number()?)?;
        next = page.checked_add(1)?;
        Some((page, read_mark(fields)?))
    })?;
    Some(QueueImage {
        id,
        name,
        mark,
        count,
        bytes,
        next_seq,
        pages,
    })
}

fn put_updating(out: &mut Vec<u8>, updating: &Updating) {
    put_after(out, updating.after);
    put_number(out, updating.pages.len() as u64);
    for (key, mark) in &updating.pages {
        put_bytes(out, &key.to_bytes());
        put_number(out, u64::from(mark.is_some()));
        if let Some(mark) = mark {
            put_mark(out, *mark);
        }
    }
    put_tally(out, updating.producers);
    put_tally(out, updating.outcomes);
}

fn read_updating(fields: &mut Fields<'_>) -> Option<Updating> {
    Some(Updating {
        after: read_after(fields)?,
        pages: read_list(fields, |fields| {
            let key = PageKey::from_bytes(fields.bytes()?)?;
            let mark = if fields.number()? != 0 {
                Some(read_mark(fields)?)
            } else {
                None
            };
            Some((key, mark))
        })?,
        producers: read_tally(fields)?,
        outcomes: read_tally(fields)?,
    })
}

fn read_list<'a, T>(
    fields: &mut Fields<'a>,
    mut read: impl FnMut(&mut Fields<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = fields.count()?;
    (0..count).map(|_| read(fields)).collect()
}

fn read_text(fields: &mut Fields<'_>) -> Option<String> {
    String::from_utf8(fields.bytes()?.to_vec()).ok()
}

/// A place in the journal as bytes; also the value of the key that is written last.
pub(super) fn put_after(out: &mut Vec<u8>, after: After) {
    put_position(out, after.position);
    put_number(out, after.number.0);
    put_number(out, u64::from(after.crc));
}

fn read_after(fields: &mut Fields<'_>) -> Option<After> {
    let (position, number) = (fields.position()?, BatchNumber(fields.number()?));
    Some(After {
        position,
        number,
        crc: fields.u32()?,
    })
}

fn put_mark(out: &mut Vec<u8>, mark: PageMark) {
    out.extend(mark.crc.to_le_bytes());
    put_number(out, u64::from(mark.live));
    out.push(mark.first);
}

fn read_mark(fields: &mut Fields<'_>) -> Option<PageMark> {
    Some(PageMark {
        crc: fields.fixed_u32()?,
        live: fields.u16()?,
        first: fields.byte()?,
    })
}

fn put_tally(out: &mut Vec<u8>, tally: Tally) {
    put_number(out, tally.count);
    put_number(out, tally.sum);
}

fn read_tally(fields: &mut Fields<'_>) -> Option<Tally> {
    Some(Tally {
        count: fields.number()?,
        sum: fields.number()?,
    })
}

#[cfg(test)]
mod tests;
