//! Local transactions: what one has staged, and its two ends.
//!
//! Sends wait in memory, acknowledged messages wait here out of their
//! consumers' windows. The commit is one unit of work, so it happens whole or
//! not at all (`commit`). Beyond a limit the sends spill into the journal,
//! tagged, and the commit names the tag (`spill`). What all of a connection
//! keep in memory is bounded, too (`open`).

mod commit;
mod open;
mod spill;
mod staged;

pub(crate) use open::OpenTransactions;
pub(crate) use staged::{StagedSend, Transaction};
