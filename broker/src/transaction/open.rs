//! The open transactions of one connection, and what they keep in memory
//! together.
//!
//! Guarantee: that stays below a bound for the connection and, beyond a small
//! share that every connection has, below one for the whole broker. Who would
//! exceed it spills its largest transactions into the journal; what cannot be
//! stored is refused, and its transaction can then only roll back.

use std::collections::HashMap;
use std::collections::hash_map::Drain;
use std::sync::Arc;

use wire::openwire::TransactionId;

use super::staged::{StagedSend, Transaction};
use crate::limits::{PEER_STAGED_BYTES, PEER_STAGED_SHARE_BYTES, TRANSACTION_MESSAGES};
use crate::outgoing::Refusal;
use crate::peer::Cell;

/// Transactions by id.
#[derive(Default)]
pub(crate) struct OpenTransactions {
    by_id: HashMap<TransactionId, Transaction>,
    /// Memory of all of them.
    bytes: usize,
    /// Messages in all of them, spilled ones included.
    messages: usize,
}

impl OpenTransactions {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn contains(&self, id: &TransactionId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn begin(&mut self, id: TransactionId) {
        self.by_id.entry(id).or_default();
    }

    /// To acknowledge in it or to spoil it.
    pub(crate) fn get_mut(&mut self, id: &TransactionId) -> Option<&mut Transaction> {
        self.by_id.get_mut(id)
    }

    /// Takes one out, to end it.
    pub(crate) fn remove(&mut self, id: &TransactionId) -> Option<Transaction> {
        let transaction = self.by_id.remove(id)?;
        self.bytes -= transaction.bytes;
        self.messages -= transaction.messages;
        Some(transaction)
    }

    /// Takes all of them out.
    pub(crate) fn drain(&mut self) -> Drain<'_, TransactionId, Transaction> {
        self.bytes = 0;
        self.messages = 0;
        self.by_id.drain()
    }

    /// Adds a send to a transaction, if it is open. After a refusal the
    /// transaction takes no more and can only roll back.
    pub(crate) fn stage(
        &mut self,
        cell: &Arc<Cell>,
        id: &TransactionId,
        send: StagedSend,
    ) -> Result<(), Refusal> {
        let staged = self.add(cell, id, send);
        let staged = staged.and_then(|()| self.make_room(cell));
        if let Err(refusal) = &staged {
            self.change(id, |transaction| {
                transaction.spoil(refusal);
                transaction.forget_sends(cell);
            });
        }
        staged
    }

    fn add(
        &mut self,
        cell: &Arc<Cell>,
        id: &TransactionId,
        send: StagedSend,
    ) -> Result<(), Refusal> {
        if self.messages >= TRANSACTION_MESSAGES {
            return Err(Refusal::resource_allocation(format!(
                "the open transactions of this connection have {TRANSACTION_MESSAGES} messages, no more are allowed"
            )));
        }
        let staged = self.change(id, |transaction| transaction.stage(cell, send));
        staged.unwrap_or(Ok(()))
    }

    /// Works on one transaction and keeps the sums right.
    fn change<R>(
        &mut self,
        id: &TransactionId,
        work: impl FnOnce(&mut Transaction) -> R,
    ) -> Option<R> {
        let transaction = self.by_id.get_mut(id)?;
        let (bytes, messages) = (transaction.bytes, transaction.messages);
        let done = work(transaction);
        self.bytes = self.bytes - bytes + transaction.bytes;
        self.messages = self.messages - messages + transaction.messages;
        Some(done)
    }

    /// Spills the largest transactions while all together are too large.
    fn make_room(&mut self, cell: &Arc<Cell>) -> Result<(), Refusal> {
        while self.is_too_large(cell) {
            let largest = self.by_id.iter().max_by_key(|(_, one)| one.storable);
            let Some((id, _)) = largest.filter(|(_, one)| one.storable > 0) else {
                return Err(Refusal::resource_allocation(format!(
                    "the open transactions of this connection have {} bytes in memory that cannot wait in the store: \
                     {PEER_STAGED_BYTES} are allowed, and less when other connections need much",
                    self.bytes
                )));
            };
            let id = id.clone();
            let spilled = self.change(&id, |largest| {
                let spilled = largest.spill_over(cell);
                spilled.inspect_err(|refusal| largest.spoil(refusal))
            });
            spilled.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    fn is_too_large(&self, cell: &Cell) -> bool {
        if self.bytes > PEER_STAGED_BYTES {
            return true;
        }
        // Notes of what was spilled cannot spill again.
        let notes = || self.by_id.values().map(|one| one.notes).sum::<usize>();
        let crowded = !cell.engine.memory.has_room_for_transactions();
        crowded && self.bytes > PEER_STAGED_SHARE_BYTES + notes()
    }
}
