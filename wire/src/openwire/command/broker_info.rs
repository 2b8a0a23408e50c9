//! What a broker says about itself.

use super::base::Base;
use super::ids::BrokerId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// The first command of a broker after negotiation, and of a network
    /// bridge to the broker it connects to.
    #[derive(PartialEq, Eq)]
    pub struct BrokerInfo = BROKER_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The broker; XA clients compare it.
        pub broker_id: Option<BrokerId> => cached,
        /// Where it listens.
        pub broker_url: Option<Text> => string,
        /// Other brokers of its network; clients do not use it.
        pub peer_broker_infos: Option<Vec<BrokerInfo>> => array,
        /// Its name.
        pub broker_name: Option<Text> => string,
        /// Obsolete.
        pub slave_broker: bool => bool,
        /// Obsolete.
        pub master_broker: bool => bool,
        /// True switches off optimizeAcknowledge in the client.
        pub fault_tolerant_configuration: bool => bool,
        /// The bridge wants the connection used in both directions.
        pub duplex_connection: bool => bool since 2,
        /// A bridge, not a client.
        pub network_connection: bool => bool since 2,
        /// Unused.
        pub connection_id: i64 => long since 2,
        /// Where blobs go.
        pub broker_upload_url: Option<Text> => string since 3,
        /// The bridge's configuration as java.util.Properties text.
        pub network_properties: Option<Text> => string since 3,
    }
}
