//! What a network bridge does not want to be sent.

use super::ids::BrokerId;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// Keeps messages from going round in a network of brokers. The one
    /// structure whose layout was replaced: one limit before version 10, two
    /// from then on.
    #[derive(PartialEq, Eq)]
    pub struct NetworkBridgeFilter = NETWORK_BRIDGE_FILTER {
        /// Brokers that a message may pass; before version 10.
        pub network_ttl: i32 => int until 9,
        /// The broker at the other end.
        pub network_broker_id: Option<BrokerId> => cached,
        /// Brokers that a message may pass; -1 is no limit.
        pub message_ttl: i32 => int since 10,
        /// Brokers that a consumer's demand may pass; -1 is no limit.
        pub consumer_ttl: i32 => int since 10,
    }
}
