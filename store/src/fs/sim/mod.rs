//! A file system in memory, for tests: what was not synced vanishes in a crash, or tears, or stays.
//!
//! [`SimFs`] behaves like a disk with a page cache, records every change as an [`Op`], fails any operation on demand and
//! runs full on demand. From the record, the state after a crash at any operation can be made again, once for every
//! [`Choice`] of what had reached the disk ([`SimFs::for_each_crash`]). Rules, all from FORMAT.md 1: unsynced writes
//! survive in units of 512 bytes, in any combination; directory entries survive once the directory was synced; after
//! a failed sync a later sync proves nothing. Threads and time are not simulated.

mod disk;
mod fault;
mod file;
mod op;
mod simfs;
#[cfg(test)]
mod tests;

pub use disk::Choice;
pub use fault::OpKind;
pub use op::{Data, Op};
pub use simfs::SimFs;
