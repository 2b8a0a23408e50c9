//! A durable subscription goes.

use super::base::Base;
use super::ids::ConnectionId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// Removes a durable subscription and what waits for it.
    #[derive(PartialEq, Eq)]
    pub struct RemoveSubscriptionInfo = REMOVE_SUBSCRIPTION_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// Who asks.
        pub connection_id: Option<ConnectionId> => cached,
        /// The subscription's name.
        pub subscription_name: Option<Text> => string,
        /// The subscription's client.
        pub client_id: Option<Text> => string,
    }
}
