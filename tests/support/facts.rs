//! A history turned around: what is known of each message, transaction and consumer, with the index of each event.
//!
//! It gathers and judges nothing; `checker` does.

use super::history::{Event, Incarnation, MessageName, QueueNumber, TransactionName};
use std::collections::{BTreeMap, BTreeSet};

/// A delivery with the index of its event.
pub(super) struct Sighting {
    pub(super) at: usize,
    pub(super) by: Incarnation,
    pub(super) redelivered: bool,
    pub(super) stored_as: i64,
    pub(super) intact: bool,
}

/// An answered acknowledgement.
pub(super) struct Acked {
    pub(super) at: usize,
    pub(super) by: Incarnation,
}

#[derive(Default)]
pub(super) struct Fate {
    pub(super) queue: QueueNumber,
    pub(super) persistent: bool,
    pub(super) asked: bool,
    pub(super) answered: Option<usize>,
    pub(super) refused: Option<usize>,
    pub(super) outside_transactions: bool,
    pub(super) transactions: BTreeSet<TransactionName>,
    pub(super) seen: Vec<Sighting>,
    pub(super) acked: Vec<Acked>,
}

#[derive(Default)]
pub(super) struct Unit {
    pub(super) messages: BTreeSet<MessageName>,
    pub(super) consumed: Vec<(Incarnation, Vec<MessageName>)>,
    pub(super) commit_asked: Option<usize>,
    pub(super) committed: Option<usize>,
    pub(super) rolled_back: Option<usize>,
}

pub(super) struct Life {
    pub(super) opened: usize,
    pub(super) queue: QueueNumber,
    /// Place of its master in the order in which masters were first met.
    pub(super) master: usize,
}

/// The history turned around: what is known of each message, transaction and consumer.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) fates: BTreeMap<MessageName, Fate>,
    pub(super) units: BTreeMap<TransactionName, Unit>,
    pub(super) lives: BTreeMap<Incarnation, Life>,
    pub(super) masters_met: Vec<String>,
    pub(super) masters_ready: Vec<(usize, String, u64)>,
    pub(super) drained: BTreeSet<QueueNumber>,
}

impl Facts {
    pub(super) fn gather(events: &[Event]) -> Self {
        let mut facts = Self::default();
        for (at, event) in events.iter().enumerate() {
            facts.add_send(at, event);
            facts.add_transaction(at, event);
            facts.add_consumer(at, event);
        }
        facts.spread_committed_acks();
        facts
    }

    fn add_send(&mut self, at: usize, event: &Event) {
        match event {
            Event::SendAsked {
                message,
                queue,
                persistent,
                transaction,
            } => {
                let fate = self.fates.entry(*message).or_default();
                (fate.queue, fate.persistent, fate.asked) = (*queue, *persistent, true);
                match transaction {
                    Some(name) => {
                        fate.transactions.insert(*name);
                        self.units
                            .entry(*name)
                            .or_default()
                            .messages
                            .insert(*message);
                    }
                    None => fate.outside_transactions = true,
                }
            }
            Event::SendAnswered { message } => {
                self.fates
                    .entry(*message)
                    .or_default()
                    .answered
                    .get_or_insert(at);
            }
            Event::SendRefused { message } => {
                self.fates
                    .entry(*message)
                    .or_default()
                    .refused
                    .get_or_insert(at);
            }
            _ => {}
        }
    }

    fn add_transaction(&mut self, at: usize, event: &Event) {
        match event {
            Event::ConsumedIn {
                transaction,
                by,
                messages,
            } => {
                let unit = self.units.entry(*transaction).or_default();
                unit.consumed.push((*by, messages.clone()));
            }
            Event::CommitAsked { transaction } => {
                self.units
                    .entry(*transaction)
                    .or_default()
                    .commit_asked
                    .get_or_insert(at);
            }
            Event::Committed { transaction } => {
                self.units
                    .entry(*transaction)
                    .or_default()
                    .committed
                    .get_or_insert(at);
            }
            Event::RolledBack { transaction } => {
                self.units
                    .entry(*transaction)
                    .or_default()
                    .rolled_back
                    .get_or_insert(at);
            }
            _ => {}
        }
    }

    fn add_consumer(&mut self, at: usize, event: &Event) {
        match event {
            Event::Opened { by, queue, master } => {
                let known = self.masters_met.iter().position(|met| met == master);
                let place = known.unwrap_or_else(|| {
                    self.masters_met.push(master.clone());
                    self.masters_met.len() - 1
                });
                self.lives.insert(
                    *by,
                    Life {
                        opened: at,
                        queue: *queue,
                        master: place,
                    },
                );
            }
            Event::Received {
                by,
                message,
                redelivered,
                stored_as,
                intact,
            } => {
                self.fates.entry(*message).or_default().seen.push(Sighting {
                    at,
                    by: *by,
                    redelivered: *redelivered,
                    stored_as: *stored_as,
                    intact: *intact,
                });
            }
            Event::AckAnswered { by, messages } => self.add_acks(at, *by, messages),
            Event::MasterReady { broker, epoch } => {
                self.masters_ready.push((at, broker.clone(), *epoch));
            }
            Event::Drained { queue } => {
                self.drained.insert(*queue);
            }
            _ => {}
        }
    }

    fn add_acks(&mut self, at: usize, by: Incarnation, messages: &[MessageName]) {
        for message in messages {
            self.fates
                .entry(*message)
                .or_default()
                .acked
                .push(Acked { at, by });
        }
    }

    /// A committed transaction's acknowledgements are answered by the answer to the commit.
    fn spread_committed_acks(&mut self) {
        let mut acks = Vec::new();
        for unit in self.units.values() {
            let Some(at) = unit.committed else { continue };
            acks.extend(
                unit.consumed
                    .iter()
                    .map(|(by, messages)| (at, *by, messages.clone())),
            );
        }
        for (at, by, messages) in acks {
            self.add_acks(at, by, &messages);
        }
    }

    pub(super) fn committed_in(&self, fate: &Fate) -> Option<(TransactionName, usize)> {
        fate.transactions
            .iter()
            .find_map(|name| Some((*name, self.units.get(name)?.committed?)))
    }
}
