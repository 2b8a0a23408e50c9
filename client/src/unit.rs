//! The transaction of a transacted session: begun by the first thing that joins it, ended by commit or rollback.
//!
//! Guarantees that BEGIN leaves before anything that belongs to the transaction, whichever task is first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::openwire::{TransactionId, TransactionKind};

use crate::error::Error;
use crate::exchange::Exchange;
use crate::identity::Identity;
use crate::link::When;
use crate::requests;

/// A session's unit of work, shared with its producers and consumers.
pub(crate) struct Unit {
    exchange: Arc<Exchange>,
    identity: Arc<Identity>,
    current: Mutex<Option<TransactionId>>,
}

impl Unit {
    pub(crate) fn new(exchange: Arc<Exchange>, identity: Arc<Identity>) -> Arc<Self> {
        Arc::new(Self {
            exchange,
            identity,
            current: Mutex::new(None),
        })
    }

    /// The current transaction, begun if there was none.
    pub(crate) fn join(&self) -> Result<TransactionId, Error> {
        let mut current = self.current();
        if let Some(id) = &*current {
            return Ok(id.clone());
        }
        let id = self.identity.next_transaction();
        let connection = self.identity.connection_id();
        // Pushed under the lock: nobody else can join before BEGIN is in the buffer.
        let begin = requests::transaction(connection, &id, TransactionKind::Begin);
        self.exchange.tell_now(begin, When::Soon)?;
        *current = Some(id.clone());
        Ok(id)
    }

    /// Ends the membership: what comes next begins another transaction.
    pub(crate) fn take(&self) -> Option<TransactionId> {
        self.current().take()
    }

    fn current(&self) -> MutexGuard<'_, Option<TransactionId>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
