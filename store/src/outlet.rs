//! Where the committing thread reports what became durable: the only door through which an answer may leave.
//!
//! Guarantee: a token comes out only after its work was synced and the holder verified afterwards, in the order of
//! submission; after `lost` nothing comes out any more.

use crate::error::Error;

/// Receives tokens of durable work. Called on the committing thread: be quick, never wait.
pub trait Outlet<T>: Send + 'static {
    /// The work of these tokens is durable, in order. Takes them out of `tokens`; what is left is dropped.
    fn durable(&mut self, tokens: &mut Vec<T>);

    /// The store stopped for good. Called at most once; no token follows.
    fn lost(&mut self, cause: Error);

    /// Batches follow each other within two milliseconds (`true`), or no longer do: a processor that falls asleep between them costs
    /// more time than they take themselves.
    fn busy(&mut self, busy: bool);

    /// The journal found no room for messages (`true`), or has room again. Acknowledgements go on meanwhile.
    fn full(&mut self, full: bool);
}
