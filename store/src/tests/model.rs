//! What a store must contain after a prefix of the submitted work: the plain-map twin that tests compare with.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::index::{Index, ProducerState};
use crate::journal::Reader;
use crate::{Outcome, ProducerSequence, QueueId, Seq, StagedId, Work};

/// One record, in test terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Queue(QueueId, Vec<u8>),
    QueueRemoved(QueueId),
    Message {
        queue: QueueId,
        seq: Seq,
        producer: Option<(u8, u64)>,
        payload: Vec<u8>,
    },
    Removed(QueueId, Vec<Seq>),
    Redelivered(QueueId, Seq, u16),
    Mark(QueueId, Seq),
    Outcome(u8, bool),
    StagedCommit(StagedId),
    StagedRollback(StagedId),
}

/// One submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Work(Vec<Step>),
    Stage(StagedId, Vec<Step>),
}

/// Everything a recovery must give back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    queues: BTreeMap<QueueId, Queue>,
    producers: BTreeMap<u8, (u64, u64)>,
    outcomes: BTreeMap<u8, bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Queue {
    name: Vec<u8>,
    mark: u64,
    messages: BTreeMap<u64, Message>,
}

/// Redelivery count, length and checksum of the payload.
type Message = (u16, usize, u32);

/// [`Contents`], and what is not visible yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    contents: Contents,
    staged: BTreeMap<StagedId, Vec<Step>>,
}

/// How many producers and transactions a test may use.
pub(crate) const PRODUCERS: u8 = 8;

pub(crate) fn producer_id(producer: u8) -> Vec<u8> {
    format!("ID:producer-{producer}").into_bytes()
}

pub(crate) fn transaction_id(transaction: u8) -> Vec<u8> {
    format!("TX:{transaction}").into_bytes()
}

/// The steps as a work.
pub(crate) fn work_of(steps: &[Step]) -> Work {
    let mut work = Work::new();
    for step in steps {
        match step {
            Step::Queue(queue, name) => work.queue(*queue, name),
            Step::QueueRemoved(queue) => work.queue_removed(*queue),
            Step::Message {
                queue,
                seq,
                producer,
                payload,
            } => {
                let id = producer
                    .map(|(producer, _)| producer_id(producer))
                    .unwrap_or_default();
                let producer = producer.map(|(_, sequence)| ProducerSequence {
                    producer: &id,
                    sequence,
                });
                work.message(*queue, *seq, producer, 0, payload);
            }
            Step::Removed(queue, seqs) => work.removed(*queue, seqs),
            Step::Redelivered(queue, seq, count) => work.redelivered(*queue, *seq, *count),
            Step::Mark(queue, seq) => work.dispatch_mark(*queue, *seq),
            Step::Outcome(transaction, committed) => {
                let outcome = if *committed {
                    Outcome::Committed
                } else {
                    Outcome::RolledBack
                };
                work.outcome(&transaction_id(*transaction), outcome);
            }
            Step::StagedCommit(transaction) => work.staged_commit(*transaction),
            Step::StagedRollback(transaction) => work.staged_rollback(*transaction),
        }
    }
    work
}

impl Model {
    /// Goes on from what a recovery found.
    pub(crate) fn of(contents: Contents) -> Self {
        let staged = BTreeMap::new();
        Self { contents, staged }
    }

    pub(crate) fn apply(&mut self, unit: &Unit) {
        match unit {
            Unit::Work(steps) => steps.iter().for_each(|step| self.step(step)),
            Unit::Stage(transaction, steps) => {
                for step in steps {
                    if matches!(step, Step::Message { .. } | Step::Removed(..)) {
                        self.staged
                            .entry(*transaction)
                            .or_default()
                            .push(step.clone());
                    } else {
                        self.step(step);
                    }
                }
            }
        }
    }

