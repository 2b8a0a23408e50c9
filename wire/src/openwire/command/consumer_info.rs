//! A consumer subscribes.

use super::base::Base;
use super::destination::Destination;
use super::ids::{BrokerId, ConsumerId};
use super::network_bridge_filter::NetworkBridgeFilter;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// A consumer and how it wants to be served.
    #[derive(PartialEq, Eq)]
    pub struct ConsumerInfo = CONSUMER_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The consumer.
        pub consumer_id: Option<ConsumerId> => cached,
        /// Only looks; its acknowledgements remove nothing.
        pub browser: bool => bool,
        /// What it consumes.
        pub destination: Option<Destination> => cached,
        /// Messages it takes ahead; 0 is pull only.
        pub prefetch_size: i32 => int,
        /// Topics: how many may wait for it; 0 is no limit.
        pub maximum_pending_message_limit: i32 => int,
        /// Java's threading wish.
        pub dispatch_async: bool => bool,
        /// JMS selector.
        pub selector: Option<Text> => string,
        /// JMS client id, for information.
        pub client_id: Option<Text> => string since 10,
        /// Name of a durable subscription.
        pub subscription_name: Option<Text> => string,
        /// Nothing from its own connection.
        pub no_local: bool => bool,
        /// Wants the queue for itself.
        pub exclusive: bool => bool,
        /// Wants what was sent before it came.
        pub retroactive: bool => bool,
        /// Higher is served first; bridges have -5.
        pub priority: i8 => signed,
        /// Brokers passed.
        pub broker_path: Option<Vec<BrokerId>> => array,
        /// What a bridge does not want.
        pub additional_predicate: Option<Box<NetworkBridgeFilter>> => boxed,
        /// A bridge's demand.
        pub network_subscription: bool => bool,
        /// Acknowledges in ranges.
        pub optimized_acknowledge: bool => bool,
        /// Wants no range acknowledgements.
        pub no_range_acks: bool => bool,
        /// Consumers along the bridges. An empty array is `None` in Java.
        pub network_consumer_path: Option<Vec<ConsumerId>> => array since 4,
    }
}

impl ConsumerInfo {
    /// True for a durable subscription to a topic.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.subscription_name.is_some()
            && self.destination.as_ref().is_some_and(Destination::is_topic)
    }
}
