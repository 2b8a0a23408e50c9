//! Sends messages to one destination.
//!
//! A persistent message outside a transaction is answered once it is safe; [`Producer::send`] waits for that. Messages
//! of a transaction and non-persistent ones are not answered: the commit, or nothing, tells.

use std::fmt;
use std::sync::Arc;

use wire::openwire::{Command, Destination, MessageId, ObjectId, ProducerId, RemoveInfo};

use crate::error::Error;
use crate::exchange::Exchange;
use crate::message::Message;
use crate::receipt::Receipt;
use crate::requests;
use crate::unit::Unit;

/// A producer of one session.
pub struct Producer {
    exchange: Arc<Exchange>,
    /// Present in a transacted session.
    unit: Option<Arc<Unit>>,
    id: ProducerId,
    destination: Destination,
    next_sequence: i64,
}

impl Producer {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        unit: Option<Arc<Unit>>,
        id: ProducerId,
        destination: Destination,
    ) -> Self {
        Self {
            exchange,
            unit,
            id,
            destination,
            next_sequence: 1,
        }
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn next_sequence(&self) -> i64 {
        self.next_sequence
    }

    /// Sets the number of the next message: to send one again after a reconnection, under the number that the broker
    /// may know already, so that it is stored once.
    pub fn set_next_sequence(&mut self, sequence: i64) {
        self.next_sequence = sequence;
    }

    /// Sends a message. When this returns, a persistent one outside a transaction is safe; any other is on its way.
    ///
    /// # Errors
    /// The broker refuses, or the connection was lost and the message may or may not be stored.
    pub async fn send(&mut self, message: &Message) -> Result<(), Error> {
        if self.unit.is_none() && message.persistent {
            let command = self.command(message)?;
            return self.exchange.request("send", command).await;
        }
        let command = self.command(message)?;
        self.exchange.tell(command).await
    }

    /// Sends a message and returns at once with the promise of an answer, so that many can be on their way. Waits only
    /// when too many are.
    ///
    /// # Errors
    /// As for [`Producer::send`], except that refusals come with the answer.
    pub async fn send_pipelined(&mut self, message: &Message) -> Result<Receipt, Error> {
        let command = self.command(message)?;
        self.exchange.submit("send", command).await
    }

    /// Ends the producer; messages on their way are not affected.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(self) -> Result<(), Error> {
        self.exchange
            .tell(requests::remove(
                ObjectId::Producer(self.id),
                RemoveInfo::NOTHING,
            ))
            .await
    }

    fn command(&mut self, message: &Message) -> Result<Command, Error> {
        let mut out = message.to_wire()?;
        if let Some(unit) = &self.unit {
            out.transaction_id = Some(unit.join()?);
        }
        out.producer_id = Some(self.id.clone());
        out.destination = Some(self.destination.clone());
        out.message_id = Some(MessageId {
            producer_id: Some(self.id.clone()),
            producer_sequence_id: self.next_sequence,
            ..MessageId::default()
        });
        self.next_sequence += 1;
        Ok(out.into())
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("id", &self.id)
            .field("destination", &self.destination)
            .field("next_sequence", &self.next_sequence)
            .finish_non_exhaustive()
    }
}
