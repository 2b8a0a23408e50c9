//! The send command: finds the queue, stages what is in a transaction, parks
//! what has to wait, and gathers the rest into the burst.

use std::sync::Arc;

use wire::openwire::{Destination, Message, ProducerId, TransactionId};

use super::burst::Unsent;
use super::cell::Cell;
use super::handle::Admission;
use super::state::{PeerState, Producer};
use crate::committer::Receipt;
use crate::destination::{Queue, check_queue};
use crate::limits::{KNOWN_QUEUES, PEER_CHILDREN};
use crate::message;
use crate::outgoing::Refusal;
use crate::transaction::StagedSend;

impl PeerState {
    pub(super) fn add_producer(
        &mut self,
        id: ProducerId,
        destination: Option<&Destination>,
        window: i32,
    ) -> Result<(), Refusal> {
        if self.producers.contains_key(&id) {
            return Ok(());
        }
        if !self.has_session(&id.session()) {
            return Err(Refusal::illegal_state(format!(
                "Cannot add a producer to a session that had not been registered: {}",
                id.session()
            )));
        }
        if self.producers.len() >= PEER_CHILDREN {
            return Err(Refusal::resource_allocation(format!(
                "this connection has {PEER_CHILDREN} producers already"
            )));
        }
        if let Some(destination) = destination {
            check_queue(destination)?;
        }
        self.producers.insert(id, Producer { window });
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        cell: &Arc<Cell>,
        message: Arc<Message>,
        answer: Option<i32>,
    ) -> Admission {
        if let Err(refusal) = self.take_in(cell, message, answer) {
            cell.refuse(answer, refusal, &mut self.effects);
        }
        if cell.has_room() {
            return Admission::Go;
        }
        // What is only gathered can take effect now, and may be all there is.
        self.apply(cell);
        if cell.has_room() {
            Admission::Go
        } else {
            Admission::Wait
        }
    }

    fn take_in(
        &mut self,
        cell: &Arc<Cell>,
        mut message: Arc<Message>,
        answer: Option<i32>,
    ) -> Result<(), Refusal> {
        let Some(destination) = &message.destination else {
            return Err(Refusal::invalid_destination(
                "the message has no destination",
            ));
        };
        let queue = match self.find(cell, destination) {
            Ok(queue) => queue,
            Err(refusal) => return Err(self.spoil(&message.transaction_id, refusal)),
        };
        cell.engine.stamp(Arc::make_mut(&mut message));
        let stored = message.persistent && queue.store_id().is_some();
        let bytes = message::size(&message);
        let mut receipt = Receipt {
            cell: Arc::clone(cell),
            answer,
            window: self.window_of(&message, answer),
            bytes: 0,
        };
        if let Some(id) = message.transaction_id.clone() {
            let staged = StagedSend {
                queue,
                message,
                stored,
                size: bytes,
            };
            self.stage(cell, &id, staged)?;
            receipt.settle(Ok(crate::outgoing::Reply::Ok), &mut self.effects.touched);
            return Ok(());
        }
        receipt.bytes = bytes;
        cell.departed(bytes);
        let unsent = Unsent {
            queue,
            message,
            stored,
            receipt,
        };
        if self.parked.is_empty() && (stored || cell.engine.memory.has_room()) {
            self.gather_send(cell, unsent);
        } else {
            self.park(cell, unsent);
        }
        Ok(())
    }

    /// The queue, from the last send, from those known, or from the registry.
    fn find(&mut self, cell: &Cell, destination: &Destination) -> Result<Arc<Queue>, Refusal> {
        if destination.is_temporary() {
            return cell.engine.queue(destination);
        }
        if let Some(last) = &self.last_queue
            && last.destination == *destination
        {
            return Ok(Arc::clone(last));
        }
        let queue = if let Some(known) = self.known.get(destination) {
            Arc::clone(known)
        } else {
            let queue = cell.engine.queue(destination)?;
            if self.known.len() >= KNOWN_QUEUES {
                self.known.clear();
            }
            self.known.insert(destination.clone(), Arc::clone(&queue));
            queue
        };
        self.last_queue = Some(Arc::clone(&queue));
        Ok(queue)
    }

    /// A send of a transaction failed: then its commit has to fail too.
    fn spoil(&mut self, transaction: &Option<TransactionId>, refusal: Refusal) -> Refusal {
        if let Some(id) = transaction
            && let Some(transaction) = self.transactions.get_mut(id)
        {
            transaction.spoil(&refusal);
        }
        refusal
    }

    /// What the producer is told about an asynchronous send.
    fn window_of(&self, message: &Message, answer: Option<i32>) -> Option<(ProducerId, i32)> {
        if answer.is_some() || self.producers.is_empty() {
            return None;
        }
        let id = message.producer_id.as_ref()?;
        self.producers
            .get(id)
            .filter(|producer| producer.window > 0)?;
        Some((
            id.clone(),
            i32::try_from(message.flow_size()).unwrap_or(i32::MAX),
        ))
    }

    fn park(&mut self, cell: &Arc<Cell>, unsent: Unsent) {
        self.parked.push_back(unsent);
        if self.parked.len() == 1 {
            self.wait_for_memory(cell);
        }
    }

    fn wait_for_memory(&self, cell: &Arc<Cell>) {
        if !cell.engine.memory.wait(Arc::downgrade(cell)) {
            cell.engine.chores.let_in();
        }
    }

    /// Lets parked sends in, as far as there is memory, or all of them.
    pub(super) fn unpark(&mut self, cell: &Arc<Cell>, all: bool) {
        while let Some(front) = self.parked.front() {
            if !all && !front.stored && !cell.engine.memory.has_room() {
                self.wait_for_memory(cell);
                break;
            }
            if let Some(unsent) = self.parked.pop_front() {
                self.gather_send(cell, unsent);
                // Applied one by one, so that each sees the memory the last one took.
                self.apply_sends(cell);
            }
        }
    }
}

impl Cell {
    /// There is memory again: called by the chores thread.
    pub(crate) fn let_in(self: &Arc<Cell>) {
        let touched = self.with(|state| {
            state.unpark(self, false);
            std::mem::take(&mut state.effects.touched)
        });
        if let Some(mut touched) = touched {
            touched.flush();
        }
    }
}
