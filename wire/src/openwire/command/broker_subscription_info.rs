//! Durable subscriptions that two bridged brokers tell each other.

use super::base::Base;
use super::consumer_info::ConsumerInfo;
use super::ids::BrokerId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// Sent by bridges with `syncDurableSubs`.
    #[derive(PartialEq, Eq)]
    pub struct BrokerSubscriptionInfo = BROKER_SUBSCRIPTION_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The sending broker.
        pub broker_id: Option<BrokerId> => nested,
        /// Its name.
        pub broker_name: Option<Text> => string,
        /// Its durable subscriptions.
        pub subscription_infos: Option<Vec<ConsumerInfo>> => array,
    }
}
