//! Which segment files belong to the journal, and where each of them ends (FORMAT.md 5, steps 1 and 2).
//!
//! Walks from the newest segment to older ones along the seals: a segment is part of the journal because the next one
//! seals it, and its bytes end where that seal says, whoever wrote more. Files that hold nothing (spares, what a
//! replaced master left behind) are named, not touched. Segments before the checkpoint are not read.

use super::cursor::{Cursor, Expected, Found};
use super::directory::{Directory, SegmentInfo};
use super::segment::HeaderBlock;
use super::tail;
use crate::codec::decode_all;
use crate::error::{Error, Result};
use crate::limits::{BLOCK, BLOCK_BYTES, READ_AHEAD_BYTES, SPARE_SEGMENTS};
use crate::position::SegmentNumber;
use crate::record::{Record, Seal};

/// Header and first batch are one block each.
const HEAD_BYTES: usize = 2 * BLOCK;
/// A file with an empty header is a spare; that much of it is looked at before this is believed.
const SPARE_LOOK_BYTES: u64 = 16 * BLOCK_BYTES;

/// A segment of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) info: SegmentInfo,
    /// What its first batch says about the segment before it.
    pub(super) seal: Seal,
}

/// The journal's segments from the checkpoint on, oldest first.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    pub(super) leftovers: Vec<SegmentInfo>,
    pub(super) bytes_read: u64,
}

/// What a segment file turned out to be.
enum Head {
    Link(Link),
    /// Holds no batch that was ever acknowledged.
    Nothing(String),
}

/// Walks the seals down to segment `from`, or to the oldest.
pub(super) fn walk(directory: &Directory, from: Option<SegmentNumber>) -> Result<Chain> {
    let (mut files, leftovers) = split_replaced(directory.segments());
    let mut chain = Chain {
        leftovers,
        ..Chain::default()
    };
    announce_newest(directory, &files);
    while let Some(newest) = files.pop() {
        match read_newest(directory, &newest, &mut chain.bytes_read)? {
            Head::Link(link) => {
                chain.links.push(link);
                break;
            }
            Head::Nothing(_) => chain.leftovers.push(newest),
        }
    }
    while let Some(&link) = chain.links.last() {
        if from.is_some_and(|from| link.info.number <= from) {
            break;
        }
        let Some(older) = predecessor(directory, &link, &mut files, &mut chain.leftovers)? else {
            break;
        };
        chain
            .links
            .push(read_sealed(directory, &older, &mut chain.bytes_read)?);
    }
    chain.links.reverse();
    match from {
        Some(from)
            if chain
                .links
                .first()
                .is_none_or(|link| link.info.number != from) =>
        {
            let what = format!("the index refers to segment {from}, which is not there");
            Err(Error::Damaged {
                path: directory.path_of_number(from),
                offset: 0,
                what,
            })
        }
        _ => Ok(chain),
    }
}

/// Before one waits for the other: the newest files are spares mostly, and each is looked at. What cannot be opened is met again.
fn announce_newest(directory: &Directory, files: &[SegmentInfo]) {
    for info in files.iter().rev().take(SPARE_SEGMENTS + 1) {
        if let Ok(file) = directory.fs().open_read(&directory.path_of(info)) {
            file.will_need(0, info.bytes.min(SPARE_LOOK_BYTES));
        }
    }
}

/// The seal of a segment that must be valid, because it is not the newest.
pub(super) fn read_sealed(
    directory: &Directory,
    info: &SegmentInfo,
    bytes_read: &mut u64,
) -> Result<Link> {
    match read_head(directory, info, bytes_read)? {
        Head::Link(link) => Ok(link),
        Head::Nothing(what) => Err(Error::Damaged {
            path: directory.path_of(info),
            offset: 0,
            what,
        }),
    }
}

/// Sets aside segments of a master that had been replaced: its successor saw every segment of the old epoch before it
/// gave out its first number, so a lower epoch with an equal or higher number was created later and never counted.
fn split_replaced(files: Vec<SegmentInfo>) -> (Vec<SegmentInfo>, Vec<SegmentInfo>) {
    let mut newest_epoch = 0;
    // From the highest epoch of each number on: files come sorted by number, then epoch.
    let mut real = Vec::with_capacity(files.len());
    let mut replaced = Vec::new();
    for group in files.chunk_by(|a, b| a.number == b.number) {
        newest_epoch = group
            .iter()
            .map(|info| info.epoch)
            .fold(newest_epoch, u64::max);
        for info in group {
            if info.epoch < newest_epoch {
                replaced.push(*info)
            } else {
                real.push(*info)
            }
        }
    }
    (real, replaced)
}

/// The segment that `link` seals, if it still exists.
fn predecessor(
    directory: &Directory,
    link: &Link,
    files: &mut Vec<SegmentInfo>,
    leftovers: &mut Vec<SegmentInfo>,
) -> Result<Option<SegmentInfo>> {
    let sealed = link.seal.segment;
    while let Some(older) = files.pop() {
        if (older.number, older.epoch) == (sealed, link.seal.epoch) {
            return Ok(Some(older));
        }
        // The seal names its predecessor, so nothing between the two belongs to the journal: spares that nobody used,
        // or what a replaced master left when the real segment of that number has been reclaimed. A master that was
        // paused may make a spare even later, when all around that number has been reclaimed.
        let between =
            older.number > sealed || (older.number == sealed && older.epoch < link.seal.epoch);
        if between || is_spare(directory, &older)? {
            leftovers.push(older);
            continue;
        }
        let what = format!(
            "it seals segment {sealed} of epoch {}, but the next older file is segment {} of epoch {}",
            link.seal.epoch, older.number, older.epoch
        );
        return Err(Error::Damaged {
            path: directory.path_of(&link.info),
            offset: BLOCK_BYTES,
            what,
        });
    }
    Ok(None)
}

