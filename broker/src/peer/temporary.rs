//! Temporary queues: made and removed by their owner, and gone with it.

use std::sync::Arc;

use wire::openwire::Destination;

use super::cell::Cell;
use super::state::PeerState;
use crate::destination::{Queue, check_temporary};
use crate::limits::PEER_CHILDREN;
use crate::outgoing::Refusal;

impl PeerState {
    pub(super) fn add_temporary(
        &mut self,
        cell: &Arc<Cell>,
        destination: Destination,
    ) -> Result<(), Refusal> {
        check_temporary(&destination)?;
        if self
            .temporary
            .iter()
            .any(|queue| queue.destination == destination)
        {
            return Ok(());
        }
        if self.temporary.len() >= PEER_CHILDREN {
            return Err(Refusal::resource_allocation(format!(
                "this connection has {PEER_CHILDREN} temporary queues already"
            )));
        }
        let owner = &self.hello.connection;
        let queue = cell.engine.registry.get_or_make(&destination, || {
            Queue::temporary(destination.clone(), owner.clone())
        })?;
        if queue.owner() != Some(owner) {
            return Err(Refusal::invalid_destination(format!(
                "{destination} belongs to another connection"
            )));
        }
        cell.engine
            .temporary_added(&destination, owner, &mut self.effects.touched);
        self.temporary.push(queue);
        Ok(())
    }

    pub(super) fn remove_temporary(
        &mut self,
        cell: &Arc<Cell>,
        destination: &Destination,
    ) -> Result<(), Refusal> {
        self.apply(cell);
        let place = self
            .temporary
            .iter()
            .position(|queue| queue.destination == *destination);
        let Some(place) = place else {
            return if cell.engine.registry.get(destination).is_some() {
                Err(Refusal::general(format!(
                    "{destination} belongs to another connection"
                )))
            } else {
                Ok(())
            };
        };
        if self.temporary[place].lock().is_watched() {
            return Err(Refusal::general(format!(
                "Destination still has an active subscription: {destination}"
            )));
        }
        let queue = self.temporary.remove(place);
        self.drop_temporary(cell, &queue);
        Ok(())
    }

    /// The queue, what waits in it, and what others know of it.
    pub(super) fn drop_temporary(&mut self, cell: &Cell, queue: &Queue) {
        cell.engine.registry.remove(&queue.destination);
        queue.lock().remove(&mut self.effects);
        let (destination, owner) = (&queue.destination, &self.hello.connection);
        cell.engine
            .temporary_removed(destination, owner, &mut self.effects.touched);
        cell.engine.settle(&mut self.effects);
    }
}
