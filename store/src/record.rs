//! The unit of meaning in the journal: what one record says, and its bytes (FORMAT.md 4).
//!
//! Encoding appends to a buffer, decoding borrows from the batch it stands in; the same decoder serves the live path
//! and recovery, so both understand a record the same way. Decoding checks lengths before it believes them and
//! never panics. It does not say where a record lies: that is [`crate::position::Position`].

use crate::position::{QueueId, SegmentNumber, Seq, StagedId};

/// What the first record of every segment says about the segment before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    /// Epoch of the sealed segment.
    pub epoch: u64,
    /// Number of the sealed segment; 0 in a new store.
    pub segment: SegmentNumber,
    /// First offset that no longer exists.
    pub end: u64,
    /// Number of the last batch before the end.
    pub last_batch: u64,
    /// CRC-32 field of that batch.
    pub last_crc: u32,
}

/// A producer and the sequence it gave to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerSequence<'a> {
    /// The producer's id, opaque bytes of at most 65,535.
    pub producer: &'a [u8],
    /// Its sequence for this message.
    pub sequence: u64,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is stored.
    Committed,
    /// None of it is stored.
    RolledBack,
}

/// One message as a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRecord<'a> {
    /// The queue it stands in.
    pub queue: QueueId,
    /// Its place in that queue.
    pub seq: Seq,
    /// How often it was delivered and came back.
    pub redeliveries: u16,
    /// Written again by compaction.
    pub moved: bool,
    /// Who sent it, when duplicates are to be noticed.
    pub producer: Option<ProducerSequence<'a>>,
    /// Header, properties and body in the broker's stored form.
    pub payload: &'a [u8],
}

/// One record, borrowed from the batch it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Where the previous segment ended.
    Seal(Seal),
    /// A queue exists.
    Queue {
        /// Its id.
        queue: QueueId,
        /// Its name, opaque bytes.
        name: &'a [u8],
    },
    /// A queue and all in it are gone.
    QueueRemoved {
        /// Its id.
        queue: QueueId,
    },
    /// A message is stored.
    Message(MessageRecord<'a>),
    /// Messages were acknowledged.
    Removed {
        /// Their queue.
        queue: QueueId,
        /// Their sequences.
        seqs: Vec<Seq>,
    },
    /// A message came back; its count is now this.
    Redelivered {
        /// Its queue.
        queue: QueueId,
        /// Its sequence.
        seq: Seq,
        /// Deliveries that failed so far.
        count: u16,
    },
    /// Messages of the queue below this sequence may have been seen.
    DispatchMark {
        /// The queue.
        queue: QueueId,
        /// First sequence that cannot have been dispatched.
        seq: Seq,
    },
    /// What is known of a producer.
    Producer {
        /// Its id.
        id: &'a [u8],
        /// Highest sequence stored.
        last: u64,
        /// Bit i: sequence `last - 1 - i` was stored.
        window: u64,
    },
    /// How a transaction ended.
    Outcome {
        /// Its id, opaque bytes.
        transaction: &'a [u8],
        /// How it ended.
        outcome: Outcome,
    },
    /// A message or removal held back until the commit of its transaction.
    Staged {
        /// The transaction.
        transaction: StagedId,
        /// A `Message` or a `Removed`.
        record: Box<Record<'a>>,
    },
    /// Everything staged under the transaction takes effect.
    StagedCommit {
        /// The transaction.
        transaction: StagedId,
    },
    /// Everything staged under the transaction is void.
    StagedRollback {
        /// The transaction.
        transaction: StagedId,
    },
}
