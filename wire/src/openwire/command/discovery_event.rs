//! Discovery of brokers.

use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// A broker was found or lost.
    #[derive(PartialEq, Eq)]
    pub struct DiscoveryEvent = DISCOVERY_EVENT {
        /// Its URI.
        pub service_name: Option<Text> => string,
        /// Its name.
        pub broker_name: Option<Text> => string,
    }
}
