//! A destination is made or removed.

use super::base::Base;
use super::destination::Destination;
use super::ids::{BrokerId, ConnectionId};
use crate::openwire::marshal::{fields, structure};

structure! {
    /// From clients, for temporary destinations and for management; in
    /// advisories, for all.
    #[derive(PartialEq, Eq)]
    pub struct DestinationInfo = DESTINATION_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// Whose destination.
        pub connection_id: Option<ConnectionId> => cached,
        /// The destination.
        pub destination: Option<Destination> => cached,
        /// [`DestinationInfo::ADD`] or [`DestinationInfo::REMOVE`].
        pub operation_type: u8 => byte,
        /// Clients send 0.
        pub timeout: i64 => long,
        /// Brokers passed.
        pub broker_path: Option<Vec<BrokerId>> => array,
    }
}

impl DestinationInfo {
    /// Operation: make it.
    pub const ADD: u8 = 0;
    /// Operation: remove it.
    pub const REMOVE: u8 = 1;
}
