//! Sends through lost connections: each message is stored once, however often it had to be sent.
//!
//! A message that has no answer when the connection is lost is sent again under the same producer id and number, so
//! that the broker recognises it. A transaction is one attempt at a time: when its commit is in doubt the next broker
//! is asked, so that the caller always learns whether it happened.

use wire::openwire::{Destination, TransactionId};

use crate::connection::Connection;
use crate::error::Error;
use crate::message::Message;
use crate::producer::Producer;
use crate::reconnect::Reconnect;
use crate::session::{AckMode, Session};

/// How a message got through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The producer's number of the message.
    pub sequence: i64,
    /// How many times it was sent again.
    pub repeats: u64,
}

/// How an attempt at a transaction ended. Both are final.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// All of it is safe.
    Committed,
    /// Nothing of it happened; the same messages may be tried again.
    RolledBack {
        /// Why.
        cause: Error,
    },
}

/// A producer that outlives its connections.
pub struct Resender {
    reconnect: Reconnect,
    destination: Destination,
    mode: AckMode,
    live: Option<Live>,
    next_sequence: i64,
}

/// What exists while a connection does. Made in the same order each time, so that the producer id is the same.
struct Live {
    producer: Producer,
    session: Session,
    connection: Connection,
}

impl Resender {
    /// A sender of single messages.
    #[must_use]
    pub fn new(reconnect: Reconnect, destination: Destination) -> Self {
        Self {
            reconnect,
            destination,
            mode: AckMode::Auto,
            live: None,
            next_sequence: 1,
        }
    }

    /// A sender of transactions.
    #[must_use]
    pub fn transacted(reconnect: Reconnect, destination: Destination) -> Self {
        Self {
            mode: AckMode::Transacted,
            ..Self::new(reconnect, destination)
        }
    }

    /// How many connections it has had.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.reconnect.connections()
    }

    /// The address that it is connected to; empty while it is not.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.live.as_ref().map_or("", |live| live.connection.uri())
    }

    /// The id under which the broker knows it.
    #[must_use]
    pub fn connection_id(&self) -> String {
        self.reconnect
            .options()
            .identity
            .connection_id()
            .to_string()
    }

    /// Sends one message and returns when it is safe (a non-persistent one: when it is on its way).
    ///
    /// # Errors
    /// The broker refuses it, or no broker was found in time.
    pub async fn send(&mut self, message: &Message) -> Result<Sent, Error> {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let mut repeats = 0;
        loop {
            let live = self.live().await?;
            live.producer.set_next_sequence(sequence);
            match live.producer.send(message).await {
                Ok(()) => return Ok(Sent { sequence, repeats }),
                Err(error) if error.is_retry() => {
                    self.live = None;
                    repeats += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tries to send the messages as one transaction, once, and finds out whether it happened. Another attempt at the
    /// same messages must pass the same `first_sequence`; see [`Resender::reserve`].
    ///
    /// # Errors
    /// A message cannot be sent at all, or no broker was found in time.
    pub async fn try_transaction(
        &mut self,
        messages: &[Message],
        first_sequence: i64,
    ) -> Result<Attempt, Error> {
        let live = self.live().await?;
        live.producer.set_next_sequence(first_sequence);
        let outcome = send_all(live, messages).await;
        match outcome {
            Ok(()) => Ok(Attempt::Committed),
            Err(Error::InDoubt { transaction, cause }) => self.settle(&transaction, *cause).await,
            Err(cause) if cause.is_retry() => {
                self.live = None;
                Ok(Attempt::RolledBack { cause })
            }
            Err(cause @ Error::Refused { .. }) => Ok(Attempt::RolledBack { cause }),
            Err(error) => Err(error),
        }
    }

    /// Numbers for the next `count` messages of a transaction.
    pub fn reserve(&mut self, count: usize) -> i64 {
        let first = self.next_sequence;
        self.next_sequence += i64::try_from(count).unwrap_or(i64::MAX);
        first
    }

    /// Closes the connection in good order, if there is one.
    ///
    /// # Errors
    /// It was lost before the broker confirmed; everything that was answered is safe all the same.
    pub async fn close(mut self) -> Result<(), Error> {
        match self.live.take() {
            Some(live) => live.connection.close().await,
            None => Ok(()),
        }
    }

    /// Asks broker after broker until one says what became of the commit.
    async fn settle(
        &mut self,
        transaction: &TransactionId,
        cause: Error,
    ) -> Result<Attempt, Error> {
        loop {
            self.live = None;
            let live = self.live().await?;
            match live.connection.settle(transaction).await {
                Ok(true) => return Ok(Attempt::Committed),
                Ok(false) => return Ok(Attempt::RolledBack { cause }),
                Err(error) if error.is_retry() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn live(&mut self) -> Result<&mut Live, Error> {
        loop {
            // Taken out and put back, since a borrow may not cross the loop.
            if let Some(live) = self.live.take() {
                return Ok(self.live.insert(live));
            }
            let connection = self.reconnect.connect().await?;
            match open(connection, self.mode, &self.destination).await {
                Ok(live) => self.live = Some(live),
                Err(error) if error.is_retry() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn open(
    connection: Connection,
    mode: AckMode,
    destination: &Destination,
) -> Result<Live, Error> {
    let mut session = connection.session(mode).await?;
    let producer = session.producer(destination).await?;
    Ok(Live {
        producer,
        session,
        connection,
    })
}

async fn send_all(live: &mut Live, messages: &[Message]) -> Result<(), Error> {
    for message in messages {
        live.producer.send(message).await?;
    }
    live.session.commit().await
}
