//! The commands of transactions. Local ones only: a distributed transaction is
//! refused by the engine at its first command.

use wire::openwire::{TransactionInfo, TransactionKind};

use super::session::{Session, wanted};
use crate::connection::End;
use crate::outgoing::Refusal;

impl Session {
    pub(super) fn transact(&mut self, info: TransactionInfo) -> Result<(), End> {
        let answer = wanted(&info.base);
        let peer = self.peer()?;
        let kind = info.kind();
        // RECOVER is the only one without an id, and only XA clients say it.
        let Some(id) = info.transaction_id.filter(|id| !id.is_xa()) else {
            self.answer(&info.base, Err(Refusal::distributed()));
            return Ok(());
        };
        match kind {
            Some(TransactionKind::Begin) => {
                let result = peer.begin(id);
                self.answer(&info.base, result);
            }
            Some(TransactionKind::CommitOnePhase) => peer.commit(id, true, answer),
            Some(TransactionKind::CommitTwoPhase) => peer.commit(id, false, answer),
            Some(TransactionKind::Rollback) => peer.rollback(id, answer),
            Some(TransactionKind::End) => self.answer(&info.base, Ok(())),
            _ => {
                let number = info.transaction_type;
                let text = format!("transaction command {number} is not for local transactions");
                self.answer(&info.base, Err(Refusal::general(text)));
            }
        }
        Ok(())
    }
}
