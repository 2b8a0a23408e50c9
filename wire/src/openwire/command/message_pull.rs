//! A consumer without prefetch asks for a message.

use super::base::Base;
use super::destination::Destination;
use super::ids::ConsumerId;
use super::message_id::MessageId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// Asks for one message.
    #[derive(PartialEq, Eq)]
    pub struct MessagePull = MESSAGE_PULL {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// Who asks.
        pub consumer_id: Option<ConsumerId> => cached,
        /// What it consumes.
        pub destination: Option<Destination> => cached,
        /// Milliseconds to wait; 0 for ever, -1 not at all.
        pub timeout: i64 => long,
        /// A certain message by its correlation id; unused.
        pub correlation_id: Option<Text> => string since 3,
        /// A certain message by its id; unused.
        pub message_id: Option<MessageId> => nested since 3,
    }
}
