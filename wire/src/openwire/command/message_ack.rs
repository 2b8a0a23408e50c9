//! A consumer tells what became of the messages it was sent.

use super::base::Base;
use super::destination::Destination;
use super::ids::ConsumerId;
use super::message_id::MessageId;
use super::transaction_id::TransactionId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::throwable::Throwable;

structure! {
    /// Acknowledges one message or a range in the order of dispatch.
    #[derive(PartialEq, Eq)]
    pub struct MessageAck = MESSAGE_ACK {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// What was consumed.
        pub destination: Option<Destination> => cached,
        /// The transaction it belongs to.
        pub transaction_id: Option<TransactionId> => cached,
        /// Who consumed.
        pub consumer_id: Option<ConsumerId> => cached,
        /// The wire's byte; see [`MessageAck::kind`].
        pub ack_type: u8 => byte,
        /// Begin of the range; `None` is the oldest dispatched.
        pub first_message_id: Option<MessageId> => nested,
        /// End of the range.
        pub last_message_id: Option<MessageId> => nested,
        /// Messages in the range.
        pub message_count: i32 => int,
        /// Why a message was given up.
        pub poison_cause: Option<Box<Throwable>> => throwable since 7,
    }
}

/// What became of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AckKind {
    /// Arrived in the client; widens the prefetch window.
    Delivered = 0,
    /// Given up: to the dead letter queue.
    Poison = 1,
    /// Consumed, the whole range.
    Standard = 2,
    /// Delivered again from the client's own memory.
    Redelivered = 3,
    /// Consumed, this message only.
    Individual = 4,
    /// Broker-internal in ActiveMQ.
    Unmatched = 5,
    /// Found expired by the client.
    Expired = 6,
}

impl MessageAck {
    /// What became of the messages; `None` for a byte that means nothing.
    #[must_use]
    pub fn kind(&self) -> Option<AckKind> {
        Some(match self.ack_type {
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

impl From<AckKind> for u8 {
    fn from(kind: AckKind) -> Self {
        kind as u8
    }
}
