//! The handle of one connected client.

use wire::openwire::{
    ConsumerId, Destination, Message, ProducerId, SessionId, TransactionId,
};

use crate::outgoing::Refusal;
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

/// One connected client.
pub struct Peer {}

#[allow(unused_variables, clippy::todo)]
impl Peer {
    /// A session exists. Again is nothing.
    pub fn add_session(&mut self, id: SessionId) { todo!() }
    /// A session and its consumers and producers end.
    pub fn remove_session(&mut self, id: &SessionId, last_delivered: i64) { todo!() }
    /// A producer exists. Again is nothing.
    pub fn add_producer(&mut self, id: ProducerId, destination: Option<Destination>, window: i32) -> Result<(), Refusal> { todo!() }
    /// A producer ends.
    pub fn remove_producer(&mut self, id: &ProducerId) { todo!() }
    /// A consumer begins. Again is nothing.
    pub fn add_consumer(&mut self, spec: ConsumerSpec) -> Result<(), Refusal> { todo!() }
    /// A consumer ends; what it holds goes back.
    pub fn remove_consumer(&mut self, id: &ConsumerId, last_delivered: i64) { todo!() }
    /// Its window is now this.
    pub fn set_prefetch(&mut self, id: &ConsumerId, prefetch: i32) { todo!() }
    /// One message, please: -1 now or never, 0 whenever, else within so many ms.
    pub fn pull(&mut self, id: &ConsumerId, timeout_ms: i64) { todo!() }
    /// A message; the answer (or error) leaves through the outbox.
    pub fn send(&mut self, message: Message, answer: Option<i32>) -> Admission { todo!() }
    /// An acknowledgement; the answer (or error) leaves through the outbox.
    pub fn ack(&mut self, ack: Ack, answer: Option<i32>) { todo!() }
    /// A transaction begins. Again is nothing.
    pub fn begin(&mut self, id: TransactionId) -> Result<(), Refusal> { todo!() }
    /// A transaction ends well; the answer leaves through the outbox.
    pub fn commit(&mut self, id: TransactionId, one_phase: bool, answer: Option<i32>) { todo!() }
    /// A transaction is undone; the answer leaves through the outbox.
    pub fn rollback(&mut self, id: TransactionId, answer: Option<i32>) { todo!() }
    /// A temporary destination of this client exists.
    pub fn add_temporary(&mut self, destination: Destination) -> Result<(), Refusal> { todo!() }
    /// It is gone.
    pub fn remove_temporary(&mut self, destination: Destination) -> Result<(), Refusal> { todo!() }
    /// Resolves when the connection may read again.
    pub async fn room(&self) { todo!() }
    /// Ends a burst of commands: what was gathered takes effect, and other
    /// connections' outboxes that got something are flushed.
    pub fn flush_touched(&mut self) { todo!() }
    /// The client leaves; all that it holds goes back. Dropping is `Lost`.
    pub fn close(self, cause: Cause) { todo!() }
}
