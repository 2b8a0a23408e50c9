//! One operation of a staged transaction, and its bytes.

use super::encoding::{Fields, put_bytes, put_number, put_position};
use super::page::Slot;
use super::segment_use::{NOTE_BYTES, message_bytes};
use crate::position::{QueueId, SegmentNumber, Seq};

/// What is held back: one message, or one removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StagedOperation {
    pub(super) queue: QueueId,
    pub(super) seq: Seq,
    pub(super) what: Staged,
}

/// The kinds of operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Staged {
    Message {
        slot: Slot,
        /// Key of the producer in its table, and the sequence.
        producer: Option<(Box<[u8]>, u64)>,
    },
    Removed {
        segment: SegmentNumber,
    },
}

const MESSAGE: u8 = 0;
const MESSAGE_WITH_PRODUCER: u8 = 1;
const REMOVED: u8 = 2;

impl StagedOperation {
    /// The segment that it pins, and what it counts for there.
    pub(super) fn pinned(&self) -> (SegmentNumber, u64) {
        match &self.what {
            Staged::Message { slot, .. } => (slot.position.segment, message_bytes(slot.len)),
            Staged::Removed { segment } => (*segment, NOTE_BYTES),
        }
    }

    pub(super) fn is_message(&self) -> bool {
        matches!(self.what, Staged::Message { .. })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(match &self.what {
            Staged::Message { producer: None, .. } => MESSAGE,
            Staged::Message { .. } => MESSAGE_WITH_PRODUCER,
            Staged::Removed { .. } => REMOVED,
        });
        put_number(out, u64::from(self.queue.0));
        put_number(out, self.seq.0);
        match &self.what {
            Staged::Message { slot, producer } => {
                put_position(out, slot.position);
                put_number(out, u64::from(slot.len));
                put_number(out, u64::from(slot.crc));
                put_number(out, u64::from(slot.redeliveries));
                if let Some((key, sequence)) = producer {
                    put_bytes(out, key);
                    put_number(out, *sequence);
                }
            }
            Staged::Removed { segment } => put_number(out, segment.0),
        }
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let kind = fields.byte()?;
        let (queue, seq) = (QueueId(fields.u32()?), Seq(fields.number()?));
        let what = match kind {
            MESSAGE | MESSAGE_WITH_PRODUCER => {
                let slot = Slot::new(
                    fields.position()?,
                    fields.u32()?,
                    fields.u32()?,
                    fields.u16()?,
                );
                let producer = if kind == MESSAGE_WITH_PRODUCER {
                    Some((Box::from(fields.bytes()?), fields.number()?))
                } else {
                    None
                };
                Staged::Message { slot, producer }
            }
            REMOVED => Staged::Removed {
                segment: fields.segment()?,
            },
            _ => return None,
        };
        Some(Self { queue, seq, what })
    }
}

/// The body of a chunk's value.
pub(super) fn encode_chunk(operations: &[StagedOperation]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, operations.len() as u64);
    operations
        .iter()
        .for_each(|operation| operation.put(&mut out));
    out
}

/// The operations of a chunk; `None` if the body is none.
pub(super) fn decode_chunk(body: &[u8]) -> Option<Vec<StagedOperation>> {
    let mut fields = Fields::new(body);
    let count = fields.count()?;
    let operations = (0..count)
        .map(|_| StagedOperation::read(&mut fields))
        .collect::<Option<Vec<_>>>()?;
    fields.is_empty().then_some(operations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;

    #[test]
    fn a_chunk_comes_back_and_cut_ones_are_refused() {
        let position = Position {
            segment: SegmentNumber(4),
            offset: 5000,
        };
        let slot = Slot::new(position, 1000, 0xffff_0000, 3);
        let operation = |what| StagedOperation {
            queue: QueueId(3),
            seq: Seq(12),
            what,
        };
        let operations = vec![
            operation(Staged::Message {
                slot,
                producer: None,
            }),
            operation(Staged::Message {
                slot,
                producer: Some((Box::from(&b"p=id"[..]), 9)),
            }),
            operation(Staged::Removed {
                segment: SegmentNumber(8),
            }),
        ];
        let body = encode_chunk(&operations);
        assert_eq!(decode_chunk(&body), Some(operations));
        for len in 0..body.len() {
            assert_eq!(decode_chunk(&body[..len]), None, "cut at {len}");
        }
    }
}
