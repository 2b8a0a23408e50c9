//! What the broker says to a client, before any protocol's bytes exist.
//!
//! The engine pushes these into an `Outbox`; the protocol of that connection
//! turns them into frames. Nothing here is sent by being made: an answer for
//! something durable is pushed by the committer's outlet only.

use std::sync::Arc;

use wire::openwire::{Command, ConsumerId, Destination, Message, ProducerId};

/// Fixed part of what one queued item costs in memory.
const ITEM_BYTES: usize = 256;

/// One thing to say to a client.
#[derive(Debug, Clone)]
pub enum Outgoing {
    /// The one answer to a command that asked for one.
    Answer {
        /// The client's command id.
        correlation: i32,
        /// What came of it.
        result: Result<Reply, Refusal>,
    },
    /// A message for a consumer.
    Delivery(Delivery),
    /// "No message": the end of a browse, or a pull that found nothing in time.
    Nothing {
        /// The consumer that is told.
        consumer: ConsumerId,
    },
    /// An asynchronous send no longer counts against its producer's window.
    ProducerAck {
        /// The producer whose window opens.
        producer: ProducerId,
        /// As many bytes as the client counted for the message.
        size: i32,
    },
    /// An error of a command that asked for no answer; the connection stays.
    AsyncError(Refusal),
    /// The broker ends this consumer, the connection stays.
    CloseConsumer {
        /// The consumer that ends.
        consumer: ConsumerId,
    },
    /// The protocol's own housekeeping (BrokerInfo, ConnectionControl,
    /// KeepAliveInfo): only the edge pushes it.
    Command(Box<Command>),
}

impl Outgoing {
    /// Memory that this item pins while it waits, for the outbox's bound.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Outgoing::Delivery(delivery) => delivery.message.flow_size(),
            _ => ITEM_BYTES,
        }
    }
}

/// A message on its way to one consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Who gets it.
    pub consumer: ConsumerId,
    /// The concrete destination it was taken from.
    pub destination: Destination,
    /// The message, shared with the queue.
    pub message: Arc<Message>,
    /// How often it may have been seen before.
    pub redeliveries: u32,
}

/// A good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Done, and durable where durability was promised.
    Ok,
    /// Done, with a number (PREPARE).
    Integer(i32),
}

/// A bad answer: the exception that the client will throw. Class and text are
/// those of the ActiveMQ broker where clients could depend on them
/// (OpenWire fact: always `javax.jms`, newer clients map it to `jakarta.jms`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct Refusal {
    /// Java class name, never looked up here.
    pub class: &'static str,
    /// Text for people.
    pub message: String,
}

impl Refusal {
    fn new(class: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            class,
            message: message.into(),
        }
    }

    /// `JMSException`: anything without a class of its own.
    pub fn general(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.JMSException", message)
    }

    /// `InvalidDestinationException`.
    pub fn invalid_destination(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.InvalidDestinationException", message)
    }

    /// `InvalidClientIDException`: the client id is missing or taken.
    pub fn invalid_client_id(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.InvalidClientIDException", message)
    }

    /// `InvalidSelectorException`.
    pub fn invalid_selector(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.InvalidSelectorException", message)
    }

    /// `java.lang.IllegalStateException`: a child of something never registered.
    pub fn illegal_state(message: impl Into<String>) -> Refusal {
        Refusal::new("java.lang.IllegalStateException", message)
    }

    /// `ResourceAllocationException`: a limit was reached.
    pub fn resource_allocation(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.ResourceAllocationException", message)
    }

    /// `XAException`: distributed transactions are not built. Java reads the
    /// code behind the colon; -3 is XAER_RMERR.
    pub fn distributed() -> Refusal {
        let text = "distributed (XA) transactions are not supported xaErrorCode:-3";
        Refusal::new("javax.transaction.xa.XAException", text)
    }

    /// `TransactionRolledBackException`.
    pub fn rolled_back(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.TransactionRolledBackException", message)
    }

    /// `SecurityException`: who you are, or what you may do.
    pub fn security(message: impl Into<String>) -> Refusal {
        Refusal::new("java.lang.SecurityException", message)
    }

    /// What this broker does not do. Clients of every make know
    /// `JMSException`; the text says what is missing.
    pub fn unsupported(message: impl Into<String>) -> Refusal {
        Refusal::new("javax.jms.JMSException", message)
    }
}
