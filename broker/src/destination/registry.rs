//! Finds the queue of a destination. Queues come into being by being used;
//! temporary ones only by their owner's word.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use wire::openwire::Destination;

use super::queue::Queue;
use crate::limits::QUEUES;
use crate::outgoing::Refusal;

/// All queues by destination.
#[derive(Default)]
pub(crate) struct Registry {
    queues: RwLock<HashMap<Destination, Arc<Queue>>>,
}

impl Registry {
    pub(crate) fn get(&self, destination: &Destination) -> Option<Arc<Queue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(destination).cloned()
    }

    /// The queue, made now if it does not exist.
    pub(crate) fn get_or_make(
        &self,
        destination: &Destination,
        make: impl FnOnce() -> Arc<Queue>,
    ) -> Result<Arc<Queue>, Refusal> {
        if let Some(queue) = self.get(destination) {
            return Ok(queue);
        }
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(destination) {
            return Ok(Arc::clone(queue));
        }
        if queues.len() >= QUEUES {
            return Err(Refusal::resource_allocation(format!(
                "there are {QUEUES} queues, {destination} would be one too many"
            )));
        }
        let queue = make();
        queues.insert(destination.clone(), Arc::clone(&queue));
        Ok(queue)
    }

    /// Enters a queue found in the store.
    pub(crate) fn insert(&self, destination: Destination, queue: Arc<Queue>) {
        self.queues
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(destination, queue);
    }

    pub(crate) fn remove(&self, destination: &Destination) -> Option<Arc<Queue>> {
        self.queues
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(destination)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Queue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.values().cloned().collect()
    }
}
