//! Steering a connection: where else to connect, and failover's hello.

use bytes::Bytes;

use super::base::Base;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// From the broker: which brokers there are. From a client: that it is
    /// behind `failover:`.
    #[derive(PartialEq, Eq)]
    pub struct ConnectionControl = CONNECTION_CONTROL {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// Ignored by clients.
        pub close: bool => bool,
        /// Ignored by clients.
        pub exit: bool => bool,
        /// The sender survives a broken connection.
        pub fault_tolerant: bool => bool,
        /// Ignored by clients.
        pub resume: bool => bool,
        /// Ignored by clients.
        pub suspend: bool => bool,
        /// URIs, separated by commas, that replace the client's learned list;
        /// empty changes nothing.
        pub connected_brokers: Option<Text> => string since 6,
        /// Forget the configured URIs and connect here; empty changes nothing.
        pub reconnect_to: Option<Text> => string since 6,
        /// Reconnect if the list's first URI is not the current one.
        pub rebalance_connection: bool => bool since 6,
        /// Ignored by clients.
        pub token: Option<Bytes> => bytes since 8,
    }
}
