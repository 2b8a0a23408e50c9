//! Records to bytes and back (FORMAT.md 4).
//!
//! Encoding appends to a [`Sink`]; decoding borrows from the batch, checks every length before it believes it, and
//! answers [`BadRecord`] for anything it does not understand: no input makes it panic. Checksums of payloads are
//! handed on, not verified: the batch's own checksum covers them here, and a later read verifies them.

use crate::position::{QueueId, SegmentNumber, Seq, StagedId};
use crate::record::{MessageRecord, Outcome, ProducerSequence, Record, Seal};

const SEAL: u8 = 1;
const QUEUE: u8 = 2;
const QUEUE_REMOVED: u8 = 3;
pub(crate) const MESSAGE: u8 = 4;
pub(crate) const REMOVED: u8 = 5;
const REDELIVERED: u8 = 6;
const DISPATCH_MARK: u8 = 7;
const PRODUCER: u8 = 8;
const OUTCOME: u8 = 9;
const STAGED: u8 = 10;
const STAGED_COMMIT: u8 = 11;
const STAGED_ROLLBACK: u8 = 12;

/// The message carries its producer and sequence.
const FLAG_PRODUCER: u8 = 1;
/// The message was written again by compaction.
const FLAG_MOVED: u8 = 2;

/// Bytes of the length field before every record.
pub(crate) const LENGTH_BYTES: usize = 4;
/// Type byte, queue, sequence, redeliveries, flags, payload crc.
const MESSAGE_FIXED: usize = 1 + 4 + 8 + 2 + 1 + 4;

/// Somewhere bytes are appended to.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Bytes that are not a record of this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record at byte {offset} of its batch: {what}")]
pub struct BadRecord {
    /// Offset of the record within the records of its batch.
    pub offset: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Where the payload of a message lies among the records of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadPlace {
    /// Offset of its first byte from the first record byte of the batch.
    pub offset: usize,
    /// Its length in bytes.
    pub len: usize,
    /// Its CRC-32 as the record states it.
    pub crc: u32,
}

/// One record with its place among the records of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// What it says.
    pub record: Record<'a>,
    /// Offset of its length field.
    pub offset: usize,
    /// First offset after it.
    pub end: usize,
    /// Where its payload lies, for messages and staged messages.
    pub payload: Option<PayloadPlace>,
}

/// Decodes the records of a batch in order; stops for good at the first bad one.
#[must_use]
pub fn decode_all(records: &[u8]) -> Records<'_> {
    Records {
        bytes: records,
        at: 0,
        failed: false,
    }
}

/// Iterator over the records of a batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    failed: bool,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Decoded<'a>, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at == self.bytes.len() {
            return None;
        }
        let offset = self.at;
        let decoded = decode_at(self.bytes, offset);
        match &decoded {
            Ok(decoded) => self.at = decoded.end,
            Err(_) => self.failed = true,
        }
        Some(decoded.map_err(|what| BadRecord { offset, what }))
    }
}

fn decode_at(bytes: &[u8], offset: usize) -> Result<Decoded<'_>, &'static str> {
    let mut length = Fields { bytes, at: offset };
    let len = length.u32()? as usize;
    let body = length.take(len)?;
    let start = length.at - body.len();
    let mut fields = Fields { bytes: body, at: 0 };
    let kind = fields.u8()?;
    let (record, payload) = decode_body(kind, &mut fields, true)?;
    if fields.at != body.len() {
        return Err("bytes left over after its fields");
    }
    let payload = payload.map(|p| PayloadPlace {
        offset: start + p.offset,
        ..p
    });
    Ok(Decoded {
        record,
        offset,
        end: length.at,
        payload,
    })
}

type Body<'a> = (Record<'a>, Option<PayloadPlace>);

fn decode_body<'a>(
    kind: u8,
    f: &mut Fields<'a>,
    outermost: bool,
) -> Result<Body<'a>, &'static str> {
    let record = match kind {
        MESSAGE => return decode_message(f),
        STAGED if outermost => return decode_staged(f),
        REMOVED => decode_removed(f)?,
        _ if !outermost => return Err("only messages and removals can be staged"),
        SEAL => decode_seal(f)?,
        QUEUE => Record::Queue {
            queue: f.queue()?,
            name: f.counted()?,
        },
        QUEUE_REMOVED => Record::QueueRemoved { queue: f.queue()? },
        REDELIVERED => Record::Redelivered {
            queue: f.queue()?,
            seq: f.seq()?,
            count: f.u16()?,
        },
        DISPATCH_MARK => Record::DispatchMark {
            queue: f.queue()?,
            seq: f.seq()?,
        },
        PRODUCER => Record::Producer {
            id: f.counted()?,
            last: f.u64()?,
            window: f.u64()?,
        },
        OUTCOME => Record::Outcome {
            transaction: f.counted()?,
            outcome: f.outcome()?,
        },
        STAGED_COMMIT => Record::StagedCommit {
            transaction: StagedId(f.u64()?),
        },
        STAGED_ROLLBACK => Record::StagedRollback {
            transaction: StagedId(f.u64()?),
        },
        _ => return Err("unknown type"),
    };
    Ok((record, None))
}

