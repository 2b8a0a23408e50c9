//! What the clients of a test asked for and saw, in one order, for the checker to judge.
//!
//! An attempt is recorded before its first byte can leave and an answer after it has come, so that "recorded before"
//! always means "happened before" for an answer followed by an attempt or an opening. Nothing is judged here.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One message as its producer calls it; the body carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MessageName {
    pub(crate) producer: u32,
    pub(crate) number: u64,
}

/// One attempt at a transaction; a repeat of its work is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TransactionName(pub(crate) u64);

/// One connection's worth of a consumer's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Incarnation {
    pub(crate) consumer: u32,
    pub(crate) life: u32,
}

/// A queue by the number that the test gave it.
pub(crate) type QueueNumber = u32;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// About to be written to a socket, for the first time or again.
    SendAsked {
        message: MessageName,
        queue: QueueNumber,
        persistent: bool,
        transaction: Option<TransactionName>,
    },
    /// The broker said yes: from here on it may not be lost.
    SendAnswered {
        message: MessageName,
    },
    /// The broker said no: it may never be seen.
    SendRefused {
        message: MessageName,
    },
    /// These messages are acknowledged within the transaction.
    ConsumedIn {
        transaction: TransactionName,
        by: Incarnation,
        messages: Vec<MessageName>,
    },
    CommitAsked {
        transaction: TransactionName,
    },
    /// The broker said yes to the commit.
    Committed {
        transaction: TransactionName,
    },
    /// The broker said that nothing of it happened.
    RolledBack {
        transaction: TransactionName,
    },
    /// A consumer was accepted by the master that calls itself `master`.
    Opened {
        by: Incarnation,
        queue: QueueNumber,
        master: String,
    },
    Received {
        by: Incarnation,
        message: MessageName,
        redelivered: bool,
        /// The broker's own number of the stored message: two numbers mean stored twice.
        stored_as: i64,
        /// Whether the body is the one that was sent.
        intact: bool,
    },
    /// The broker said yes to the acknowledgement: they may not return.
    AckAnswered {
        by: Incarnation,
        messages: Vec<MessageName>,
    },
    /// A broker announced itself as master.
    MasterReady {
        broker: String,
        epoch: u64,
    },
    /// The queue was read until the broker said that nothing is left.
    Drained {
        queue: QueueNumber,
    },
}

/// The recorder that all tasks of a test share.
#[derive(Default)]
pub(crate) struct History {
    events: Mutex<Vec<Event>>,
    answers: AtomicU64,
    transactions: AtomicU64,
}

impl History {
    /// Appends one event.
    pub(crate) fn record(&self, event: Event) {
        let is_answer = matches!(
            event,
            Event::SendAnswered { .. } | Event::Committed { .. } | Event::AckAnswered { .. }
        );
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
        self.answers
            .fetch_add(u64::from(is_answer), Ordering::Relaxed);
    }

    /// Everything so far, in order.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests were answered: tests wait for progress with it.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// How many events of a kind there are: for tests that make sure that something happened at all.
    pub(crate) fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| wanted(event)).count()
    }

    /// A name for another attempt at a transaction.
    pub(crate) fn next_transaction(&self) -> TransactionName {
        TransactionName(self.transactions.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}#{}", self.producer, self.number)
    }
}

impl fmt::Display for TransactionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx{}", self.0)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.consumer, self.life)
    }
}
