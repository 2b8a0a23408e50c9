//! Sends and acknowledgements of one read of the socket, gathered per queue so
//! that each queue is locked once for many of them.
//!
//! Sends take effect before acknowledgements: a client that consumes, sends on
//! and acknowledges may see a message twice after a crash, but never loses one.

use std::sync::Arc;

use store::{ProducerSequence, Work};
use wire::openwire::{Message, ProducerId};

use super::ack::Ack;
use super::cell::Cell;
use super::state::PeerState;
use crate::committer::{Receipt, Sent, Token};
use crate::destination::{Entry, Queue, QueueState, SubscriptionId};
use crate::engine::Guard;
use crate::limits::{BURST_BYTES, BURST_COMMANDS};
use crate::message;
use crate::outgoing::{Refusal, Reply};

/// What was gathered.
#[derive(Default)]
pub(super) struct Burst {
    /// All to one queue, in order.
    sends: Vec<Unsent>,
    bytes: usize,
    /// All of one queue, in order.
    pub(super) acks: Vec<UnackedAck>,
    pub(super) acked: Option<Arc<Queue>>,
}

/// A send that has not taken effect.
pub(super) struct Unsent {
    pub(super) queue: Arc<Queue>,
    /// In the same place from the decoder to the consumers.
    pub(super) message: Arc<Message>,
    /// It has to be stored.
    pub(super) stored: bool,
    pub(super) receipt: Receipt,
}

/// An acknowledgement that has not taken effect.
pub(super) struct UnackedAck {
    pub(super) subscription: SubscriptionId,
    pub(super) ack: Ack,
    pub(super) answer: Option<i32>,
}

impl PeerState {
    /// Gathers a send, after applying what is for another queue.
    pub(super) fn gather_send(&mut self, cell: &Arc<Cell>, unsent: Unsent) {
        let other = self.burst.sends.first().map(|first| &first.queue);
        if other.is_some_and(|queue| !Arc::ptr_eq(queue, &unsent.queue)) {
            self.apply_sends(cell);
        }
        self.burst.bytes += unsent.receipt.bytes;
        self.burst.sends.push(unsent);
        if self.burst.sends.len() >= BURST_COMMANDS || self.burst.bytes >= BURST_BYTES {
            self.apply_sends(cell);
        }
    }

    /// Everything gathered takes effect.
    pub(super) fn apply(&mut self, cell: &Arc<Cell>) {
        self.apply_sends(cell);
        self.apply_acks(cell);
    }

    pub(super) fn apply_sends(&mut self, cell: &Arc<Cell>) {
        let Some(first) = self.burst.sends.first() else {
            return;
        };
        let queue = Arc::clone(&first.queue);
        let mut sends = std::mem::take(&mut self.burst.sends);
        self.burst.bytes = 0;
        let mut repeated = Vec::new();
        // Asked before the lock: the store may have to look it up on disk.
        sends.retain_mut(|unsent| {
            let new = !unsent.stored || self.is_new(cell, &unsent.message);
            if !new {
                repeated.push(unsent.receipt.take());
            }
            new
        });
        let mut state = queue.lock();
        for unsent in sends.drain(..) {
            if state.is_removed() {
                let refusal = crate::engine::missing(&queue.destination);
                unsent
                    .receipt
                    .settle(Err(refusal), &mut self.effects.touched);
            } else if unsent.stored {
                self.submit_stored(cell, &mut state, unsent);
            } else {
                self.place(cell, &mut state, unsent);
            }
        }
        state.dispatch(cell.engine.now(), &mut self.effects);
        drop(state);
        self.burst.sends = sends;
        for receipt in repeated {
            // Behind everything before it, the original included.
            let result = Ok(Reply::Ok);
            cell.engine
                .submit(Work::new(), Token::Answer { receipt, result });
        }
        cell.engine.settle(&mut self.effects);
    }

    /// Whether the message is to be stored, or was sent before.
    fn is_new(&mut self, cell: &Cell, message: &Message) -> bool {
        let guard = Guard::of(&self.hello);
        if !guard.is_on() {
            return true;
        }
        let Some((producer, sequence)) = message::producer_sequence(message) else {
            return true;
        };
        self.remember_key(producer);
        let key = self.last_key.as_ref().map_or(&[][..], |(_, key)| key);
        guard.admits(&cell.engine.store, key, sequence)
    }

    /// Makes `last_key` that of this producer; mostly it is already. A burst
    /// may hold messages of several.
    fn remember_key(&mut self, producer: &ProducerId) {
        let known = self.last_key.as_ref();
        if known.is_none_or(|(known, _)| known != producer) {
            self.last_key = Some((producer.clone(), message::producer_key(producer)));
        }
    }

    fn submit_stored(&mut self, cell: &Cell, state: &mut QueueState, unsent: Unsent) {
        let Unsent {
            queue,
            message,
            receipt,
            ..
        } = unsent;
        let Some(id) = queue.store_id() else { return };
        self.scratch.payload.clear();
        if let Err(refusal) = message::encode(&message, &mut self.scratch.payload) {
            return receipt.settle(Err(refusal), &mut self.effects.touched);
        }
        let seq = state.next_place();
        let sequence =
            message::producer_sequence(&message).filter(|_| Guard::of(&self.hello).is_on());
        if let Some((producer, _)) = sequence {
            self.remember_key(producer);
        }
        let key = self.last_key.as_ref();
        let noted = sequence.zip(key).map(|((_, sequence), (_, key))| {
            let producer = key.as_slice();
            ProducerSequence { producer, sequence }
        });
        state.record(id, &mut self.scratch.work);
        self.scratch
            .work
            .message(id, seq, noted, 0, &self.scratch.payload);
        let mark = state.mark_along(id, seq, &mut self.scratch.work);
        let entry = Entry::new(seq, message, true);
        let (answer, bytes) = (receipt.answer, receipt.bytes);
        let sent = Sent {
            queue,
            entry,
            mark,
            receipt: Some(receipt),
        };
        match cell
            .engine
            .store
            .submit_from(&mut self.scratch.work, Token::Sent(sent))
        {
            Ok(()) => state.submitted(1),
            Err(error) => {
                self.scratch.work.clear();
                state.forget_record();
                cell.landed(bytes);
                self.not_taken(cell, &error, answer);
            }
        }
    }

    pub(super) fn not_taken(&mut self, cell: &Cell, error: &store::Error, answer: Option<i32>) {
        // A lost store is answered by nobody: the client asks the next master.
        if error.action() == store::Action::Reject {
            let refusal = Refusal::resource_allocation(error.to_string());
            cell.refuse(answer, refusal, &mut self.effects);
        }
    }

    /// A message that is not stored: at once, or behind those before it that are.
    fn place(&mut self, cell: &Cell, state: &mut QueueState, unsent: Unsent) {
        let Unsent {
            queue,
            message,
            receipt,
            ..
        } = unsent;
        let entry = Entry::new(state.next_place(), message, false);
        if !state.has_undurable() {
            state.arrive_now(entry, &mut self.effects);
            return receipt.settle(Ok(Reply::Ok), &mut self.effects.touched);
        }
        let sent = Sent {
            queue,
            entry,
            mark: None,
            receipt: Some(receipt),
        };
        if cell
            .engine
            .store
            .submit(Work::new(), Token::Sent(sent))
            .is_ok()
        {
            state.submitted(1);
        }
    }
}
