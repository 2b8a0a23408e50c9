//! What a client says of itself when it connects. Who may connect is decided
//! before this; the engine only looks at identity.

use wire::openwire::{ConnectionId, Text};

/// A client's introduction.
#[derive(Debug, Clone)]
pub struct Hello {
    /// Identity of the connection; survives a failover.
    pub connection: ConnectionId,
    /// The client's name, unique among live connections.
    pub client_id: Option<Text>,
    /// It speaks through a `failover:` transport.
    pub fault_tolerant: bool,
    /// It was connected before and may send again what it sent before.
    pub failover_reconnect: bool,
    /// Another broker; its messages carry the ids of many producers.
    pub network: bool,
    /// Where it comes from, for people.
    pub remote: String,
}
