//! Tight encoding: all booleans of a frame gathered in one stream of bits in
//! front of the body, longs and ASCII strings in short forms.
//!
//! Java writes a tight frame in two passes, one for sizes and bits, one for
//! bytes. Here one pass writes bits and bytes to two places and the codec puts
//! them together, with the same result.

mod bits;
mod read;
mod write;

pub(crate) use bits::{BitReader, BitWriter};
pub(crate) use read::TightReader;
pub(crate) use write::TightWriter;
