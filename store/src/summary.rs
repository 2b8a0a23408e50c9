//! What the store tells about itself: queues, stored messages, use of space, and what a recovery found.

use std::time::Duration;

use bytes::Bytes;

use crate::position::{QueueId, Seq};

/// One queue as of the last durable batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSummary {
    /// Its id in this store.
    pub id: QueueId,
    /// Its name, opaque bytes.
    pub name: Vec<u8>,
    /// Messages in it.
    pub count: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// The oldest message, if there is one.
    pub first: Option<Seq>,
    /// The sequence the next message takes.
    pub next_seq: Seq,
    /// Messages below this sequence may have been seen by a consumer.
    pub mark: Seq,
}

/// One message read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in its queue.
    pub seq: Seq,
    /// How often it was delivered and came back.
    pub redeliveries: u16,
    /// The bytes that were stored.
    pub payload: Bytes,
}

/// Use of space and of the disk since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all segment files, spares included.
    pub journal_bytes: u64,
    /// Bytes of the records that are still needed.
    pub live_bytes: u64,
    /// The configured limit.
    pub limit: Option<u64>,
    /// Whether messages wait for room.
    pub full: bool,
    /// Batches written.
    pub batches: u64,
    /// Syncs waited for.
    pub syncs: u64,
    /// Bytes written to the journal, padding included.
    pub bytes_written: u64,
    /// Messages made durable, those of spilled transactions not counted.
    pub messages: u64,
}

/// What a master has made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Messages, those of spilled transactions not counted.
    pub messages: u64,
    /// Batches, each one sync.
    pub batches: u64,
    /// Bytes of the journal, padding included.
    pub bytes: u64,
}

/// What opening the store found and how long it took.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// The epoch of this opening.
    pub epoch: u64,
    /// All queues.
    pub queues: Vec<QueueSummary>,
    /// Records replayed.
    pub records: u64,
    /// Batches replayed.
    pub batches: u64,
    /// Bytes read from the journal; depends on the tail after the checkpoint, not on what is stored.
    pub bytes_read: u64,
    /// Spilled transactions without a commit.
    pub rolled_back: usize,
    /// Why the index had to be rebuilt, if it had.
    pub index_rebuilt: Option<String>,
    /// Time to open the index.
    pub index_open: Duration,
    /// Time to replay the journal.
    pub replay: Duration,
    /// Time to seal the old epoch and start the new one.
    pub seal: Duration,
}
