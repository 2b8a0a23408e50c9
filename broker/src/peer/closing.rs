//! A client leaves: everything that it holds goes back, in an order that makes
//! its messages available again before its successor asks for them.

use std::sync::Arc;

use super::cell::Cell;
use super::handle::Cause;
use super::state::PeerState;
use crate::destination::UNKNOWN;
use crate::effects::Effects;

impl Cell {
    /// Takes the client's state apart. Once; later calls find nothing.
    pub(crate) fn shut(self: &Arc<Cell>, cause: Cause) {
        if let Some(state) = self.take() {
            let last_delivered = match cause {
                Cause::Closed { last_delivered } => last_delivered,
                Cause::Lost => UNKNOWN,
            };
            // After the store is lost or closed it is the next master's word
            // that counts; whoever is still connected here hears nothing more.
            if !self.engine.is_stopped() {
                let mut effects = state.leave(self, last_delivered);
                effects.touched.flush();
            }
            self.engine.connections.leave(self);
        }
    }
}

impl PeerState {
    fn leave(mut self, cell: &Arc<Cell>, last_delivered: i64) -> Effects {
        // What was received was received: it is not lost with its sender.
        self.apply(cell);
        self.unpark(cell, true);
        let ids: Vec<_> = self.consumers.keys().cloned().collect();
        for id in ids {
            self.remove_consumer(cell, &id, last_delivered);
        }
        // After the consumers: what they had acknowledged has no holder now.
        let transactions: Vec<_> = self.transactions.drain().map(|(_, t)| t).collect();
        for transaction in transactions {
            self.undo(cell, transaction);
        }
        for queue in std::mem::take(&mut self.temporary) {
            self.drop_temporary(cell, &queue);
        }
        self.effects
    }
}
