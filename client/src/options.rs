//! How to introduce oneself to a broker. Plain data; each field is documented at its place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::identity::Identity;
use crate::limits::{CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, INACTIVITY};

/// Options of a connection.
#[derive(Clone)]
pub struct ConnectOptions {
    /// Who we are, the same on every reconnection. Default: a new identity.
    pub identity: Arc<Identity>,
    /// JMS client id; brokers allow one live connection per id. Default: the connection id.
    pub client_id: Option<String>,
    /// User name. Default: none.
    pub user_name: Option<String>,
    /// Password; never logged, never in an error. Default: none.
    pub password: Option<String>,
    /// Tells the broker that we come back by ourselves when it goes. Default: false; [`crate::Reconnect`] sets it.
    pub fault_tolerant: bool,
    /// Time for the TCP connection to stand. Default: 5 s.
    pub connect_timeout: Duration,
    /// Time for each step of the handshake. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Silence after which the connection counts as lost, noticed a third later at most; the broker may ask for less, zero
    /// is never. Default: 30 s.
    pub inactivity: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            identity: Identity::generate(),
            client_id: None,
            user_name: None,
            password: None,
            fault_tolerant: false,
            connect_timeout: CONNECT_TIMEOUT,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            inactivity: INACTIVITY,
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("identity", &self.identity)
            .field("client_id", &self.client_id)
            .field("user_name", &self.user_name)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("fault_tolerant", &self.fault_tolerant)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_password() {
        let options = ConnectOptions {
            password: Some("secret".to_owned()),
            ..ConnectOptions::default()
        };
        assert!(!format!("{options:?}").contains("secret"));
    }
}
