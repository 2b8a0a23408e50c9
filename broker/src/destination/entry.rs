//! One message of a queue, loaded into memory.

use std::sync::Arc;

use store::Seq;
use wire::openwire::Message;

use crate::message;

/// A message with its place in the queue.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its place.
    pub(crate) seq: Seq,
    /// The message, shared with the outboxes it goes through.
    pub(crate) message: Arc<Message>,
    /// Deliveries that came back.
    pub(crate) redeliveries: u32,
    /// It is in the store too, so taking it out of the queue is a record.
    pub(crate) stored: bool,
    /// Memory that it takes.
    pub(crate) size: usize,
}

impl Entry {
    pub(crate) fn new(seq: Seq, message: Arc<Message>, stored: bool) -> Entry {
        let size = message::size(&message);
        Entry {
            seq,
            message,
            redeliveries: 0,
            stored,
            size,
        }
    }
}
