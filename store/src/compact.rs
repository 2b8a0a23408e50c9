//! Moving what still lives in an old segment to the end of the journal (FORMAT.md 7).
//!
//! Two steps on two threads. The maintenance thread reads the segment and collects what looks alive ([`wanted`]).
//! The committing thread, between two batches, asks the index again and writes what is alive *now* as a batch of
//! its own ([`renew`]): everything before that batch has been applied, so an acknowledgement can never be overtaken
//! by the move of its message.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::mpsc::SyncSender;

use crate::apply::{damaged, place_of};
use crate::codec::{Decoded, decode_all};
use crate::error::Result;
use crate::index::{Index, RecordPlace};
use crate::journal::{Batch, View};
use crate::position::{QueueId, SegmentNumber, Seq};
use crate::record::{MessageRecord, Record};

/// Records of one old segment that may have to move.
pub(crate) struct Moves {
    pub(crate) segment: SegmentNumber,
    records: Vec<u8>,
    places: Vec<RecordPlace>,
    /// Told what became of them.
    pub(crate) reply: SyncSender<Moved>,
}

/// What became of records that were to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// None of them lives in the old segment any more.
    Done,
    /// The journal has no room for them now.
    NoRoom,
}

/// Which records of a batch look alive: their bytes in it, and their places.
pub(crate) type Wanted = Vec<(Range<usize>, RecordPlace)>;

/// Collects moves from a segment, a bounded piece at a time.
#[derive(Default)]
pub(crate) struct Collected {
    records: Vec<u8>,
    places: Vec<RecordPlace>,
}

impl Collected {
    /// Keeps the records of a batch that look alive. Asking the index is apart from it ([`wanted`]): fresh memory may take
    /// milliseconds, and batches wait for the index.
    pub(crate) fn keep(&mut self, view: &View<'_>, wanted: Wanted) {
        for (bytes, place) in wanted {
            self.records.extend_from_slice(&view.records[bytes]);
            self.places.push(place);
        }
    }

    /// Bytes collected so far.
    pub(crate) fn bytes(&self) -> usize {
        self.records.len()
    }

    /// What was collected, ready for the committing thread; leaves nothing behind.
    pub(crate) fn take(&mut self, segment: SegmentNumber, reply: SyncSender<Moved>) -> Moves {
        let Self { records, places } = std::mem::take(self);
        Moves {
            segment,
            records,
            places,
            reply,
        }
    }
}

/// Which records of a batch look alive.
pub(crate) fn wanted(index: &mut Index, view: &View<'_>) -> Result<Wanted> {
    let mut wanted = Wanted::new();
    for decoded in decode_all(view.records) {
        let decoded = decoded.map_err(|bad| damaged(view.position, &bad))?;
        let place = place_of(view.position, &decoded);
        if is_wanted(index, &decoded.record, place)? {
            wanted.push((decoded.offset..decoded.end, place));
        }
    }
    Ok(wanted)
}

/// Fills `batch` with what still lives of `moves`, as it is now.
pub(crate) fn renew(index: &mut Index, moves: &Moves, batch: &mut Batch) -> Result<()> {
    let mut renewal = Renewal {
        index,
        batch,
        segment: moves.segment,
        producers: HashSet::new(),
    };
    for (decoded, place) in decode_all(&moves.records).zip(&moves.places) {
        let decoded = decoded.map_err(|bad| damaged(place.position, &bad))?;
        renewal.renew(
            &decoded,
            &moves.records[decoded.offset..decoded.end],
            *place,
        )?;
    }
    Ok(())
}

fn is_wanted(index: &mut Index, record: &Record<'_>, place: RecordPlace) -> Result<bool> {
    if index.is_current(record, place)? {
        return Ok(true);
    }
    match message_of(record).and_then(|message| message.producer) {
        Some(producer) => Ok(index
            .pins_producer(producer.producer, place.position.segment)?
            .is_some()),
        None => Ok(false),
    }
}

fn message_of<'a>(record: &'a Record<'_>) -> Option<&'a MessageRecord<'a>> {
    match record {
        Record::Message(message) => Some(message),
        Record::Staged { record, .. } => message_of(record),
        _ => None,
    }
}

struct Renewal<'a> {
    index: &'a mut Index,
    batch: &'a mut Batch,
    segment: SegmentNumber,
    producers: HashSet<Vec<u8>>,
}

impl Renewal<'_> {
    fn renew(&mut self, decoded: &Decoded<'_>, encoded: &[u8], place: RecordPlace) -> Result<()> {
        if self.index.is_current(&decoded.record, place)? {
            self.renew_current(&decoded.record, encoded)?;
        }
        match message_of(&decoded.record).and_then(|message| message.producer) {
            Some(producer) => self.renew_producer(producer.producer),
            None => Ok(()),
        }
    }

    fn renew_current(&mut self, record: &Record<'_>, encoded: &[u8]) -> Result<()> {
        match record {
            Record::Message(message) => self.renew_message(message),
            Record::Staged {
                transaction,
                record: inner,
            } if !self.index.open_staged().contains(transaction) => match inner.as_ref() {
                Record::Message(message) => self.renew_message(message),
                _ => Ok(()),
            },
            // What it said may be older than what is known: the segment is needed for all of it.
            Record::Producer { id, .. } => self.renew_producer(id),
            _ => {
                self.batch.append_encoded(encoded, 1);
                Ok(())
            }
        }
    }

    /// The message with its redelivery count of now. Its producer is carried by a record of its own.
    fn renew_message(&mut self, message: &MessageRecord<'_>) -> Result<()> {
        let Some(entry) = self.index.entry(message.queue, message.seq)? else {
            return Ok(());
        };
        let moved = MessageRecord {
            redeliveries: entry.redeliveries,
            moved: true,
            producer: None,
            ..*message
        };
        self.batch.push_record(&Record::Message(moved));
        self.renew_staged_removals(message.queue, message.seq)
    }

    /// A removal that waits for its commit must stay behind the message it removes.
    fn renew_staged_removals(&mut self, queue: QueueId, seq: Seq) -> Result<()> {
        for transaction in self.index.staged_removals(queue, seq)? {
            let record = Box::new(Record::Removed {
                queue,
                seqs: vec![seq],
            });
            self.batch.push_record(&Record::Staged {
                transaction,
                record,
            });
        }
        Ok(())
    }

    fn renew_producer(&mut self, id: &[u8]) -> Result<()> {
        if self.producers.contains(id) {
            return Ok(());
        }
        if let Some(state) = self.index.pins_producer(id, self.segment)? {
            self.batch.push_record(&Record::Producer {
                id,
                last: state.last,
                window: state.window,
            });
            self.producers.insert(id.to_vec());
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