    /// What is left after a crash: nothing that was staged without a commit.
    pub(crate) fn restart(&mut self) {
        self.staged.clear();
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Queue(queue, name) => {
                self.contents
                    .queues
                    .entry(*queue)
                    .or_default()
                    .name
                    .clone_from(name);
            }
            Step::QueueRemoved(queue) => {
                self.contents.queues.remove(queue);
            }
            Step::Outcome(transaction, committed) => {
                self.contents.outcomes.insert(*transaction, *committed);
            }
            Step::StagedCommit(transaction) => {
                for staged in self.staged.remove(transaction).unwrap_or_default() {
                    self.step(&staged);
                }
            }
            Step::StagedRollback(transaction) => {
                self.staged.remove(transaction);
            }
            Step::Message {
                producer: Some((producer, sequence)),
                ..
            } => {
                self.note(*producer, *sequence);
                self.queue_step(step);
            }
            _ => self.queue_step(step),
        }
    }

    fn queue_step(&mut self, step: &Step) {
        let (Step::Message { queue, .. } | Step::Removed(queue, _)) = step else {
            return self.queue_note(step);
        };
        let Some(queue) = self.contents.queues.get_mut(queue) else {
            return;
        };
        match step {
            Step::Message { seq, payload, .. } => {
                queue
                    .messages
                    .insert(seq.0, (0, payload.len(), crc32fast::hash(payload)));
            }
            Step::Removed(_, seqs) => {
                for seq in seqs {
                    queue.messages.remove(&seq.0);
                }
            }
            _ => {}
        }
    }

    fn queue_note(&mut self, step: &Step) {
        let (Step::Redelivered(queue, ..) | Step::Mark(queue, _)) = step else {
            return;
        };
        let Some(queue) = self.contents.queues.get_mut(queue) else {
            return;
        };
        match step {
            Step::Redelivered(_, seq, count) => {
                if let Some(message) = queue.messages.get_mut(&seq.0) {
                    message.0 = *count;
                }
            }
            Step::Mark(_, seq) => queue.mark = seq.0,
            _ => {}
        }
    }

    fn note(&mut self, producer: u8, sequence: u64) {
        let known = self.contents.producers.get(&producer);
        let mut state = known.map_or(ProducerState::first(sequence), |(last, window)| {
            ProducerState {
                last: *last,
                window: *window,
            }
        });
        let _ = state.note(sequence);
        self.contents
            .producers
            .insert(producer, (state.last, state.window));
    }
}

impl Contents {
    /// Fails with what differs, and only that.
    pub(crate) fn assert_is(&self, want: &Self, what: &str) {
        let mut differences = Vec::new();
        compare("queue", &self.queues, &want.queues, &mut differences);
        compare(
            "producer",
            &self.producers,
            &want.producers,
            &mut differences,
        );
        compare("outcome", &self.outcomes, &want.outcomes, &mut differences);
        for (id, queue) in &self.queues {
            if let Some(wanted) = want.queues.get(id) {
                compare(
                    &format!("{id} message"),
                    &queue.messages,
                    &wanted.messages,
                    &mut differences,
                );
            }
        }
        assert!(
            differences.is_empty(),
            "{what}:\n{}",
            differences.join("\n")
        );
    }
}

fn compare<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    found: &BTreeMap<K, V>,
    want: &BTreeMap<K, V>,
    differences: &mut Vec<String>,
) {
    for key in found
        .keys()
        .chain(want.keys().filter(|key| !found.contains_key(key)))
    {
        let (found, want) = (found.get(key), want.get(key));
        if found != want {
            let text = format!("{what} {key:?}: found {found:?}, want {want:?}");
            differences.push(text.chars().take(300).collect());
        }
    }
}

/// What an index and the journal behind it hold, in the model's terms.
pub(crate) fn contents_of(index: &mut Index, reader: &Reader) -> Contents {
    let mut contents = Contents::default();
    for summary in index.queues() {
        let mut queue = Queue {
            name: summary.name.clone(),
            mark: summary.mark.0,
            ..Queue::default()
        };
        let entries = index
            .entries(summary.id, Seq(0), usize::MAX)
            .expect("entries");
        assert_eq!(
            entries.len() as u64,
            summary.count,
            "the count of {}",
            summary.id
        );
        assert_eq!(entries.first().map(|entry| entry.seq), summary.first);
        let bytes: u64 = entries.iter().map(|entry| u64::from(entry.len)).sum();
        assert_eq!(bytes, summary.bytes, "the bytes of {}", summary.id);
        for entry in entries {
            assert!(
                entry.seq < summary.next_seq,
                "{} is below the next",
                entry.seq
            );
            let payload = reader
                .read_payload(entry.position, entry.len as usize, entry.crc)
                .expect("payload");
            let message = (entry.redeliveries, payload.len(), crc32fast::hash(&payload));
            queue.messages.insert(entry.seq.0, message);
        }
        contents.queues.insert(summary.id, queue);
    }
    for id in 0..PRODUCERS {
        if let Some(state) = index.producer(&producer_id(id)).expect("producer") {
            contents.producers.insert(id, (state.last, state.window));
        }
        if let Some(outcome) = index.outcome(&transaction_id(id)).expect("outcome") {
            contents.outcomes.insert(id, outcome == Outcome::Committed);
        }
    }
    contents
}