/// Whether a file was never written to.
fn is_spare(directory: &Directory, info: &SegmentInfo) -> Result<bool> {
    let limit = info.bytes.min(SPARE_LOOK_BYTES);
    let mut cursor = Cursor::open(directory, info, limit, READ_AHEAD_BYTES)?;
    if HeaderBlock::parse(cursor.bytes(0, BLOCK)?) != HeaderBlock::Zero {
        return Ok(false);
    }
    let found = tail::look(&mut cursor, BLOCK_BYTES, info.epoch, 0)?;
    Ok(found.valid_at.is_none())
}

/// A newest file without a valid head is a spare or a torn first write, unless acknowledged batches stand in it.
fn read_newest(directory: &Directory, info: &SegmentInfo, bytes_read: &mut u64) -> Result<Head> {
    let mut head = read_head(directory, info, bytes_read)?;
    if matches!(head, Head::Link(_)) {
        // A killed master's last write may be readable and not durable. It must be one or the other before it is sealed.
        let path = directory.path_of(info);
        directory
            .fs()
            .settle(&path)
            .map_err(Error::io("sync", &path))?;
        head = read_head(directory, info, bytes_read)?;
    }
    let Head::Nothing(what) = &head else {
        return Ok(head);
    };
    let mut cursor = Cursor::open(directory, info, info.bytes, HEAD_BYTES)?;
    let header = HeaderBlock::parse(cursor.bytes(0, BLOCK)?);
    if header == HeaderBlock::Zero {
        cursor = Cursor::open(
            directory,
            info,
            info.bytes.min(SPARE_LOOK_BYTES),
            READ_AHEAD_BYTES,
        )?;
    }
    cursor.read_ahead(READ_AHEAD_BYTES);
    // The first write is header and seal alone, so anything behind them means that this write was durable.
    let found = tail::look(&mut cursor, 2 * BLOCK_BYTES, info.epoch, 0)?;
    *bytes_read += cursor.bytes_read();
    match found.valid_at {
        Some(at) => {
            Err(cursor.damaged(0, format!("{what}, but a valid batch stands at byte {at}")))
        }
        None => Ok(head),
    }
}

fn read_head(directory: &Directory, info: &SegmentInfo, bytes_read: &mut u64) -> Result<Head> {
    let mut cursor = Cursor::open(directory, info, info.bytes, HEAD_BYTES)?;
    let head = judge_head(&mut cursor, directory, info);
    *bytes_read += cursor.bytes_read();
    head
}

fn judge_head(cursor: &mut Cursor, directory: &Directory, info: &SegmentInfo) -> Result<Head> {
    let header = match HeaderBlock::parse(cursor.bytes(0, BLOCK)?) {
        HeaderBlock::Zero => {
            return Ok(Head::Nothing("the segment header was never written".into()));
        }
        HeaderBlock::Torn(why) => return Ok(Head::Nothing(why.into())),
        HeaderBlock::Format(found) => {
            return Err(Error::Format {
                path: directory.path_of(info),
                found,
            });
        }
        HeaderBlock::Valid(header) => header,
    };
    if (header.epoch, header.number) != (info.epoch, info.number) {
        let what = format!(
            "the header says segment {} of epoch {}",
            header.number, header.epoch
        );
        return Err(cursor.damaged(0, what));
    }
    if header.length != info.bytes {
        let what = format!(
            "the file has {} bytes, its header says {}",
            info.bytes, header.length
        );
        return Err(cursor.damaged(0, what));
    }
    let number = match cursor.frame(BLOCK_BYTES)? {
        Ok((header, _)) => header.number,
        Err(why) => return Ok(Head::Nothing(format!("no seal: {why}"))),
    };
    let Some(seal) = read_seal(cursor, info, number)? else {
        return Err(cursor.damaged(
            BLOCK_BYTES,
            "the first batch does not begin with a matching seal",
        ));
    };
    Ok(Head::Link(Link { info: *info, seal }))
}

/// The seal at the start of the first batch, if that batch follows what the seal says.
fn read_seal(cursor: &mut Cursor, info: &SegmentInfo, number: u64) -> Result<Option<Seal>> {
    let first = cursor.bytes(BLOCK_BYTES, BLOCK)?;
    let previous_crc = super::frame::u32_at(first, 12);
    let expected = Expected {
        epoch: info.epoch,
        number,
        previous_crc,
    };
    let Found::Batch(view) = cursor.batch(BLOCK_BYTES, &expected)? else {
        return Ok(None);
    };
    let Some(Ok(first)) = decode_all(view.records).next() else {
        return Ok(None);
    };
    let Record::Seal(seal) = first.record else {
        return Ok(None);
    };
    let follows = seal.last_batch + 1 == number && seal.last_crc == previous_crc;
    let older = seal.segment < info.number
        && seal.epoch <= info.epoch
        && seal.end.is_multiple_of(BLOCK_BYTES);
    Ok((follows && older).then_some(seal))
}
