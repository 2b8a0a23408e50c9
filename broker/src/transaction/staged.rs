//! What a transaction has staged.

use std::sync::Arc;

use wire::openwire::Message;

use super::spill::Spill;
use crate::destination::{Pending, Queue, SubscriptionId};
use crate::effects::Effects;
use crate::limits::{TRANSACTION_FLOOR, TRANSACTION_MEMORY, TRANSACTION_MESSAGES};
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
    /// Memory of `sends`, booked with the broker's.
    pub(super) bytes: usize,
    /// All sends, spilled ones included.
    messages: usize,
    pub(super) spill: Option<Spill>,
    pub(super) acknowledged: Vec<Acknowledged>,
    failure: Option<Refusal>,
}

impl Transaction {
    /// Adds a send.
    pub(crate) fn stage(&mut self, cell: &Arc<Cell>, send: StagedSend) -> Result<(), Refusal> {
        if self.messages >= TRANSACTION_MESSAGES {
            return Err(Refusal::resource_allocation(format!(
                "the transaction has {TRANSACTION_MESSAGES} messages, no more are allowed"
            )));
        }
        self.messages += 1;
        self.bytes += send.size;
        cell.engine.memory.book(send.size, 0);
        self.sends.push(send);
        let memory = cell.engine.memory.has_room();
        let limit = if memory {
            TRANSACTION_MEMORY
        } else {
            TRANSACTION_FLOOR
        };
        if self.bytes <= limit {
            return Ok(());
        }
        self.spill_over(cell)?;
        if self.bytes > TRANSACTION_MEMORY {
            return Err(Refusal::resource_allocation(format!(
                "the transaction has {} bytes for temporary queues, {TRANSACTION_MEMORY} are allowed",
                self.bytes
            )));
        }
        Ok(())
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
