//! What the guard against duplicates says of one message.
//!
//! It tells the highest sequence of a producer and the 64 below it apart, one by one, and says so when it is asked about
//! an older one. What is done with such a message is for the caller to decide.

/// Whether a message of this producer and sequence was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Noted {
    /// It was not, and from now on it counts as sent.
    New,
    /// It was submitted or stored before.
    Duplicate,
    /// Older than the window: it cannot be told, and nothing was noted.
    Unknown,
}