fn decode_seal(f: &mut Fields<'_>) -> Result<Record<'static>, &'static str> {
    Ok(Record::Seal(Seal {
        epoch: f.u64()?,
        segment: SegmentNumber(f.u64()?),
        end: f.u64()?,
        last_batch: f.u64()?,
        last_crc: f.u32()?,
    }))
}

fn decode_message<'a>(f: &mut Fields<'a>) -> Result<Body<'a>, &'static str> {
    let queue = f.queue()?;
    let seq = f.seq()?;
    let redeliveries = f.u16()?;
    let flags = f.u8()?;
    if flags & !(FLAG_PRODUCER | FLAG_MOVED) != 0 {
        return Err("unknown flags of a message");
    }
    let producer = if flags & FLAG_PRODUCER == 0 {
        None
    } else {
        Some(ProducerSequence {
            producer: f.counted()?,
            sequence: f.u64()?,
        })
    };
    let crc = f.u32()?;
    let place = PayloadPlace {
        offset: f.at,
        len: f.bytes.len() - f.at,
        crc,
    };
    let payload = f.take(place.len)?;
    let moved = flags & FLAG_MOVED != 0;
    let message = MessageRecord {
        queue,
        seq,
        redeliveries,
        moved,
        producer,
        payload,
    };
    Ok((Record::Message(message), Some(place)))
}

fn decode_removed(f: &mut Fields<'_>) -> Result<Record<'static>, &'static str> {
    let queue = f.queue()?;
    let count = usize::from(f.u16()?);
    let mut packed = Fields {
        bytes: f.take(count * 8)?,
        at: 0,
    };
    let mut seqs = Vec::with_capacity(count);
    for _ in 0..count {
        seqs.push(packed.seq()?);
    }
    Ok(Record::Removed { queue, seqs })
}

fn decode_staged<'a>(f: &mut Fields<'a>) -> Result<Body<'a>, &'static str> {
    let transaction = StagedId(f.u64()?);
    let kind = f.u8()?;
    let (record, payload) = decode_body(kind, f, false)?;
    Ok((
        Record::Staged {
            transaction,
            record: Box::new(record),
        },
        payload,
    ))
}

/// Takes fields off the front of a slice.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(len).ok_or("length overflows")?;
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or("ends before its fields do")?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, &'static str> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, &'static str> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, &'static str> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn queue(&mut self) -> Result<QueueId, &'static str> {
        Ok(QueueId(self.u32()?))
    }

    fn seq(&mut self) -> Result<Seq, &'static str> {
        Ok(Seq(self.u64()?))
    }

    fn counted(&mut self) -> Result<&'a [u8], &'static str> {
        let len = usize::from(self.u16()?);
        self.take(len)
    }

    fn outcome(&mut self) -> Result<Outcome, &'static str> {
        match self.u8()? {
            1 => Ok(Outcome::Committed),
            2 => Ok(Outcome::RolledBack),
            _ => Err("unknown outcome of a transaction"),
        }
    }
}

impl Record<'_> {
    /// Appends this record, length field included.
    ///
    /// # Panics
    /// When a name or id exceeds 65,535 bytes or the record 4 GiB: [`crate::Work`] refuses those long before.
    pub fn encode(&self, out: &mut impl Sink) {
        out.put(&narrow_u32(self.body_len()).to_le_bytes());
        self.put_body(out);
    }

    /// Bytes that [`Record::encode`] appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        LENGTH_BYTES + self.body_len()
    }

    fn body_len(&self) -> usize {
        match self {
            Self::Seal(_) => 1 + 8 + 8 + 8 + 8 + 4,
            Self::Queue { name, .. } => 1 + 4 + 2 + name.len(),
            Self::QueueRemoved { .. } => 1 + 4,
            Self::Message(message) => message_body_len(message.producer, message.payload.len()),
            Self::Removed { seqs, .. } => 1 + 4 + 2 + 8 * seqs.len(),
            Self::Redelivered { .. } => 1 + 4 + 8 + 2,
            Self::DispatchMark { .. } => 1 + 4 + 8,
            Self::Producer { id, .. } => 1 + 2 + id.len() + 8 + 8,
            Self::Outcome { transaction, .. } => 1 + 2 + transaction.len() + 1,
            Self::Staged { record, .. } => 1 + 8 + record.body_len(),
            Self::StagedCommit { .. } | Self::StagedRollback { .. } => 1 + 8,
        }
    }

    fn put_body(&self, out: &mut impl Sink) {
        match self {
            Self::Seal(seal) => put_seal(out, seal),
            Self::Queue { queue, name } => {
                put_queue(out, QUEUE, *queue);
                put_counted(out, name);
            }
            Self::QueueRemoved { queue } => put_queue(out, QUEUE_REMOVED, *queue),
            Self::Message(message) => put_message_body(out, message, &[message.payload]),
            Self::Removed { queue, seqs } => put_removed_body(out, *queue, seqs),
            Self::Redelivered { queue, seq, count } => {
                put_queue(out, REDELIVERED, *queue);
                out.put(&seq.0.to_le_bytes());
                out.put(&count.to_le_bytes());
            }
            Self::DispatchMark { queue, seq } => {
                put_queue(out, DISPATCH_MARK, *queue);
                out.put(&seq.0.to_le_bytes());
            }
            Self::Producer { id, last, window } => {
                out.put(&[PRODUCER]);
                put_counted(out, id);
                out.put(&last.to_le_bytes());
                out.put(&window.to_le_bytes());
            }
            Self::Outcome {
                transaction,
                outcome,
            } => {
                out.put(&[OUTCOME]);
                put_counted(out, transaction);
                out.put(&[outcome_byte(*outcome)]);
            }
            Self::Staged {
                transaction,
                record,
            } => {
                put_transaction(out, STAGED, *transaction);
                record.put_body(out);
            }
            Self::StagedCommit { transaction } => put_transaction(out, STAGED_COMMIT, *transaction),
            Self::StagedRollback { transaction } => {
                put_transaction(out, STAGED_ROLLBACK, *transaction)
            }
        }
    }
}

