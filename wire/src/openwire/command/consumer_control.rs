//! Steering a consumer.

use super::base::Base;
use super::destination::Destination;
use super::ids::ConsumerId;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// Sets a consumer's prefetch, or closes it.
    #[derive(PartialEq, Eq)]
    pub struct ConsumerControl = CONSUMER_CONTROL {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// What it consumes.
        pub destination: Option<Destination> => nested since 6,
        /// Close the consumer; nothing else counts then.
        pub close: bool => bool,
        /// The consumer.
        pub consumer_id: Option<ConsumerId> => nested,
        /// Its prefetch from now on.
        pub prefetch: i32 => int,
        /// Unused.
        pub flush: bool => bool since 2,
        /// Unused.
        pub start: bool => bool since 2,
        /// Unused.
        pub stop: bool => bool since 2,
    }
}
