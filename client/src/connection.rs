//! A connection to one broker: made, introduced, and closed or lost as one.
//!
//! Guarantees that a value exists only after the broker has accepted it, and that dropping it ends its tasks and its
//! socket; sessions that outlive it get errors. It never reconnects: see [`crate::Reconnect`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wire::openwire::{
    Decoder, Encoder, ObjectId, RemoveInfo, SessionId, TransactionId, TransactionKind,
};

use crate::error::Error;
use crate::exchange::Exchange;
use crate::handshake;
use crate::identity::Identity;
use crate::limits::CLOSE_TIMEOUT;
use crate::link::{Link, When};
use crate::options::ConnectOptions;
use crate::requests;
use crate::session::{AckMode, Session};
use crate::uri::BrokerUri;

/// An accepted connection.
pub struct Connection {
    exchange: Arc<Exchange>,
    identity: Arc<Identity>,
    next_session: AtomicI64,
}

impl Connection {
    /// Connects, negotiates and introduces itself. With an identity that some broker has accepted before, it says that
    /// it comes back.
    ///
    /// # Errors
    /// No connection in time, a peer that is no OpenWire broker, or a broker that refuses (a wrong password, a client
    /// id in use).
    pub async fn connect(uri: &BrokerUri, options: &ConnectOptions) -> Result<Self, Error> {
        let opened = handshake::open(uri, options).await?;
        let format = opened.negotiated.format;
        let link = Link::new(uri.to_string(), opened.writer, Encoder::new(format));
        let exchange = Exchange::new(Arc::clone(&link));
        let inactivity = opened.negotiated.max_inactivity;
        link.run(
            opened.reader,
            Decoder::new(format),
            opened.frames,
            exchange.inbox(),
            inactivity,
        );
        // From here on dropping the connection cleans up, whatever fails.
        let connection = Self {
            exchange,
            identity: Arc::clone(&options.identity),
            next_session: AtomicI64::new(0),
        };
        connection.introduce(options).await?;
        Ok(connection)
    }

    async fn introduce(&self, options: &ConnectOptions) -> Result<(), Error> {
        if options.fault_tolerant && self.identity.was_introduced() {
            let fault_tolerance = requests::fault_tolerance();
            self.exchange.tell_now(fault_tolerance, When::Soon)?;
        }
        let limit = options.handshake_timeout;
        let accepting = self
            .exchange
            .request("connection", requests::connection(options));
        match tokio::time::timeout(limit, accepting).await {
            Ok(accepted) => accepted?,
            Err(_) => {
                let uri = self.exchange.link.uri().to_owned();
                return Err(Error::Handshake {
                    uri,
                    what: "accept the connection",
                    after: limit,
                });
            }
        }
        self.identity.set_introduced();
        Ok(())
    }

    /// Opens a session. Sessions are independent of each other but share the socket.
    ///
    /// # Errors
    /// The connection is lost or closed.
    pub async fn session(&self, mode: AckMode) -> Result<Session, Error> {
        let id = SessionId {
            connection_id: self.identity.connection_id().value.clone(),
            value: self.next_session.fetch_add(1, Ordering::Relaxed) + 1,
        };
        self.exchange.tell(&mut requests::session(&id)).await?;
        Ok(Session::new(
            Arc::clone(&self.exchange),
            Arc::clone(&self.identity),
            id,
            mode,
        ))
    }

    /// Asks for the outcome of a commit that was in doubt, by asking for the commit again: true when it happened,
    /// false when nothing of it did. The broker answers both the same way however often it is asked.
    ///
    /// # Errors
    /// The connection was lost again: still in doubt.
    pub async fn settle(&self, transaction: &TransactionId) -> Result<bool, Error> {
        let id = self.identity.connection_id();
        let commit = requests::transaction(id, transaction, TransactionKind::CommitOnePhase);
        match self.exchange.request("commit", commit).await {
            Ok(()) => Ok(true),
            Err(Error::Refused { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// What the broker calls itself; empty when it has not said.
    #[must_use]
    pub fn broker_name(&self) -> String {
        let name = self
            .exchange
            .broker()
            .and_then(|info| info.broker_name.as_ref());
        name.map(ToString::to_string).unwrap_or_default()
    }

    /// The broker's id; empty when it has not said.
    #[must_use]
    pub fn broker_id(&self) -> String {
        let id = self
            .exchange
            .broker()
            .and_then(|info| info.broker_id.as_ref());
        id.map(ToString::to_string).unwrap_or_default()
    }

    /// Address of the broker.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.exchange.link.uri()
    }

    /// Refusals of requests that nobody waits for (unanswered sends and acknowledgements), oldest first.
    #[must_use]
    pub fn take_refusals(&self) -> Vec<Error> {
        self.exchange.take_refusals()
    }

    /// Waits until the connection is lost or closed, and says why.
    pub async fn wait_for_end(&self) -> Error {
        self.exchange.link.wait_for_end().await
    }

    /// Says good-bye and closes: what was pushed before is written first.
    ///
    /// # Errors
    /// The connection was lost before the broker confirmed the end; nothing that was answered is affected.
    pub async fn close(self) -> Result<(), Error> {
        let id = ObjectId::Connection(self.identity.connection_id().clone());
        let removing = self
            .exchange
            .request("close", requests::remove(id, RemoveInfo::UNKNOWN));
        let removed = match tokio::time::timeout(CLOSE_TIMEOUT, removing).await {
            Ok(removed) => removed,
            Err(_) => Err(Error::Handshake {
                uri: self.uri().to_owned(),
                what: "confirm the end of the connection",
                after: CLOSE_TIMEOUT,
            }),
        };
        if removed.is_ok() {
            self.exchange.tell_now(requests::shutdown(), When::Now)?;
            self.exchange.link.drained().await;
        }
        removed
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.exchange.link.end(Error::Closed { what: "connection" });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("uri", &self.uri())
            .finish_non_exhaustive()
    }
}
