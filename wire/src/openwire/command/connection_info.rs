//! A client introduces itself.

use super::base::Base;
use super::ids::{BrokerId, ConnectionId};
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// The first request of a client. Its password is not shown by `Debug`.
    #[derive(PartialEq, Eq)]
    pub struct ConnectionInfo = CONNECTION_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The connection; it keeps this id across reconnects.
        pub connection_id: Option<ConnectionId> => cached,
        /// JMS client id, the user's or a generated one.
        pub client_id: Option<Text> => string,
        /// Password; `None` and empty are alike.
        pub password: Option<Text> => secret,
        /// User; `None` and empty are alike.
        pub user_name: Option<Text> => string,
        /// Brokers passed; `None` from clients.
        pub broker_path: Option<Vec<BrokerId>> => array,
        /// Obsolete.
        pub broker_master_connector: bool => bool,
        /// The client wants a `ConnectionControl` after this.
        pub manageable: bool => bool,
        /// True from all clients.
        pub client_master: bool => bool since 2 or true,
        /// The client is behind `failover:`.
        pub fault_tolerant: bool => bool since 6,
        /// A replay after a reconnect.
        pub failover_reconnect: bool => bool since 6,
        /// Set by brokers, for advisories.
        pub client_ip: Option<Text> => string since 8,
    }
}
