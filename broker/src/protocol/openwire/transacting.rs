//! The commands of transactions. Local ones only: a distributed transaction is
//! refused by the engine at its first command.

use wire::openwire::TransactionInfo;

use super::session::{Session, wanted};
use crate::connection::End;
use crate::outgoing::Refusal;

// TransactionInfo.type, openwire 5.8.
const BEGIN: i8 = 0;
const COMMIT_ONE_PHASE: i8 = 2;
const COMMIT_TWO_PHASE: i8 = 3;
const ROLLBACK: i8 = 4;
const END: i8 = 7;

impl Session {
    pub(super) fn transact(&mut self, info: TransactionInfo) -> Result<(), End> {
        let answer = wanted(&info.base);
        let peer = self.peer()?;
        let Some(id) = info.transaction_id else {
            // RECOVER is the only one without an id.
            self.answer(&info.base, Err(Refusal::distributed()));
            return Ok(());
        };
        if !id.is_local() {
            self.answer(&info.base, Err(Refusal::distributed()));
            return Ok(());
        }
        match info.kind {
            BEGIN => {
                let result = peer.begin(id);
                self.answer(&info.base, result);
            }
            COMMIT_ONE_PHASE => peer.commit(id, true, answer),
            COMMIT_TWO_PHASE => peer.commit(id, false, answer),
            ROLLBACK => peer.rollback(id, answer),
            END => self.answer(&info.base, Ok(())),
            other => {
                let text = format!("transaction command {other} is not for local transactions");
                self.answer(&info.base, Err(Refusal::general(text)));
            }
        }
        Ok(())
    }
}
