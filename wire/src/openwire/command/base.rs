//! What every command begins with.

/// The number of a command and whether it wants an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The sender's sequence number; an answer names it as correlation id.
    pub command_id: i32,
    /// True asks the peer for exactly one response.
    pub response_required: bool,
}
