//! A durable subscription as data.

use super::destination::Destination;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// What identifies and shapes a durable subscription.
    #[derive(PartialEq, Eq)]
    pub struct SubscriptionInfo = SUBSCRIPTION_INFO {
        /// Its client.
        pub client_id: Option<Text> => string,
        /// The topic.
        pub destination: Option<Destination> => cached,
        /// Its selector.
        pub selector: Option<Text> => string,
        /// Its name.
        pub subscription_name: Option<Text> => string,
        /// What the client subscribed to, wildcards included.
        pub subscribed_destination: Option<Destination> => nested since 3,
        /// Nothing from its own connection.
        pub no_local: bool => bool since 11,
    }
}
