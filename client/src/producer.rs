//! Sends messages to one destination.
//!
//! A persistent message outside a transaction is answered once it is safe; [`Producer::send`] waits for that. Messages
//! of a transaction and non-persistent ones are not answered: the commit, or nothing, tells.

use std::fmt;
use std::sync::Arc;

use wire::openwire::{
    Command, Destination, Message as WireMessage, MessageId, ObjectId, ProducerId, RemoveInfo,
};

use crate::error::Error;
use crate::exchange::Exchange;
use crate::link::When;
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
    /// The last message's, with ids and destination in place: sending allocates nothing that is the same every time.
    command: Command,
}

impl Producer {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        unit: Option<Arc<Unit>>,
        id: ProducerId,
        destination: Destination,
    ) -> Self {
        let command = WireMessage {
            producer_id: Some(id.clone()),
            destination: Some(destination.clone()),
            message_id: Some(MessageId {
                producer_id: Some(id.clone()),
                ..MessageId::default()
            }),
            ..WireMessage::default()
        };
        Self {
            exchange,
            unit,
            id,
            destination,
            next_sequence: 1,
            command: command.into(),
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

    /// Sends a message. When this returns, a persistent one outside a transaction is safe. Any other is on its way: it
    /// is written with those sent right after it, at the latest when the caller next waits for something.
    ///
    /// # Errors
    /// The broker refuses, or the connection was lost and the message may or may not be stored.
    pub async fn send(&mut self, message: &Message) -> Result<(), Error> {
        if self.unit.is_none() && message.persistent {
            let receipt = self.submit(message, When::Now).await?;
            return receipt.answered().await;
        }
        self.prepare(message)?;
        self.exchange.tell(&mut self.command).await
    }

    /// Sends a message and returns at once with the promise of an answer, so that many can be on their way. Waits only
    /// when too many are.
    ///
    /// # Errors
    /// As for [`Producer::send`], except that refusals come with the answer.
    pub async fn send_pipelined(&mut self, message: &Message) -> Result<Receipt, Error> {
        self.submit(message, When::Soon).await
    }

    /// Ends the producer; messages on their way are not affected.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(self) -> Result<(), Error> {
        let mut end = requests::remove(ObjectId::Producer(self.id), RemoveInfo::NOTHING);
        self.exchange.tell(&mut end).await
    }

    async fn submit(&mut self, message: &Message, when: When) -> Result<Receipt, Error> {
        self.prepare(message)?;
        let command = &mut self.command;
        self.exchange.submit("send", command, when).await
    }

    /// Makes the message the producer's command.
    fn prepare(&mut self, message: &Message) -> Result<(), Error> {
        let Command::Message(out) = &mut self.command else {
            return Err(Error::Misuse {
                what: "a producer sends messages",
            });
        };
        let out = Arc::make_mut(out);
        message.fill(out)?;
        if let Some(unit) = &self.unit {
            out.transaction_id = Some(unit.join()?);
        }
        if let Some(id) = &mut out.message_id {
            id.producer_sequence_id = self.next_sequence;
        }
        self.next_sequence += 1;
        Ok(())
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
