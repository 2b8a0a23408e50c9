//! The store of Holdfast: a journal that is the truth, and an index that can be rebuilt from it.
//!
//! `FORMAT.md` beside this crate is the law of what is on disk. One message's way through:
//!
//! 1. A [`Work`] collects the records of one atomic unit; [`Store::submit`] copies them into the batch that is being
//!    filled and wakes the committing thread. Nothing here blocks.
//! 2. The committing thread (`committer`) takes everything submitted so far as one batch and has `journal::Writer`
//!    write and sync it.
//! 3. It verifies that this process is still the holder (`lock::Verifier`). Only now the batch counts.
//! 4. It applies the records to the index in memory, with the same decoder that recovery uses (`codec`).
//! 5. It hands the tokens of the batch to the [`Outlet`]: the one place from which an answer may leave.
//!
//! Beside it, the maintenance thread (`upkeep`) writes checkpoints of the index, removes segments in which
//! nothing lives (`reclaim`) and moves what still lives out of sparse ones (`compact`).
//!
//! [`Store::open`] takes the proof of the lock by value, recovers (`open`), seals the previous epoch and starts the
//! threads. A failed write, sync or verification stops everything for good: the store is lost, never repaired in
//! place. Everything is synchronous; async begins in the broker.

mod apply;
mod chunk;
mod clock;
mod codec;
mod committer;
mod compact;
mod core;
mod error;
mod fs;
mod gather;
mod inbox;
mod index;
mod journal;
mod layout;
mod limits;
mod lone;
mod noted;
mod open;
mod outlet;
mod pace;
mod position;
mod producers;
mod read;
mod reclaim;
mod record;
mod settings;
mod signals;
mod slow;
mod store;
mod summary;
mod sync;
#[cfg(test)]
mod tests;
mod upkeep;
mod work;

pub use codec::{BadRecord, Decoded, PayloadPlace, Records, Sink, decode_all};
pub use error::{Action, Error, Result};
#[cfg(any(test, feature = "sim"))]
pub use fs::sim;
pub use fs::{Fs, ReadFile, RealFs, Remains, SegmentFile};
pub use layout::seen_epoch;
pub use noted::Noted;
pub use outlet::Outlet;
pub use position::{BatchNumber, Position, QueueId, SegmentNumber, Seq, StagedId};
pub use record::{MessageRecord, Outcome, ProducerSequence, Record, Seal};
pub use settings::{Progress, ReplayProgress, Settings};
pub use store::{Store, warm_up};
pub use summary::{QueueSummary, Recovery, Stored, Usage, Written};
pub use work::Work;
