//! Reading stored messages back, with as few system calls as their places allow.
//!
//! Messages that lie close together are read as one span. Every payload is checked against its checksum. A segment
//! that is reclaimed between looking a message up and reading it is no error: the message was acknowledged or has
//! moved, so it is looked up again.

use std::io;

use bytes::Bytes;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::index::Entry;
use crate::limits;
use crate::position::{Position, QueueId, Seq};
use crate::summary::Stored;

/// Up to `max_count` messages of `queue` from `from` on, in order; at most `max_bytes` of payload, but at least one.
pub(crate) fn read(
    core: &Core,
    queue: QueueId,
    from: Seq,
    max_count: usize,
    max_bytes: usize,
) -> Result<Vec<Stored>> {
    let entries = look_up(core, queue, from, max_count, max_bytes)?;
    let mut stored = Vec::with_capacity(entries.len());
    let mut rest = &entries[..];
    while !rest.is_empty() {
        let (span, after) = rest.split_at(span_of(rest));
        match read_span(core, span, &mut stored) {
            Err(error) if was_reclaimed(&error) => read_moved(core, queue, span, &mut stored)?,
            result => result?,
        }
        rest = after;
    }
    Ok(stored)
}

fn look_up(
    core: &Core,
    queue: QueueId,
    from: Seq,
    max_count: usize,
    max_bytes: usize,
) -> Result<Vec<Entry>> {
    let mut entries = core.with_index(|applied| applied.index.entries(queue, from, max_count))?;
    let mut bytes = 0;
    let fits = |entry: &Entry| {
        bytes += entry.len as usize;
        bytes <= max_bytes
    };
    let fitting = entries.iter().map(fits).take_while(|fits| *fits).count();
    entries.truncate(fitting.max(1));
    Ok(entries)
}

/// How many of the first entries can be read together.
fn span_of(entries: &[Entry]) -> usize {
    let start = entries[0].position;
    let mut end = start.offset + u64::from(entries[0].len);
    let follows = |entry: &Entry| {
        let Position { segment, offset } = entry.position;
        let close = offset >= end && offset - end <= limits::READ_GAP_BYTES;
        end = offset + u64::from(entry.len);
        segment == start.segment && close && end - start.offset <= limits::READ_SPAN_BYTES
    };
    1 + entries[1..]
        .iter()
        .map(follows)
        .take_while(|follows| *follows)
        .count()
}

fn read_span(core: &Core, entries: &[Entry], stored: &mut Vec<Stored>) -> Result<()> {
    let [first, .., last] = entries else {
        let entry = entries[0];
        let payload = core
            .reader
            .read_payload(entry.position, entry.len as usize, entry.crc)?;
        stored.push(of(entry, payload));
        return Ok(());
    };
    let start = first.position.offset;
    let len = usize::try_from(last.position.offset + u64::from(last.len) - start)
        .expect("a span is a megabyte");
    let span = core.reader.read_span(first.position, len)?;
    for entry in entries {
        let at = usize::try_from(entry.position.offset - start).expect("within the span");
        let payload = &span[at..at + entry.len as usize];
        core.reader.check(entry.position, payload, entry.crc)?;
        // A copy of its own, so that one message kept in memory does not keep its neighbours.
        stored.push(of(*entry, Bytes::copy_from_slice(payload)));
    }
    Ok(())
}

/// The segment of these entries is gone: each of them was acknowledged or stands elsewhere now.
fn read_moved(
    core: &Core,
    queue: QueueId,
    entries: &[Entry],
    stored: &mut Vec<Stored>,
) -> Result<()> {
    stored.retain(|message| message.seq < entries[0].seq);
    for old in entries {
        let mut tried = *old;
        while let Some(entry) = core.with_index(|applied| applied.index.entry(queue, old.seq))? {
            match core
                .reader
                .read_payload(entry.position, entry.len as usize, entry.crc)
            {
                Ok(payload) => {
                    stored.push(of(entry, payload));
                    break;
                }
                // It moved again meanwhile; the same place twice is a real loss.
                Err(error) if was_reclaimed(&error) && entry.position != tried.position => {
                    tried = entry
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn of(entry: Entry, payload: Bytes) -> Stored {
    Stored {
        seq: entry.seq,
        redeliveries: entry.redeliveries,
        payload,
    }
}

fn was_reclaimed(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::SegmentNumber;

    fn entry(segment: u64, offset: u64, len: u32) -> Entry {
        let position = Position {
            segment: SegmentNumber(segment),
            offset,
        };
        Entry {
            seq: Seq(offset),
            position,
            len,
            crc: 0,
            redeliveries: 0,
        }
    }

    #[test]
    fn spans_end_at_gaps_segments_backward_steps_and_their_limit() {
        let span = |entries: &[Entry]| span_of(entries);
        assert_eq!(span(&[entry(1, 0, 10)]), 1);
        assert_eq!(
            span(&[entry(1, 0, 10), entry(1, 30, 10), entry(1, 40, 10)]),
            3
        );
        assert_eq!(span(&[entry(1, 0, 10), entry(2, 30, 10)]), 1);
        assert_eq!(span(&[entry(1, 100, 10), entry(1, 30, 10)]), 1);
        assert_eq!(
            span(&[entry(1, 0, 10), entry(1, 20 + limits::READ_GAP_BYTES, 10)]),
            1
        );
        let big = u32::try_from(limits::READ_SPAN_BYTES).expect("small");
        assert_eq!(
            span(&[
                entry(1, 0, 10),
                entry(1, 10, big),
                entry(1, 10 + u64::from(big), 1)
            ]),
            1
        );
    }
}
