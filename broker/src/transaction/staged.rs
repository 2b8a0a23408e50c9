//! What a transaction has staged.

use std::sync::Arc;

use wire::openwire::Message;

use super::spill::Spill;
use crate::destination::{Pending, Queue, SubscriptionId};
use crate::effects::Effects;
use crate::limits::{TRANSACTION_FLOOR, TRANSACTION_MEMORY};
use crate::outgoing::Refusal;
use crate::peer::Cell;

/// A message sent in a transaction.
pub(crate) struct StagedSend {
    pub(crate) queue: Arc<Queue>,
    pub(crate) message: Arc<Message>,
    /// It has to be stored.
    pub(crate) stored: bool,
    /// Memory that it takes.
    pub(crate) size: usize,
}

/// Messages of one consumer that were acknowledged.
pub(super) struct Acknowledged {
    pub(super) queue: Arc<Queue>,
    pub(super) subscription: SubscriptionId,
    pub(super) held: Vec<Pending>,
}

/// One open transaction.
#[derive(Default)]
pub(crate) struct Transaction {
    /// In memory, in order; what has spilled came before them.
    pub(super) sends: Vec<StagedSend>,
    /// Memory of `sends` and of what is remembered of spilled ones, booked
    /// with the broker's.
    pub(super) bytes: usize,
    /// The part of it that can spill.
    pub(super) storable: usize,
    /// The part of it that is left of spilled ones.
    pub(super) notes: usize,
    /// All sends, spilled ones included.
    pub(super) messages: usize,
    pub(super) spill: Option<Spill>,
    pub(super) acknowledged: Vec<Acknowledged>,
    failure: Option<Refusal>,
}

impl Transaction {
    /// Adds a send. One that failed before takes no more: it would only wait
    /// in memory for its rollback.
    pub(super) fn stage(&mut self, cell: &Arc<Cell>, send: StagedSend) -> Result<(), Refusal> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.messages += 1;
        self.bytes += send.size;
        if send.queue.store_id().is_some() {
            self.storable += send.size;
        }
        cell.engine.memory.stage(send.size);
        self.sends.push(send);
        let memory = cell.engine.memory.has_room();
        let limit = if memory {
            TRANSACTION_MEMORY
        } else {
            TRANSACTION_FLOOR
        };
        if self.bytes - self.notes <= limit {
            return Ok(());
        }
        self.spill_over(cell)?;
        let transient = self.bytes - self.notes;
        if transient > TRANSACTION_MEMORY {
            return Err(Refusal::resource_allocation(format!(
                "the transaction has {transient} bytes for temporary queues, {TRANSACTION_MEMORY} are allowed"
            )));
        }
        Ok(())
    }

    /// It can only roll back: what it has in memory is needed no more.
    pub(super) fn forget_sends(&mut self, cell: &Cell) {
        let sends = std::mem::take(&mut self.sends);
        let bytes = sends.iter().map(|send| send.size).sum();
        self.bytes -= bytes;
        self.storable = 0;
        cell.engine.memory.unstage(bytes);
        if cell.engine.memory.book(0, bytes) {
            cell.engine.chores.let_in();
        }
    }

    /// Adds messages that a consumer acknowledged.
    pub(crate) fn acknowledge(
        &mut self,
        queue: &Arc<Queue>,
        subscription: SubscriptionId,
        mut held: Vec<Pending>,
    ) {
        if held.is_empty() {
            return;
        }
        match self.acknowledged.last_mut() {
            Some(last) if last.subscription == subscription => last.held.append(&mut held),
            _ => {
                let queue = Arc::clone(queue);
                self.acknowledged.push(Acknowledged {
                    queue,
                    subscription,
                    held,
                });
            }
        }
    }

    /// Something of it failed, so it cannot commit any more.
    pub(crate) fn spoil(&mut self, refusal: &Refusal) {
        self.failure.get_or_insert_with(|| refusal.clone());
    }

    pub(crate) fn take_failure(&mut self) -> Option<Refusal> {
        self.failure.take()
    }

    /// Nothing of it happened: sends are forgotten, acknowledged messages are
    /// held by their consumers again.
    pub(crate) fn roll_back(mut self, cell: &Cell, effects: &mut Effects) {
        effects.released += self.bytes;
        cell.engine.memory.unstage(self.bytes);
        if let Some(spill) = self.spill.take() {
            spill.roll_back(cell);
        }
        for Acknowledged {
            queue,
            subscription,
            held,
        } in self.acknowledged
        {
            let mut state = queue.lock();
            state.roll_back(subscription, held, effects);
            state.dispatch(cell.engine.now(), effects);
        }
    }
}
