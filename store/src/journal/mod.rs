//! The journal: batches of records in preallocated segments, each batch one synced write (FORMAT.md 2, 3, 5).
//!
//! 1. [`Directory`] knows which segments there are; nobody else lists, names or removes them.
//! 2. [`recover()`] walks the seals, checks the chain of batches from a checkpoint on and finds the [`End`].
//! 3. [`Writer::start`] seals that end in a new segment of the new epoch.
//! 4. [`Writer::append`] frames a [`Batch`] and writes it durably, rolling into segments that the preparer thread has
//!    zero-filled ahead of need.
//! 5. [`Reader`] reads payloads back; [`scan_segment`] walks one sealed segment for compaction.
//!
//! Guarantees: a batch counts wholly or not at all; no block is written twice; after any failed write the writer never
//! writes again. It does not know what records mean, apart from the seal, and does not ask who holds the lock.

mod batch;
mod chain;
mod cursor;
mod directory;
mod end;
mod frame;
mod preparer;
mod reader;
mod recover;
mod scan;
mod segment;
mod spares;
mod tail;
#[cfg(test)]
mod tests;
mod view;
mod writer;

pub(crate) use batch::Batch;
pub(crate) use directory::{Directory, SegmentInfo};
pub(crate) use end::{After, End};
#[cfg(test)]
pub(crate) use preparer::Prepare;
pub(crate) use reader::Reader;
pub(crate) use recover::recover;
pub(crate) use scan::scan_segment;
pub(crate) use view::View;
#[cfg(test)]
pub(crate) use writer::Placed;
pub(crate) use writer::{Writer, WriterSettings};
