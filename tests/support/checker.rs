//! Judges a history against the promises 1 to 6 of the design: nothing lost, nothing torn, nothing back, nothing twice,
//! nothing out of order, never two masters.
//!
//! Guarantees that each violation names the message and the events (by index) that prove it. Where a client may
//! honestly have seen things late (a delivery read from a connection whose master was gone by then), it does not
//! accuse: see `Facts::returned`. It judges loss only of queues that were drained.

use super::facts::{Acked, Facts, Sighting, Unit};
use super::history::{Event, Incarnation, MessageName, QueueNumber, TransactionName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Number of the promise, 1 to 6; 0 for what no broker should ever do.
    pub(crate) promise: u8,
    /// What happened, for a person.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "promise {}: {}", self.promise, self.what)
    }
}

/// All violations in a history, worst promise first.
pub(crate) fn violations(events: &[Event]) -> Vec<Violation> {
    let facts = Facts::gather(events);
    let mut found = Vec::new();
    facts.lost(&mut found);
    facts.torn(&mut found);
    facts.returned(&mut found);
    facts.unflagged(&mut found);
    facts.stored_twice(&mut found);
    facts.out_of_order(&mut found);
    facts.two_masters(&mut found);
    facts.never_sent(&mut found);
    found
}

/// Panics with every violation when there are any.
pub(crate) fn assert_kept(events: &[Event]) {
    let found = violations(events);
    let list: Vec<String> = found.iter().take(40).map(Violation::to_string).collect();
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        list.join("\n")
    );
}

impl Facts {
    /// Promise 1: what was answered is delivered.
    fn lost(&self, found: &mut Vec<Violation>) {
        for (message, fate) in &self.fates {
            let promised = match self.committed_in(fate) {
                Some((name, at)) => {
                    Some(format!("its transaction {name} was committed (event {at})"))
                }
                None if fate.outside_transactions => fate
                    .answered
                    .map(|at| format!("its send was answered (event {at})")),
                None => None,
            };
            let Some(promise) = promised else { continue };
            if fate.persistent && fate.seen.is_empty() && self.drained.contains(&fate.queue) {
                found.push(violation(
                    1,
                    format!(
                        "{message} is lost: {promise}, queue {} is empty",
                        fate.queue
                    ),
                ));
            }
        }
    }

    /// Promise 2: whole or not at all.
    fn torn(&self, found: &mut Vec<Violation>) {
        for (name, unit) in &self.units {
            // Work that another attempt carries too proves nothing about this one.
            let own: Vec<&MessageName> = unit
                .messages
                .iter()
                .filter(|message| self.fates[message].transactions.len() == 1)
                .collect();
            let drained = own
                .iter()
                .all(|message| self.drained.contains(&self.fates[message].queue));
            let (seen, missing): (Vec<&MessageName>, Vec<&MessageName>) = own
                .into_iter()
                .partition(|message| !self.fates[message].seen.is_empty());
            if let (Some(at), Some(message)) = (unit.rolled_back, seen.first()) {
                found.push(violation(
                    2,
                    format!("{message} was seen although {name} was rolled back (event {at})"),
                ));
            } else if let (Some(shown), Some(absent)) = (seen.first(), missing.first())
                && drained
            {
                let counts = format!("{} seen, {} missing", seen.len(), missing.len());
                found.push(violation(
                    2,
                    format!("{name} is torn: {shown} was seen, {absent} was not ({counts})"),
                ));
            }
            self.seen_too_early(*name, unit, &seen, found);
        }
    }

    fn seen_too_early(
        &self,
        name: TransactionName,
        unit: &Unit,
        seen: &[&MessageName],
        found: &mut Vec<Violation>,
    ) {
        for message in seen {
            let first = self.fates[message].seen[0].at;
            if unit.commit_asked.is_none_or(|asked| first < asked) {
                found.push(violation(
                    2,
                    format!("{message} was seen (event {first}) before {name} was committed"),
                ));
            }
        }
    }

    /// Promise 3: what was acknowledged stays away. A delivery counts as coming after the acknowledgement when its
    /// connection was opened after it, or its master is not older than the one that answered: a client may read what
    /// a dead master had sent it long after the next one answered somebody else.
    fn returned(&self, found: &mut Vec<Violation>) {
        for (message, fate) in &self.fates {
            let proof = fate.acked.iter().find_map(|acked| {
                let again = fate
                    .seen
                    .iter()
                    .find(|seen| seen.at > acked.at && self.follows(seen, acked))?;
                Some((acked, again))
            });
            if let Some((acked, again)) = proof {
                found.push(violation(
                    3,
                    format!(
                        "{message} came back to {} (event {}) after {} had acknowledged it (event {})",
                        again.by, again.at, acked.by, acked.at
                    ),
                ));
            }
        }
    }

    fn follows(&self, seen: &Sighting, acked: &Acked) -> bool {
        let (Some(theirs), Some(ours)) = (self.lives.get(&seen.by), self.lives.get(&acked.by))
        else {
            return true;
        };
        theirs.opened > acked.at || theirs.master >= ours.master
    }

