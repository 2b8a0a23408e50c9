//! An acknowledgement as a client sent it.

use wire::openwire::{ConsumerId, Destination, MessageId, TransactionId};

/// What a client says about messages that it was given.
#[derive(Debug, Clone)]
pub struct Ack {
    /// The consumer that got them.
    pub consumer: ConsumerId,
    /// What is said.
    pub kind: AckKind,
    /// Takes effect when this transaction commits.
    pub transaction: Option<TransactionId>,
    /// Start of the range, in the order of dispatch; `None` is the oldest.
    pub first: Option<MessageId>,
    /// End of the range.
    pub last: Option<MessageId>,
    /// How many messages the client counted in the range.
    pub count: i32,
    /// Why a message is poison: class and text of the exception.
    pub cause: Option<String>,
    /// Where the consumer listens, as the client says.
    pub destination: Option<Destination>,
}

impl Ack {
    /// Whether it makes dead letters.
    pub(super) fn gives_up(&self) -> bool {
        matches!(self.kind, AckKind::Poison | AckKind::Expired)
    }
}

/// The kinds of acknowledgement (OpenWire MessageAck.ackType).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckKind {
    /// Seen by the client, not yet consumed: widens the window.
    Delivered,
    /// Cannot be consumed: to the dead letter queue.
    Poison,
    /// Consumed.
    Standard,
    /// Delivered again from the client's own memory: changes nothing here.
    Redelivered,
    /// Consumed, this one only.
    Individual,
    /// Did not match a selector; clients never send it.
    Unmatched,
    /// Expired in the client's hands.
    Expired,
}

impl AckKind {
    /// The kind with this number on the wire.
    pub fn from_wire(number: u8) -> Option<AckKind> {
        Some(match number {
            0 => AckKind::Delivered,
            1 => AckKind::Poison,
            2 => AckKind::Standard,
            3 => AckKind::Redelivered,
            4 => AckKind::Individual,
            5 => AckKind::Unmatched,
            6 => AckKind::Expired,
            _ => return None,
        })
    }
}
