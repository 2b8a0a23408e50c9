//! Local transactions: begin, stage, commit, roll back. XA branches are
//! refused until they are built.

use std::sync::Arc;

use store::{Outcome, Work};
use wire::openwire::TransactionId;

use super::cell::Cell;
use super::state::PeerState;
use crate::committer::{Receipt, Token};
use crate::engine::Guard;
use crate::limits::TRANSACTIONS;
use crate::outgoing::{Refusal, Reply};
use crate::transaction::{StagedSend, Transaction};

impl PeerState {
    pub(super) fn begin(&mut self, id: TransactionId) -> Result<(), Refusal> {
        check_local(&id)?;
        if self.transactions.contains(&id) {
            return Ok(());
        }
        if self.transactions.len() >= TRANSACTIONS {
            return Err(Refusal::resource_allocation(format!(
                "this connection has {TRANSACTIONS} transactions open already"
            )));
        }
        self.transactions.begin(id);
        Ok(())
    }

    pub(super) fn stage(
        &mut self,
        cell: &Arc<Cell>,
        id: &TransactionId,
        send: StagedSend,
    ) -> Result<(), Refusal> {
        check_local(id)?;
        if !self.transactions.contains(id) {
            return Err(not_started(id));
        }
        self.transactions.stage(cell, id, send)
    }

    pub(super) fn commit(
        &mut self,
        cell: &Arc<Cell>,
        id: TransactionId,
        one_phase: bool,
        answer: Option<i32>,
    ) {
        self.apply(cell);
        let receipt = Receipt {
            answer,
            ..Receipt::silent(cell, 0)
        };
        if let Err(refusal) = self.try_commit(cell, &id, one_phase, receipt) {
            cell.refuse(answer, refusal, &mut self.effects);
        }
        cell.engine.settle(&mut self.effects);
    }

    fn try_commit(
        &mut self,
        cell: &Arc<Cell>,
        id: &TransactionId,
        one_phase: bool,
        receipt: Receipt,
    ) -> Result<(), Refusal> {
        check_local(id)?;
        if !one_phase {
            return Err(Refusal::unsupported(
                "two-phase commit of a local transaction",
            ));
        }
        let transaction = self.transactions.remove(id);
        if (transaction.is_none() || self.hello.failover_reconnect)
            && let Some(outcome) = known_outcome(cell, id)
        {
            // Done before the failover; what was sent again is not needed.
            if let Some(transaction) = transaction {
                self.undo(cell, transaction);
            }
            return answer_outcome(cell, id, outcome, receipt);
        }
        let mut transaction = transaction.ok_or_else(|| not_started(id))?;
        if let Some(cause) = transaction.take_failure() {
            self.undo(cell, transaction);
            return Err(Refusal::rolled_back(format!(
                "Transaction {id} rolled back: {cause}"
            )));
        }
        // Only a client that fails over can be in doubt and ask again.
        let remembered = self.hello.fault_tolerant || self.hello.failover_reconnect;
        let guard = Guard::of(&self.hello);
        let commit = transaction.commit(cell, id, remembered, guard, receipt, &mut self.effects);
        commit.map_err(|(refusal, transaction)| {
            self.undo(cell, *transaction);
            refusal
        })
    }

    pub(super) fn rollback(&mut self, cell: &Arc<Cell>, id: &TransactionId, answer: Option<i32>) {
        self.apply(cell);
        let Some(transaction) = self.transactions.remove(id) else {
            let refusal = check_local(id).err().unwrap_or_else(|| not_started(id));
            return cell.refuse(answer, refusal, &mut self.effects);
        };
        self.undo(cell, transaction);
        let receipt = Receipt {
            answer,
            ..Receipt::silent(cell, 0)
        };
        receipt.settle(Ok(Reply::Ok), &mut self.effects.touched);
    }

    /// Nothing of it happened.
    pub(super) fn undo(&mut self, cell: &Arc<Cell>, transaction: Transaction) {
        transaction.roll_back(cell, &mut self.effects);
        cell.engine.settle(&mut self.effects);
    }
}

fn check_local(id: &TransactionId) -> Result<(), Refusal> {
    if id.is_xa() {
        return Err(Refusal::unsupported(format!(
            "XA transactions are not supported: {id}"
        )));
    }
    Ok(())
}

/// How a transaction is known to have ended, or to be ending.
fn known_outcome(cell: &Cell, id: &TransactionId) -> Option<Outcome> {
    if cell.engine.is_committing(id) {
        return Some(Outcome::Committed);
    }
    // An error means that the store is lost, and then nothing is answered.
    cell.engine
        .store
        .outcome(id.to_string().as_bytes())
        .ok()
        .flatten()
}

fn answer_outcome(
    cell: &Cell,
    id: &TransactionId,
    outcome: Outcome,
    receipt: Receipt,
) -> Result<(), Refusal> {
    match outcome {
        Outcome::Committed => {
            // Behind the commit itself, should it still be on its way.
            cell.engine.submit(
                Work::new(),
                Token::Answer {
                    receipt,
                    result: Ok(Reply::Ok),
                },
            );
            Ok(())
        }
        Outcome::RolledBack => Err(Refusal::rolled_back(format!(
            "Transaction {id} was rolled back."
        ))),
    }
}

/// ActiveMQ's words for a transaction that does not exist.
pub(super) fn not_started(id: &TransactionId) -> Refusal {
    Refusal::general(format!("Transaction '{id}' has not been started."))
}
