//! The commit: one unit of work with all messages, all removals, the tag of
//! what has spilled and the outcome.
//!
//! Places in the queues are given out with all queues of the transaction
//! locked, so that what becomes durable first also stands first. The locks
//! are taken in the order of addresses; nobody else holds two.

use std::sync::Arc;

use store::{Outcome, ProducerSequence, Seq, Work};
use wire::openwire::{ProducerId, TransactionId};

use super::spill::{Part, SentId, Spill};
use super::staged::{Acknowledged, StagedSend, Transaction};
use crate::committer::{Committed, Receipt, Token, Unspilled};
use crate::destination::{Entry, Queue, Ranges};
use crate::effects::Effects;
use crate::engine::{Engine, Guard};
use crate::message;
use crate::outgoing::Refusal;
use crate::peer::Cell;

/// A commit that was refused: why, and what is to be undone.
pub(crate) type Refused = (Refusal, Box<Transaction>);

/// The unit of work under construction.
struct Draft {
    work: Work,
    payload: Vec<u8>,
    sent: Vec<(Arc<Queue>, Entry)>,
    staged: Vec<Unspilled>,
}

impl Transaction {
    /// Submits all of it. `remembered`: the outcome is kept for a client that
    /// asks again. `guard`: which messages are dropped as sent before.
    pub(crate) fn commit(
        mut self,
        cell: &Arc<Cell>,
        id: &TransactionId,
        remembered: bool,
        guard: Guard,
        mut receipt: Receipt,
        effects: &mut Effects,
    ) -> Result<(), Refused> {
        let engine = &cell.engine;
        receipt.bytes = self.bytes;
        cell.departed(self.bytes);
        engine.commit_is_under_way(id);
        if let Err(error) = self.submit(engine, id, remembered, guard, receipt) {
            engine.commit_is_durable(id);
            cell.landed(self.bytes);
            return match error.action() {
                store::Action::Reject => Err((
                    Refusal::resource_allocation(error.to_string()),
                    Box::new(self),
                )),
                // A lost store is answered by nobody.
                _ => Ok(()),
            };
        }
        effects.released += self.bytes;
        engine.memory.unstage(self.bytes);
        for acknowledged in self.acknowledged {
            acknowledged.consumed(engine, effects);
        }
        Ok(())
    }

    fn drop_duplicates(&mut self, engine: &Engine, guard: Guard) {
        if !guard.is_on() {
            return;
        }
        let mut last: Option<(ProducerId, Vec<u8>)> = None;
        self.sends.retain(|send| {
            let Some((producer, sequence)) = message::producer_sequence(&send.message) else {
                return true;
            };
            if !send.stored {
                return true;
            }
            if last.as_ref().is_none_or(|(known, _)| known != producer) {
                last = Some((producer.clone(), message::producer_key(producer)));
            }
            let key = last.as_ref().map_or(&[][..], |(_, key)| key);
            guard.admits(&engine.store, key, sequence)
        });
    }

    fn submit(
        &mut self,
        engine: &Engine,
        id: &TransactionId,
        remembered: bool,
        guard: Guard,
        receipt: Receipt,
    ) -> store::Result<()> {
        let mut draft = Draft {
            work: Work::new(),
            payload: Vec::new(),
            sent: Vec::with_capacity(self.sends.len()),
            staged: Vec::new(),
        };
        let queues = self.queues();
        // Before the locks: the guard may have to look into the index on disk.
        if let Some(spill) = self.spill.take() {
            draft.spilled(engine, spill, guard);
        }
        self.drop_duplicates(engine, guard);
        let mut states: Vec<_> = queues.iter().map(|queue| queue.lock()).collect();
        let mut counts = vec![0; queues.len()];
        for part in &draft.staged {
            counts[place_of(&queues, &part.queue)] += 1;
        }
        for send in self.sends.drain(..) {
            let place = place_of(&queues, &send.queue);
            let state = &mut states[place];
            if state.is_removed() {
                continue;
            }
            let seq = state.next_place();
            if let (true, Some(id)) = (send.stored, send.queue.store_id()) {
                state.record(id, &mut draft.work);
            }
            counts[place] += usize::from(draft.message(send, seq, guard));
        }
        self.acknowledged
            .iter()
            .for_each(|acknowledged| draft.removed(acknowledged));
        if remembered {
            draft
                .work
                .outcome(id.to_string().as_bytes(), Outcome::Committed);
        }
        let Draft {
            work, sent, staged, ..
        } = draft;
        let token = Committed {
            id: id.clone(),
            sent,
            staged,
            receipt,
        };
        engine
            .store
            .submit(work, Token::Committed(Box::new(token)))?;
        for (state, count) in states.iter_mut().zip(counts) {
            state.submitted(count);
        }
        Ok(())
    }

