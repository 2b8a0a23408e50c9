//! From the records of one durable batch to the index: the one path that live work, replay and compaction share.

use crate::codec::{BadRecord, Decoded, decode_all};
use crate::error::{Error, Result};
use crate::index::{Index, RecordPlace};
use crate::position::Position;
use crate::record::Record;

/// What a batch held.
pub(crate) struct Counted {
    pub(crate) records: u64,
    /// Messages that came in: not those that were moved, nor those staged.
    pub(crate) messages: u64,
}

/// Applies every record of a batch whose first record byte lies at `position`; answers what there was.
///
/// # Errors
/// [`Error::Damaged`] for bytes that are no records although their checksum is good; what the index says.
pub(crate) fn apply_batch(
    index: &mut Index,
    position: Position,
    records: &[u8],
    time_ms: u64,
) -> Result<Counted> {
    let (mut count, mut messages) = (0, 0);
    for decoded in decode_all(records) {
        let decoded = decoded.map_err(|bad| damaged(position, &bad))?;
        index.apply(&decoded.record, place_of(position, &decoded), time_ms)?;
        count += 1;
        messages +=
            u64::from(matches!(&decoded.record, Record::Message(message) if !message.moved));
    }
    Ok(Counted {
        records: count,
        messages,
    })
}

/// Where a record of a batch lies, in the index's terms.
pub(crate) fn place_of(position: Position, decoded: &Decoded<'_>) -> RecordPlace {
    let at = |offset: usize| Position {
        offset: position.offset + offset as u64,
        ..position
    };
    match decoded.payload {
        None => RecordPlace {
            position: at(decoded.offset),
            ..RecordPlace::default()
        },
        Some(payload) => RecordPlace {
            position: at(payload.offset),
            payload_len: u32::try_from(payload.len)
                .expect("a record's length is a u32 and holds its payload"),
            payload_crc: payload.crc,
        },
    }
}

/// Bytes that a good checksum vouches for but that are no records: written by something that is not this format.
pub(crate) fn damaged(position: Position, bad: &BadRecord) -> Error {
    Error::Damaged {
        path: format!("journal segment {}", position.segment).into(),
        offset: position.offset + bad.offset as u64,
        what: bad.what.to_owned(),
    }
}