/// Appends a message whose payload comes in several slices; `message.payload` is ignored.
pub(crate) fn encode_message_parts(
    out: &mut impl Sink,
    message: &MessageRecord<'_>,
    parts: &[&[u8]],
) {
    let len = parts.iter().map(|part| part.len()).sum();
    let body = message_body_len(message.producer, len);
    out.put(&narrow_u32(body).to_le_bytes());
    put_message_body(out, message, parts);
}

/// Appends a removal without the vector that [`Record::Removed`] owns.
pub(crate) fn encode_removed(out: &mut impl Sink, queue: QueueId, seqs: &[Seq]) {
    out.put(&narrow_u32(1 + 4 + 2 + 8 * seqs.len()).to_le_bytes());
    put_removed_body(out, queue, seqs);
}

/// Appends `record`, an encoded message or removal, as staged under `transaction`.
pub(crate) fn encode_staged(out: &mut impl Sink, transaction: StagedId, record: &[u8]) {
    let body = &record[LENGTH_BYTES..];
    out.put(&narrow_u32(1 + 8 + body.len()).to_le_bytes());
    put_transaction(out, STAGED, transaction);
    out.put(body);
}

fn message_body_len(producer: Option<ProducerSequence<'_>>, payload: usize) -> usize {
    MESSAGE_FIXED + producer.map_or(0, |p| 2 + p.producer.len() + 8) + payload
}

fn put_message_body(out: &mut impl Sink, message: &MessageRecord<'_>, parts: &[&[u8]]) {
    put_queue(out, MESSAGE, message.queue);
    out.put(&message.seq.0.to_le_bytes());
    out.put(&message.redeliveries.to_le_bytes());
    let moved = if message.moved { FLAG_MOVED } else { 0 };
    match message.producer {
        None => out.put(&[moved]),
        Some(producer) => {
            out.put(&[moved | FLAG_PRODUCER]);
            put_counted(out, producer.producer);
            out.put(&producer.sequence.to_le_bytes());
        }
    }
    let mut crc = crc32fast::Hasher::new();
    for part in parts {
        crc.update(part);
    }
    out.put(&crc.finalize().to_le_bytes());
    for part in parts {
        out.put(part);
    }
}

fn put_removed_body(out: &mut impl Sink, queue: QueueId, seqs: &[Seq]) {
    put_queue(out, REMOVED, queue);
    let count = u16::try_from(seqs.len()).expect("Work splits removals beyond 65,535");
    out.put(&count.to_le_bytes());
    for seq in seqs {
        out.put(&seq.0.to_le_bytes());
    }
}

fn put_seal(out: &mut impl Sink, seal: &Seal) {
    out.put(&[SEAL]);
    out.put(&seal.epoch.to_le_bytes());
    out.put(&seal.segment.0.to_le_bytes());
    out.put(&seal.end.to_le_bytes());
    out.put(&seal.last_batch.to_le_bytes());
    out.put(&seal.last_crc.to_le_bytes());
}

fn put_queue(out: &mut impl Sink, kind: u8, queue: QueueId) {
    out.put(&[kind]);
    out.put(&queue.0.to_le_bytes());
}

fn put_transaction(out: &mut impl Sink, kind: u8, transaction: StagedId) {
    out.put(&[kind]);
    out.put(&transaction.0.to_le_bytes());
}

fn put_counted(out: &mut impl Sink, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).expect("Work refuses names and ids beyond 65,535 bytes");
    out.put(&len.to_le_bytes());
    out.put(bytes);
}

fn outcome_byte(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Committed => 1,
        Outcome::RolledBack => 2,
    }
}

fn narrow_u32(len: usize) -> u32 {
    u32::try_from(len).expect("Work refuses records beyond its limit, far below 4 GiB")
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
