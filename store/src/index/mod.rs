//! What the journal says, ready to be asked: queues and their entries, producers, outcomes, staged work, use of segments.
//!
//! Everything is in memory or can be fetched from the database (a file, or sled when it is large) of the current *generation*; the journal stays the
//! truth. [`Index::open`] gives the state as of the last checkpoint at once, [`Index::apply`] follows every record, live
//! and in replay alike, and a checkpoint ([`Index::begin_checkpoint`], `Snapshot::write`, [`Index::finish_checkpoint`])
//! makes the next start short. The database is never believed: the control file holds a checksum for every page in it.
//!
//! | file | noun |
//! |---|---|
//! | `tables`, `apply` | [`Index`]: the tables together, and what a record does to them |
//! | `queue_table`, `queue`, `page`, `page_cache` | queues and their entries, 256 sequences a page, loaded on demand |
//! | `lookup`, `producer_table`, `outcome_table` | things found by an opaque id, fetched on a miss |
//! | `staged_table`, `staged` | what is held back until a commit |
//! | `segment_use`, `tally`, `dirt` | live entries per segment; proof of a set of values; changed or not |
//! | `sweep` | which outcomes are forgotten |
//! | `open`, `survey` | start, and the look through a database that is in doubt |
//! | `checkpoint`, `snapshot`, `control` | freezing, writing, and the small file that says which state is good |
//! | `source`, `generation` | where pages come from, proven one by one |
//! | `database`, `file_database`, `key`, `encoding` | sled or a file, and what is kept in it |
//!
//! Not here: reading payloads, deciding when to checkpoint or to reclaim, and anything that writes the journal.

mod apply;
mod checkpoint;
mod control;
mod database;
mod dirt;
mod encoding;
mod file_database;
mod generation;
mod key;
mod lookup;
mod open;
mod outcome_table;
mod page;
mod page_cache;
mod producer_table;
mod queue;
mod queue_table;
mod segment_use;
mod snapshot;
mod source;
mod staged;
mod staged_table;
mod survey;
mod sweep;
mod tables;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use database::warm_up;
pub(crate) use open::{Backend, Opening};
pub(crate) use producer_table::ProducerState;
pub(crate) use segment_use::SegmentUse;
pub(crate) use tables::{Entry, Index, RecordPlace};
