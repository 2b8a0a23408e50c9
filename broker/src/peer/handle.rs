//! The handle of one connected client.

use std::sync::Arc;

#[cfg(test)]
use store::Work;
use wire::openwire::{ConsumerId, Destination, Message, ProducerId, SessionId, TransactionId};

use super::cell::Cell;
#[cfg(test)]
use crate::committer::{Receipt, Token};
use crate::outgoing::Refusal;
#[cfg(test)]
use crate::outgoing::Reply;
use crate::peer::{Ack, ConsumerSpec};

/// Whether the connection may go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// Go on.
    Go,
    /// Too much of this client is under way: read nothing more of it until
    /// [`Peer::room`] resolves.
    Wait,
}

/// Why a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It said so, and which message it saw last (openwire 5.10).
    Closed {
        /// Broker sequence of the last message that the application saw.
        last_delivered: i64,
    },
    /// Its socket broke, or it was taken over: anything may have been seen.
    Lost,
}

/// One connected client. Its commands are executed in the order of the calls;
/// sends and acknowledgements take effect at the latest with the next
/// [`Peer::flush_touched`]. Once its successor has taken over, or the broker
/// is no master any more, they do nothing. Dropping it is a lost connection.
pub struct Peer {
    cell: Arc<Cell>,
}

impl Peer {
    pub(crate) fn new(cell: Arc<Cell>) -> Peer {
        Peer { cell }
    }

    /// A session exists. Again is nothing.
    pub fn add_session(&mut self, id: SessionId) {
        self.cell.with(|state| state.add_session(id));
    }

    /// A session and its consumers and producers end.
    pub fn remove_session(&mut self, id: &SessionId, last_delivered: i64) {
        self.cell
            .with(|state| state.remove_session(&self.cell, id, last_delivered));
    }

    /// A producer exists; with a `window` above 0 it wants to hear of every
    /// asynchronous send. Again is nothing.
    ///
    /// # Errors
    /// An unknown session, or a destination that is not supported.
    pub fn add_producer(
        &mut self,
        id: ProducerId,
        destination: Option<Destination>,
        window: i32,
    ) -> Result<(), Refusal> {
        self.cell
            .with(|state| state.add_producer(id, destination.as_ref(), window))
            .unwrap_or(Ok(()))
    }

    /// A producer ends.
    pub fn remove_producer(&mut self, id: &ProducerId) {
        self.cell.with(|state| state.producers.remove(id));
    }

    /// A consumer begins. Again is nothing.
    ///
    /// # Errors
    /// An unknown session, or something that is not supported.
    pub fn add_consumer(&mut self, spec: ConsumerSpec) -> Result<(), Refusal> {
        self.cell
            .with(|state| state.add_consumer(&self.cell, spec))
            .unwrap_or(Ok(()))
    }

    /// A consumer ends; what it holds becomes available again.
    pub fn remove_consumer(&mut self, id: &ConsumerId, last_delivered: i64) {
        self.cell
            .with(|state| state.remove_consumer(&self.cell, id, last_delivered));
    }

    /// A consumer's prefetch is now this.
    pub fn set_prefetch(&mut self, id: &ConsumerId, prefetch: i32) {
        self.cell
            .with(|state| state.set_prefetch(&self.cell, id, prefetch));
    }

    /// One message, please: -1 now or never, 0 whenever, else within so many ms.
    pub fn pull(&mut self, id: &ConsumerId, timeout_ms: i64) {
        self.cell
            .with(|state| state.pull(&self.cell, id, timeout_ms));
    }

    /// A message. The answer or the error leaves through the outbox: for a
    /// persistent message when it is durable.
    pub fn send(&mut self, message: Arc<Message>, answer: Option<i32>) -> Admission {
        self.cell
            .with(|state| state.send(&self.cell, message, answer))
            .unwrap_or(Admission::Go)
    }

    /// An acknowledgement. The answer, if one is wanted, leaves when it is durable.
    pub fn ack(&mut self, ack: Ack, answer: Option<i32>) {
        self.cell.with(|state| state.ack(&self.cell, ack, answer));
    }

    /// A transaction begins. Again is nothing.
    ///
    /// # Errors
    /// It is no local one, or there are too many.
    pub fn begin(&mut self, id: TransactionId) -> Result<(), Refusal> {
        self.cell.with(|state| state.begin(id)).unwrap_or(Ok(()))
    }

    /// A transaction ends well, whole or not at all; a commit asked twice is
    /// answered twice alike. The answer leaves when it is durable.
    pub fn commit(&mut self, id: TransactionId, one_phase: bool, answer: Option<i32>) {
        self.cell
            .with(|state| state.commit(&self.cell, id, one_phase, answer));
    }

    /// A transaction is undone. Its messages stay with their consumers.
    pub fn rollback(&mut self, id: TransactionId, answer: Option<i32>) {
        self.cell
            .with(|state| state.rollback(&self.cell, &id, answer));
    }

    /// A temporary queue of this client exists. Again is nothing.
    ///
    /// # Errors
    /// It is no temporary queue, or somebody else's.
    pub fn add_temporary(&mut self, destination: Destination) -> Result<(), Refusal> {
        self.cell
            .with(|state| state.add_temporary(&self.cell, destination))
            .unwrap_or(Ok(()))
    }

    /// A temporary queue is gone.
    ///
    /// # Errors
    /// It is not this client's, or still has consumers.
    pub fn remove_temporary(&mut self, destination: Destination) -> Result<(), Refusal> {
        self.cell
            .with(|state| state.remove_temporary(&self.cell, &destination))
            .unwrap_or(Ok(()))
    }

    /// Resolves when the connection may read again.
    pub async fn room(&self) {
        self.cell.room().await;
    }

    /// Ends a burst of commands: what was gathered takes effect, and the other
    /// connections' outboxes that got something are flushed. The own outbox is
    /// the caller's to flush.
    pub fn flush_touched(&mut self) {
        let touched = self.cell.with(|state| {
            state.apply(&self.cell);
            std::mem::take(&mut state.effects.touched)
        });
        // Without the lock: a socket that takes bytes calls back into queues.
        if let Some(mut touched) = touched {
            touched.forget(&self.cell.outbox);
            touched.flush();
        }
    }

    /// The client leaves; all that it holds goes back.
    pub fn close(self, cause: Cause) {
        self.cell.shut(cause);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.cell.shut(Cause::Lost);
    }
}

#[cfg(test)]
impl Peer {
    /// Answers once everything that anyone has submitted is durable.
    pub(crate) fn barrier(&mut self, correlation: i32) {
        let answer = Some(correlation);
        let receipt = Receipt {
            answer,
            ..Receipt::silent(&self.cell, 0)
        };
        let result = Ok(Reply::Ok);
        self.cell
            .engine
            .submit(Work::new(), Token::Answer { receipt, result });
    }
}
