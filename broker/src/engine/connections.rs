//! Who is connected. A connection id that is live already belongs to a client
//! that lost its old socket: the old one is taken apart first, so that the
//! client finds its messages back where they were.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::openwire::ConnectionId;

use crate::engine::{Engine, Hello};
use crate::outbox::Outbox;
use crate::outgoing::Refusal;
use crate::peer::{Cause, Cell, Peer};

/// Live connections by id.
#[derive(Default)]
pub(crate) struct Connections {
    cells: Mutex<HashMap<ConnectionId, Arc<Cell>>>,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Cell>>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Enters a client, or says who has to go first.
    fn enter(&self, cell: &Arc<Cell>, broker: &str) -> Result<Option<Arc<Cell>>, Refusal> {
        let mut cells = self.lock();
        if let Some(old) = cells.get(&cell.connection) {
            return Ok(Some(Arc::clone(old)));
        }
        if let Some(other) = cells
            .values()
            .find(|other| other.client_id == cell.client_id)
        {
            return Err(Refusal::invalid_client_id(format!(
                "Broker: {broker} - Client: {} already connected from {}",
                cell.client_id, other.remote
            )));
        }
        cells.insert(cell.connection.clone(), Arc::clone(cell));
        Ok(None)
    }

    /// A client is gone; not its successor, which may be here already.
    pub(crate) fn leave(&self, cell: &Arc<Cell>) {
        let mut cells = self.lock();
        if cells
            .get(&cell.connection)
            .is_some_and(|known| Arc::ptr_eq(known, cell))
        {
            cells.remove(&cell.connection);
        }
    }
}

impl Engine {
    /// A client connects; its answers and deliveries go to `outbox`. `evict`
    /// closes its socket, when it has to make room for its own successor.
    ///
    /// # Errors
    /// It has no client id, or another client has the same.
    pub fn connect(
        self: &Arc<Self>,
        hello: Hello,
        outbox: Arc<Outbox>,
        evict: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Peer, Refusal> {
        let Some(client_id) = hello.client_id.clone() else {
            let words = "No clientID specified for connection request";
            return Err(Refusal::invalid_client_id(words));
        };
        let cell = Cell::new(self, hello, client_id, outbox, evict);
        while let Some(old) = self.connections.enter(&cell, self.name())? {
            old.evict();
            old.shut(Cause::Lost);
        }
        Ok(Peer::new(cell))
    }
}
