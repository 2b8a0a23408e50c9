//! The one door to files: every file operation of the store, except what sled does inside `index`, goes through [`Fs`].
//!
//! Two implementations: [`RealFs`], and `sim` for tests, in which unsynced writes vanish, writes tear, the disk fills up
//! and any operation fails on demand. Functions here answer plain `io::Result`; the caller adds path and purpose.

mod aligned;
mod contract;
mod real;
#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub(crate) use aligned::AlignedBuf;
pub use contract::{Fs, ReadFile, Remains, SegmentFile};
pub use real::RealFs;
