//! The broker hands a message to a consumer.

use std::sync::Arc;

use super::base::Base;
use super::destination::Destination;
use super::ids::ConsumerId;
use super::message::Message;
use super::message_id::MessageId;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// A message for a consumer. Without message and destination it means "no
    /// more": the end of a browse, or an empty pull.
    #[derive(PartialEq, Eq)]
    pub struct MessageDispatch = MESSAGE_DISPATCH {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// For whom.
        pub consumer_id: Option<ConsumerId> => cached,
        /// The concrete destination.
        pub destination: Option<Destination> => cached,
        /// The message, shared with the queue that holds it.
        pub message: Option<Arc<Message>> => shared,
        /// Deliveries before this one; overrides the message's own.
        pub redelivery_counter: i32 => int,
    }
}

structure! {
    /// Told the slaves of old ActiveMQ pairs about a dispatch.
    #[derive(PartialEq, Eq)]
    pub struct MessageDispatchNotification = MESSAGE_DISPATCH_NOTIFICATION {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// For whom.
        pub consumer_id: Option<ConsumerId> => cached,
        /// The concrete destination.
        pub destination: Option<Destination> => cached,
        /// Order of delivery.
        pub delivery_sequence_id: i64 => long,
        /// The message.
        pub message_id: Option<MessageId> => nested,
    }
}
