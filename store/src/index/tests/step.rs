//! Records that own their bytes, for journals in memory.

use crate::position::{QueueId, Seq, StagedId};
use crate::record::{MessageRecord, Outcome, ProducerSequence, Record};

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Queue(u32),
    QueueRemoved(u32),
    Message {
        queue: u32,
        seq: u64,
        redeliveries: u16,
        producer: Option<(u8, u64)>,
    },
    Removed {
        queue: u32,
        seqs: Vec<u64>,
    },
    Redelivered {
        queue: u32,
        seq: u64,
        count: u16,
    },
    Mark {
        queue: u32,
        seq: u64,
    },
    Producer {
        id: u8,
        last: u64,
        window: u64,
    },
    Outcome {
        id: u8,
        committed: bool,
    },
    Staged {
        id: u64,
        step: Box<Step>,
    },
    Commit(u64),
    Rollback(u64),
}

impl Step {
    pub(super) fn with_record(&self, moved: bool, use_it: &mut dyn FnMut(&Record<'_>)) {
        let name = |queue: u32| format!("queue {queue}").into_bytes();
        match self {
            Self::Queue(queue) => use_it(&Record::Queue {
                queue: QueueId(*queue),
                name: &name(*queue),
            }),
            Self::QueueRemoved(queue) => use_it(&Record::QueueRemoved {
                queue: QueueId(*queue),
            }),
            Self::Message {
                queue,
                seq,
                redeliveries,
                producer,
            } => {
                let message = MessageRecord {
                    queue: QueueId(*queue),
                    seq: Seq(*seq),
                    redeliveries: *redeliveries,
                    moved,
                    producer: None,
                    payload: &[],
                };
                with_producer(message, *producer, use_it);
            }
            Self::Removed { queue, seqs } => {
                let seqs = seqs.iter().map(|seq| Seq(*seq)).collect();
                use_it(&Record::Removed {
                    queue: QueueId(*queue),
                    seqs,
                })
            }
            Self::Redelivered { queue, seq, count } => use_it(&Record::Redelivered {
                queue: QueueId(*queue),
                seq: Seq(*seq),
                count: *count,
            }),
            Self::Mark { queue, seq } => use_it(&Record::DispatchMark {
                queue: QueueId(*queue),
                seq: Seq(*seq),
            }),
            Self::Producer { id, last, window } => use_it(&Record::Producer {
                id: &producer_id(*id),
                last: *last,
                window: *window,
            }),
            Self::Outcome { id, committed } => use_it(&Record::Outcome {
                transaction: &[*id],
                outcome: outcome(*committed),
            }),
            Self::Staged { id, step } => step.with_record(moved, &mut |record| {
                use_it(&Record::Staged {
                    transaction: StagedId(*id),
                    record: Box::new(record.clone()),
                })
            }),
            Self::Commit(id) => use_it(&Record::StagedCommit {
                transaction: StagedId(*id),
            }),
            Self::Rollback(id) => use_it(&Record::StagedRollback {
                transaction: StagedId(*id),
            }),
        }
    }
}

/// As the journal says it.
pub(super) fn outcome(committed: bool) -> Outcome {
    if committed {
        Outcome::Committed
    } else {
        Outcome::RolledBack
    }
}

fn with_producer(
    message: MessageRecord<'_>,
    producer: Option<(u8, u64)>,
    use_it: &mut dyn FnMut(&Record<'_>),
) {
    let id = producer.map(|(id, _)| producer_id(id)).unwrap_or_default();
    let producer = producer.map(|(_, sequence)| ProducerSequence {
        producer: &id,
        sequence,
    });
    use_it(&Record::Message(MessageRecord {
        producer,
        ..message
    }));
}

/// Some of them long enough to be hashed.
pub(super) fn producer_id(id: u8) -> Vec<u8> {
    vec![id; if id.is_multiple_of(3) { 300 } else { 10 }]
}
