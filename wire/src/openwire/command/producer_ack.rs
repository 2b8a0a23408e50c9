//! The broker gives a producer its window back.

use super::base::Base;
use super::ids::ProducerId;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// An asynchronously sent message has been taken in.
    #[derive(PartialEq, Eq)]
    pub struct ProducerAck = PRODUCER_ACK {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// Whose message.
        pub producer_id: Option<ProducerId> => nested,
        /// What it counted: see [`super::Message::flow_size`].
        pub size: i32 => int,
    }
}