    /// Promise 3: what may have been seen before says so.
    fn unflagged(&self, found: &mut Vec<Violation>) {
        for (message, fate) in &self.fates {
            let fresh: Vec<&Sighting> = fate.seen.iter().filter(|seen| !seen.redelivered).collect();
            let after_another = fresh.iter().find_map(|seen| {
                let opened = self.lives.get(&seen.by)?.opened;
                fate.seen
                    .iter()
                    .find(|earlier| earlier.at < opened)
                    .map(|earlier| (earlier, *seen))
            });
            let pair = match fresh.as_slice() {
                [first, second, ..] => Some((*first, *second)),
                _ => after_another,
            };
            if let Some((first, second)) = pair {
                found.push(violation(
                    3,
                    format!(
                        "{message} was delivered to {} (event {}) without the redelivered flag, after {} (event {})",
                        second.by, second.at, first.by, first.at
                    ),
                ));
            }
        }
    }

    /// Promise 4: a resent message is stored once.
    fn stored_twice(&self, found: &mut Vec<Violation>) {
        for (message, fate) in &self.fates {
            let Some(first) = fate.seen.first() else {
                continue;
            };
            if let Some(other) = fate
                .seen
                .iter()
                .find(|seen| fate.persistent && seen.stored_as != first.stored_as)
            {
                found.push(violation(
                    4,
                    format!(
                        "{message} is stored twice: as {} (event {}) and as {} (event {})",
                        first.stored_as, first.at, other.stored_as, other.at
                    ),
                ));
            }
        }
    }

    /// Promise 5: order per producer and queue. Judged among unflagged deliveries of one connection, and among first
    /// sightings where a queue had one consumer only.
    fn out_of_order(&self, found: &mut Vec<Violation>) {
        let mut order: BTreeMap<usize, (MessageName, &Sighting, bool)> = BTreeMap::new();
        for (message, fate) in &self.fates {
            for (index, seen) in fate.seen.iter().enumerate() {
                order.insert(seen.at, (*message, seen, index == 0));
            }
        }
        let mut last_fresh: BTreeMap<(Incarnation, u32), (MessageName, usize)> = BTreeMap::new();
        let mut last_first: BTreeMap<(QueueNumber, u32), (MessageName, usize)> = BTreeMap::new();
        for (at, (message, seen, is_first)) in order {
            let queue = self.fates[&message].queue;
            if !seen.redelivered {
                let last = last_fresh.insert((seen.by, message.producer), (message, at));
                overtaken(last, message, at, &format!("by {}", seen.by), found);
            } else if is_first && self.consumers_of(queue) == 1 {
                let last = last_first.get(&(queue, message.producer)).copied();
                overtaken(last, message, at, "by the only consumer", found);
            }
            if is_first {
                last_first.insert((queue, message.producer), (message, at));
            }
        }
    }

    fn consumers_of(&self, queue: QueueNumber) -> usize {
        let consumers: BTreeSet<u32> = self
            .lives
            .iter()
            .filter(|(_, life)| life.queue == queue)
            .map(|(by, _)| by.consumer)
            .collect();
        consumers.len()
    }

    /// Promise 6: each mastership has an epoch of its own, above all before it.
    fn two_masters(&self, found: &mut Vec<Violation>) {
        for pair in self.masters_ready.windows(2) {
            let ((at, broker, epoch), (next_at, next_broker, next_epoch)) = (&pair[0], &pair[1]);
            if next_epoch <= epoch {
                found.push(violation(
                    6,
                    format!(
                        "{next_broker} became master with epoch {next_epoch} (event {next_at}) after {broker} with \
                         epoch {epoch} (event {at})"
                    ),
                ));
            }
        }
    }

    /// What no promise allows: messages from nowhere, damaged ones, refused ones.
    fn never_sent(&self, found: &mut Vec<Violation>) {
        for (message, fate) in &self.fates {
            let Some(seen) = fate.seen.first() else {
                continue;
            };
            if !fate.asked {
                found.push(violation(
                    0,
                    format!("{message} was seen (event {}) and never sent", seen.at),
                ));
            }
            if let Some(damaged) = fate.seen.iter().find(|seen| !seen.intact) {
                found.push(violation(
                    0,
                    format!("{message} arrived damaged (event {})", damaged.at),
                ));
            }
            if let (Some(at), None) = (fate.refused, fate.answered) {
                found.push(violation(
                    0,
                    format!("{message} was seen although it was refused (event {at})"),
                ));
            }
        }
    }
}

fn violation(promise: u8, what: String) -> Violation {
    Violation { promise, what }
}

fn overtaken(
    last: Option<(MessageName, usize)>,
    message: MessageName,
    at: usize,
    by: &str,
    found: &mut Vec<Violation>,
) {
    let Some((before, before_at)) = last else {
        return;
    };
    if before.number > message.number {
        found.push(violation(
            5,
            format!("{message} (event {at}) was seen {by} after {before} (event {before_at})"),
        ));
    }
}
