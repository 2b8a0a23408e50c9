//! What old ActiveMQ stores wrote to their journals. Never on a connection.

use super::destination::Destination;
use super::message_ack::MessageAck;
use super::message_id::MessageId;
use super::transaction_id::TransactionId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// A durable subscription took a message.
    #[derive(PartialEq, Eq)]
    pub struct JournalTopicAck = JOURNAL_TOPIC_ACK {
        /// The topic.
        pub destination: Option<Destination> => nested,
        /// The message.
        pub message_id: Option<MessageId> => nested,
        /// Its place in the topic.
        pub message_sequence_id: i64 => long,
        /// The subscription.
        pub subscription_name: Option<Text> => string,
        /// Its client.
        pub client_id: Option<Text> => string,
        /// The transaction.
        pub transaction_id: Option<TransactionId> => nested,
    }
}

structure! {
    /// A queue's consumer took a message.
    #[derive(PartialEq, Eq)]
    pub struct JournalQueueAck = JOURNAL_QUEUE_ACK {
        /// The queue.
        pub destination: Option<Destination> => nested,
        /// How.
        pub message_ack: Option<Box<MessageAck>> => boxed,
    }
}

structure! {
    /// A remark.
    #[derive(PartialEq, Eq)]
    pub struct JournalTrace = JOURNAL_TRACE {
        /// The remark.
        pub message: Option<Text> => string,
    }
}

structure! {
    /// A transaction took a step.
    #[derive(PartialEq, Eq)]
    pub struct JournalTransaction = JOURNAL_TRANSACTION {
        /// The transaction.
        pub transaction_id: Option<TransactionId> => nested,
        /// The step.
        pub transaction_type: u8 => byte,
        /// It had been prepared.
        pub was_prepared: bool => bool,
    }
}
