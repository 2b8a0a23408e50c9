//! Ids of brokers, connections, sessions, consumers and producers. Each names
//! its parents, so it is unique on its own. Cloning one costs one counter.

use std::fmt;

use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// A broker.
    #[derive(PartialEq, Eq, Hash)]
    pub struct BrokerId = BROKER_ID {
        /// Opaque.
        pub value: Text => text,
    }
}

structure! {
    /// A connection, as its client named it.
    #[derive(PartialEq, Eq, Hash)]
    pub struct ConnectionId = CONNECTION_ID {
        /// Opaque; `ID:<host>-<port>-<millis>-<n>:<m>` from Java.
        pub value: Text => text,
    }
}

structure! {
    /// A session of a connection.
    #[derive(PartialEq, Eq, Hash)]
    pub struct SessionId = SESSION_ID {
        /// Value of the connection's id.
        pub connection_id: Text => text,
        /// -1 is the session that every connection has from the start.
        pub value: i64 => long,
    }
}

structure! {
    /// A consumer of a session.
    #[derive(PartialEq, Eq, Hash)]
    pub struct ConsumerId = CONSUMER_ID {
        /// Value of the connection's id.
        pub connection_id: Text => text,
        /// Value of the session's id.
        pub session_id: i64 => long,
        /// Number within the session.
        pub value: i64 => long,
    }
}

structure! {
    /// A producer of a session. Mind the order: not that of [`ConsumerId`].
    #[derive(PartialEq, Eq, Hash)]
    pub struct ProducerId = PRODUCER_ID {
        /// Value of the connection's id.
        pub connection_id: Text => text,
        /// Number within the session.
        pub value: i64 => long,
        /// Value of the session's id.
        pub session_id: i64 => long,
    }
}

impl SessionId {
    /// The connection it belongs to.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        ConnectionId {
            value: self.connection_id.clone(),
        }
    }
}

impl ConsumerId {
    /// The connection it belongs to.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        ConnectionId {
            value: self.connection_id.clone(),
        }
    }

    /// The session it belongs to.
    #[must_use]
    pub fn session(&self) -> SessionId {
        SessionId {
            connection_id: self.connection_id.clone(),
            value: self.session_id,
        }
    }
}

impl ProducerId {
    /// The connection it belongs to.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        ConnectionId {
            value: self.connection_id.clone(),
        }
    }

    /// The session it belongs to.
    #[must_use]
    pub fn session(&self) -> SessionId {
        SessionId {
            connection_id: self.connection_id.clone(),
            value: self.session_id,
        }
    }
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.connection_id, self.value)
    }
}

impl fmt::Display for ConsumerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.connection_id, self.session_id, self.value
        )
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.connection_id, self.session_id, self.value
        )
    }
}
