//! Which messages of a connection are dropped because they were sent before.
//!
//! The store tells the latest sequences of a producer apart one by one. Of older ones it knows nothing, and then the
//! connection decides: one that was there before sends again what it has no answer for, in order, so an old sequence
//! is one that is stored. On any other connection an old sequence is a late message, for instance of a transaction
//! that was overtaken by another: dropping it would lose it.

use store::{Noted, Store};

use super::hello::Hello;

/// How a connection is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing is dropped: the messages of a network connection carry the ids
    /// of many producers.
    Off,
    /// What is known to be sent before is dropped.
    Known,
    /// So is what is too old to be known.
    KnownAndOld,
}

impl Guard {
    pub(crate) fn of(hello: &Hello) -> Guard {
        match hello {
            Hello { network: true, .. } => Guard::Off,
            Hello {
                failover_reconnect: true,
                ..
            } => Guard::KnownAndOld,
            _ => Guard::Known,
        }
    }

    /// Whether anything is dropped at all, so that producers are noted.
    pub(crate) fn is_on(self) -> bool {
        self != Guard::Off
    }

    /// Notes that a message is about to be stored; false if it is to be dropped.
    pub(crate) fn admits<T: Send>(self, store: &Store<T>, producer: &[u8], sequence: u64) -> bool {
        if !self.is_on() {
            return true;
        }
        match store.note_producer(producer, sequence) {
            Noted::New => true,
            Noted::Duplicate => false,
            Noted::Unknown => self == Guard::Known,
        }
    }
}
