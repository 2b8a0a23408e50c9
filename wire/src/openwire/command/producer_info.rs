//! A producer introduces itself.

use super::base::Base;
use super::destination::Destination;
use super::ids::{BrokerId, ProducerId};
use crate::openwire::marshal::{fields, structure};

structure! {
    /// A producer and its window.
    #[derive(PartialEq, Eq)]
    pub struct ProducerInfo = PRODUCER_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The producer.
        pub producer_id: Option<ProducerId> => cached,
        /// Where it sends; `None` for an anonymous one.
        pub destination: Option<Destination> => cached,
        /// Brokers passed.
        pub broker_path: Option<Vec<BrokerId>> => array,
        /// Java's threading wish.
        pub dispatch_async: bool => bool since 2,
        /// Above 0 it wants a `ProducerAck` per message sent without answer.
        pub window_size: i32 => int since 3,
    }
}
