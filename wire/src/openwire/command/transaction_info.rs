//! A step of a transaction.

use super::base::Base;
use super::ids::ConnectionId;
use super::transaction_id::TransactionId;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// Begins, ends or resolves a transaction.
    #[derive(PartialEq, Eq)]
    pub struct TransactionInfo = TRANSACTION_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// Who asks.
        pub connection_id: Option<ConnectionId> => cached,
        /// The transaction; `None` for RECOVER.
        pub transaction_id: Option<TransactionId> => cached,
        /// The wire's byte; see [`TransactionInfo::kind`].
        pub transaction_type: u8 => byte,
    }
}

/// The step that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TransactionKind {
    /// Start it.
    Begin = 0,
    /// Vote on it; wants an `IntegerResponse`.
    Prepare = 1,
    /// Commit what was not prepared.
    CommitOnePhase = 2,
    /// Commit what was prepared.
    CommitTwoPhase = 3,
    /// Undo it.
    Rollback = 4,
    /// List what is prepared; wants a `DataArrayResponse`.
    Recover = 5,
    /// Forget how it ended.
    Forget = 6,
    /// The client's work on it is over for now.
    End = 7,
}

impl TransactionInfo {
    /// The step that is asked for; `None` for a byte that means nothing.
    #[must_use]
    pub fn kind(&self) -> Option<TransactionKind> {
        Some(match self.transaction_type {
            0 => TransactionKind::Begin,
            1 => TransactionKind::Prepare,
            2 => TransactionKind::CommitOnePhase,
            3 => TransactionKind::CommitTwoPhase,
            4 => TransactionKind::Rollback,
            5 => TransactionKind::Recover,
            6 => TransactionKind::Forget,
            7 => TransactionKind::End,
            _ => return None,
        })
    }
}

impl From<TransactionKind> for u8 {
    fn from(kind: TransactionKind) -> Self {
        kind as u8
    }
}
