//! Who a client is across all its connections.
//!
//! A broker tells a client that comes back from a new one by the connection id, and knows a resent message by the
//! producer id made from it. So the id outlives the socket; so do the numbers of transactions, because a number that
//! was used twice would get the answer to the first commit for the second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use wire::openwire::{ConnectionId, LocalTransactionId, TransactionId};

/// A connection id, and what may never be used twice under it.
#[derive(Debug)]
pub struct Identity {
    connection_id: ConnectionId,
    transactions: AtomicI64,
    introduced: AtomicBool,
}

impl Identity {
    /// An identity that nobody else has: 128 random bits.
    #[must_use]
    pub fn generate() -> Arc<Self> {
        let mut random = [0_u8; 16];
        // Without randomness from the system nothing on this machine is safe; the process number still tells most
        // clients of one host apart.
        if getrandom::fill(&mut random).is_err() {
            random[..4].copy_from_slice(&std::process::id().to_be_bytes());
        }
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Arc::new(Self {
            connection_id: ConnectionId {
                value: format!("ID:holdfast-{hex}:1").into(),
            },
            transactions: AtomicI64::new(0),
            introduced: AtomicBool::new(false),
        })
    }

    /// The connection id on the wire.
    #[must_use]
    pub fn connection_id(&self) -> &ConnectionId {
        &self.connection_id
    }

    /// A transaction id that was never given out before.
    pub(crate) fn next_transaction(&self) -> TransactionId {
        TransactionId::Local(LocalTransactionId {
            value: self.transactions.fetch_add(1, Ordering::Relaxed) + 1,
            connection_id: Some(self.connection_id.clone()),
        })
    }

    /// Whether some broker accepted this identity before: the next connection is a reconnection.
    pub(crate) fn was_introduced(&self) -> bool {
        self.introduced.load(Ordering::Relaxed)
    }

    pub(crate) fn set_introduced(&self) {
        self.introduced.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_and_their_transactions_are_unique() {
        let (one, other) = (Identity::generate(), Identity::generate());
        assert_ne!(one.connection_id(), other.connection_id());
        assert_ne!(one.next_transaction(), one.next_transaction());
    }
}
