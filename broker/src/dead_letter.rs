//! The dead letter queue: where messages go that nobody can consume.
//!
//! Guarantee: leaving the one queue and arriving in the other is one unit of
//! work. As in ActiveMQ, only persistent messages are kept, and one that fails
//! in the dead letter queue itself is gone.

use std::sync::Arc;

use store::Work;
use wire::openwire::{Destination, Message};

use crate::committer::{Sent, Token};
use crate::destination::{Entry, Queue};
use crate::engine::Engine;
use crate::message;

/// Name of the dead letter queue.
const NAME: &str = "ActiveMQ.DLQ";
/// Property that says why.
const CAUSE_PROPERTY: &str = "dlqDeliveryFailureCause";

/// A message on its way there. It is in no queue's memory any more.
pub(crate) struct DeadLetter {
    /// The queue that it leaves.
    pub(crate) source: Arc<Queue>,
    /// The message.
    pub(crate) entry: Entry,
    /// Class and text of the reason.
    pub(crate) cause: String,
}

impl Engine {
    /// Moves the message. Called without any queue's lock.
    pub(crate) fn bury(&self, dead: &DeadLetter) {
        let destination = Destination::queue(NAME);
        let mut work = Work::new();
        if dead.entry.stored
            && let Some(id) = dead.source.store_id()
        {
            work.removed(id, &[dead.entry.seq]);
        }
        let kept = dead.entry.message.persistent && dead.source.destination != destination;
        let queue = if kept {
            self.queue(&destination).ok()
        } else {
            None
        };
        match queue {
            Some(queue) => self.enter(&queue, dead, work),
            None if work.is_empty() => {}
            None => self.submit_unawaited(&mut work),
        }
    }

    fn enter(&self, queue: &Arc<Queue>, dead: &DeadLetter, mut work: Work) {
        let letter = self.letter(dead, &queue.destination);
        let mut payload = Vec::new();
        let Some(id) = queue.store_id() else { return };
        if let Err(refusal) = message::encode(&letter, &mut payload) {
            // The message stays in the store and is tried again by the next master.
            tracing::error!(cause = %refusal, "a dead letter could not be written");
            return;
        }
        let mut state = queue.lock();
        state.record(id, &mut work);
        let seq = state.next_place();
        work.message(id, seq, None, 0, &payload);
        let mark = state.mark_along(id, seq, &mut work);
        let entry = Entry::new(seq, Arc::new(letter), true);
        let sent = Sent {
            queue: Arc::clone(queue),
            entry,
            mark,
            receipt: None,
        };
        if self.store.submit(work, Token::Sent(sent)).is_ok() {
            state.submitted(1);
        }
    }

    fn letter(&self, dead: &DeadLetter, destination: &Destination) -> Message {
        let mut letter = Message::clone(&dead.entry.message);
        let origin = letter.destination.replace(destination.clone());
        letter.original_destination = letter.original_destination.or(origin);
        let transaction = letter.transaction_id.take();
        letter.original_transaction_id = letter.original_transaction_id.or(transaction);
        letter.expiration = 0;
        letter.redelivery_counter = 0;
        self.stamp(&mut letter);
        if let Err(error) = letter.set_string_property(CAUSE_PROPERTY, &dead.cause) {
            // Properties that nobody can read: better without a cause than lost.
            tracing::warn!(%error, "a dead letter goes without its cause");
        }
        letter
    }
}