    /// Every queue that it sent to, in the order of locking.
    fn queues(&self) -> Vec<Arc<Queue>> {
        let spilled = self
            .spill
            .iter()
            .flat_map(|spill| &spill.parts)
            .map(|part| &part.queue);
        let sent = self.sends.iter().map(|send| &send.queue);
        let mut queues: Vec<Arc<Queue>> = sent.chain(spilled).cloned().collect();
        queues.sort_by_key(address);
        queues.dedup_by(|a, b| Arc::ptr_eq(a, b));
        queues
    }
}

fn address(queue: &Arc<Queue>) -> usize {
    Arc::as_ptr(queue).addr()
}

fn place_of(queues: &[Arc<Queue>], queue: &Arc<Queue>) -> usize {
    queues
        .binary_search_by_key(&address(queue), address)
        .expect("the list was made of these queues")
}

impl Draft {
    /// Adds a message; false if it cannot be written, which no message that
    /// came over the wire is.
    fn message(&mut self, send: StagedSend, seq: Seq, guard: Guard) -> bool {
        if let (true, Some(id)) = (send.stored, send.queue.store_id()) {
            self.payload.clear();
            if let Err(refusal) = message::encode(&send.message, &mut self.payload) {
                tracing::error!(cause = %refusal, "a message of a transaction is lost");
                return false;
            }
            let sequence = message::producer_sequence(&send.message).filter(|_| guard.is_on());
            let keyed = sequence.map(|(id, sequence)| (message::producer_key(id), sequence));
            let producer = keyed.as_ref().map(|(key, sequence)| ProducerSequence {
                producer: key,
                sequence: *sequence,
            });
            self.work.message(id, seq, producer, 0, &self.payload);
        }
        let entry = Entry::new(seq, send.message, send.stored);
        self.sent.push((send.queue, entry));
        true
    }

    /// Names what has spilled; duplicates in it are removed again at once.
    fn spilled(&mut self, engine: &Engine, spill: Spill, guard: Guard) {
        self.work.staged_commit(spill.id);
        let whole = spill
            .parts
            .into_iter()
            .map(|Part { queue, seqs }| Unspilled {
                queue,
                committed: seqs,
                dropped: Ranges::default(),
            });
        self.staged = whole.collect();
        for SentId {
            part,
            seq,
            producer,
            sequence,
        } in spill.sent
        {
            if !guard.admits(&engine.store, &producer, sequence) {
                self.staged[part].committed.remove(seq);
                self.staged[part].dropped.insert(seq);
            }
        }
        for Unspilled { queue, dropped, .. } in &self.staged {
            if let Some(id) = queue.store_id() {
                self.work.removed(id, &dropped.iter().collect::<Vec<_>>());
            }
        }
    }

    fn removed(&mut self, acknowledged: &Acknowledged) {
        let stored = acknowledged.held.iter().filter(|held| held.entry.stored);
        let seqs: Vec<Seq> = stored.map(|held| held.entry.seq).collect();
        if let Some(id) = acknowledged.queue.store_id() {
            self.work.removed(id, &seqs);
        }
    }
}

impl Acknowledged {
    /// The commit is submitted: the messages are gone, and there is room in
    /// the consumer's window.
    fn consumed(self, engine: &Engine, effects: &mut Effects) {
        let mut state = self.queue.lock();
        state.committed(self.subscription, self.held.len());
        // The store learns of them from the commit.
        state.consume(self.held.into_iter(), &mut Vec::new(), effects);
        state.dispatch(engine.now(), effects);
    }
}
