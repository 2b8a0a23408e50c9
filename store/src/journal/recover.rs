//! Reads the journal from a checkpoint to its end (FORMAT.md 5, steps 1, 2, 4, 5 and 6).
//!
//! Every batch handed out follows its predecessor by number and checksum and lies before the seal of its segment. Damage
//! stops the walk with file and offset; only a torn tail of the newest segment is trimmed. It writes nothing: what may
//! be removed is named in the [`End`].

use super::chain::{self, Chain, Link};
use super::cursor::{Cursor, Expected, Found};
use super::directory::Directory;
use super::end::{After, End};
use super::tail;
use super::view::View;
use crate::error::Result;
use crate::limits::{BLOCK_BYTES, READ_AHEAD_BYTES};
use crate::position::{BatchNumber, SegmentNumber};
use crate::record::Seal;

/// Hands every batch behind `from` (every batch there is without it) to `visit`, in order, and answers the end.
///
/// # Errors
/// `Damaged`, `Format`, `Io`, and what `visit` answers.
pub(crate) fn recover(
    directory: &Directory,
    from: Option<After>,
    visit: &mut dyn FnMut(View<'_>) -> Result<()>,
) -> Result<End> {
    let chain = chain::walk(directory, from.map(|from| from.position.segment))?;
    let mut end = start_of(directory, &chain, from);
    for (at, link) in chain.links.iter().enumerate() {
        let sealed = chain.links.get(at + 1).map(|next| next.seal);
        read_segment(directory, link, sealed, &mut end, READ_AHEAD_BYTES, visit)?;
    }
    Ok(end)
}

/// Where the walk begins, as if that were the end of the journal.
fn start_of(directory: &Directory, chain: &Chain, from: Option<After>) -> End {
    let files = directory.segments();
    let mut end = End {
        highest_number: files
            .iter()
            .map(|info| info.number)
            .max()
            .unwrap_or_default(),
        highest_epoch: files
            .iter()
            .map(|info| info.epoch)
            .max()
            .unwrap_or_default(),
        bytes_read: chain.bytes_read,
        leftovers: chain.leftovers.clone(),
        ..End::default()
    };
    match (from, chain.links.first()) {
        (Some(from), Some(_)) => {
            end.segment = from.position.segment;
            end.offset = from.position.offset;
            end.last_batch = from.number;
            end.last_crc = from.crc;
        }
        (None, Some(oldest)) => {
            end.last_batch = BatchNumber(oldest.seal.last_batch);
            end.last_crc = oldest.seal.last_crc;
        }
        (_, None) => {}
    }
    end
}

/// Reads one segment from the end reached so far, or from its first batch, and moves the end behind its last batch.
pub(super) fn read_segment(
    directory: &Directory,
    link: &Link,
    sealed: Option<Seal>,
    end: &mut End,
    ahead: usize,
    visit: &mut dyn FnMut(View<'_>) -> Result<()>,
) -> Result<()> {
    let limit = sealed.map_or(link.info.bytes, |seal| seal.end);
    let mut cursor = Cursor::open(directory, &link.info, limit, ahead)?;
    let resumed = end.segment == link.info.number;
    end.offset = if resumed { end.offset } else { BLOCK_BYTES };
    end.segment = link.info.number;
    end.epoch = link.info.epoch;
    check_bounds(&cursor, link, sealed, end.offset)?;
    let number = end.last_batch.0 + 1;
    let mut expected = Expected {
        epoch: link.info.epoch,
        number,
        previous_crc: end.last_crc,
    };
    while end.offset < limit {
        match cursor.batch(end.offset, &expected)? {
            Found::Batch(view) => {
                visit(view)?;
                expected = Expected::behind(&view);
                end.offset = view.after().position.offset;
                end.last_batch = view.number;
                end.last_crc = view.crc;
                end.batches += 1;
            }
            Found::Invalid(why) if sealed.is_some() => return Err(cursor.damaged(end.offset, why)),
            Found::Invalid(why) => {
                trim(&mut cursor, link.info.epoch, &why, end)?;
                break;
            }
        }
    }
    end.bytes_read += cursor.bytes_read();
    match sealed {
        Some(seal) => check_seal(&cursor, seal, end),
        None => Ok(()),
    }
}

/// A seal or a checkpoint that points outside the segment is damage somewhere.
fn check_bounds(cursor: &Cursor, link: &Link, sealed: Option<Seal>, start: u64) -> Result<()> {
    if let Some(seal) = sealed
        && (seal.end > link.info.bytes || seal.end < BLOCK_BYTES)
    {
        let what = format!(
            "sealed at {}, but the file has {} bytes",
            seal.end, link.info.bytes
        );
        return Err(cursor.damaged(seal.end, what));
    }
    if start < BLOCK_BYTES || start > cursor.limit() || !start.is_multiple_of(BLOCK_BYTES) {
        let what = format!(
            "the index refers to byte {start}, the segment ends at {}",
            cursor.limit()
        );
        return Err(cursor.damaged(start, what));
    }
    Ok(())
}

/// The first invalid batch ends the journal, unless something behind it proves that it was durable once.
fn trim(cursor: &mut Cursor, epoch: u64, why: &str, end: &mut End) -> Result<()> {
    let tail = tail::look(cursor, end.offset, epoch, end.last_batch.0 + 1)?;
    if let Some(at) = tail.valid_at {
        let what = format!("{why}; it was durable once, a valid batch stands at byte {at}");
        return Err(cursor.damaged(end.offset, what));
    }
    end.torn_bytes = tail.torn_bytes;
    Ok(())
}

/// In a sealed segment the chain reaches the seal exactly.
fn check_seal(cursor: &Cursor, seal: Seal, end: &End) -> Result<()> {
    let reached = (end.offset, end.last_batch.0, end.last_crc);
    if reached == (seal.end, seal.last_batch, seal.last_crc) {
        return Ok(());
    }
    let what = format!(
        "batch {} with crc 0x{:08x} ends here, but the seal says batch {} with crc 0x{:08x} at byte {}",
        end.last_batch, end.last_crc, seal.last_batch, seal.last_crc, seal.end
    );
    Err(cursor.damaged(end.offset, what))
}

/// One segment that a later one seals, read as a whole, `ahead` bytes at a time.
pub(super) fn read_whole(
    directory: &Directory,
    link: &Link,
    sealed: Seal,
    ahead: usize,
    visit: &mut dyn FnMut(View<'_>) -> Result<()>,
) -> Result<()> {
    let mut end = End {
        segment: SegmentNumber(0),
        last_batch: BatchNumber(link.seal.last_batch),
        last_crc: link.seal.last_crc,
        ..End::default()
    };
    read_segment(directory, link, Some(sealed), &mut end, ahead, visit)
}
