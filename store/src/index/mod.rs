//! What the journal says, ready to be asked: queues and their entries, producers, outcomes, staged work, use of segments.
//!
//! Everything is in memory or can be fetched from the database (sled) of the current *generation*; the journal stays the
//! truth. [`Index::open`] gives the state as of the last checkpoint at once, [`Index::apply`] follows every record, live
//! and in replay alike, and a checkpoint ([`Index::begin_checkpoint`], [`Snapshot::write`], [`Index::finish_checkpoint`])
//! makes the next start short. The database is never believed: the control file holds a checksum for every page in it.
//!
//! | file | noun |
//! |---|---|
//! | `tables` | [`Index`]: the tables together, and what a record does to them |
//! | `queue_table`, `page`, `page_cache` | queues and their entries, 256 sequences a page, loaded on demand |
//! | `producer_table`, `outcome_table`, `lookup` | things found by an opaque id, fetched on a miss |
//! | `staged_table` | what is held back until a commit |
//! | `segment_use` | live entries and bytes per segment |
//! | `open`, `snapshot`, `control` | start, checkpoint, and the small file that says which state is good |
//! | `database`, `generation`, `key` | the only place that knows sled |
//!
//! Not here: reading payloads, deciding when to checkpoint or to reclaim, and anything that writes the journal.

mod open;
mod producer_table;
mod segment_use;
mod snapshot;
mod tables;

pub(crate) use open::{Backend, Opened, Opening};
pub(crate) use producer_table::ProducerState;
pub(crate) use segment_use::SegmentUse;
pub(crate) use snapshot::{Snapshot, Written};
pub(crate) use tables::{Entry, Index, RecordPlace};
