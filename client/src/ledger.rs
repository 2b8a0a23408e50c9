//! What one consumer was given and has not acknowledged.
//!
//! Turns it into acknowledgements, and keeps what a rollback gives back: the broker leaves rolled back messages with
//! their consumer, so they are delivered again from here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::openwire::{
    AckKind, ConsumerId, Destination, MessageAck, MessageId, RemoveInfo, Throwable,
};

use crate::delivery::Delivery;
use crate::requests;

/// A ledger as its consumer and its session share it.
pub(crate) type Shared = Arc<Mutex<Ledger>>;

/// One consumer's open deliveries, oldest first.
pub(crate) struct Ledger {
    consumer: ConsumerId,
    destination: Destination,
    prefetch: usize,
    open: VecDeque<Delivery>,
    /// How many of the open ones the broker was told to have arrived.
    reported: usize,
    /// Given and to be acknowledged in one go, in a session that does so.
    range: Option<Range>,
    /// Rolled back, to be delivered again before anything new.
    returned: VecDeque<Delivery>,
    last_sequence: i64,
}

/// Deliveries that follow each other.
struct Range {
    first: Delivery,
    last: Delivery,
    count: usize,
}

impl Ledger {
    pub(crate) fn new(consumer: ConsumerId, destination: Destination, prefetch: u16) -> Shared {
        Arc::new(Mutex::new(Self {
            consumer,
            destination,
            prefetch: usize::from(prefetch),
            open: VecDeque::new(),
            reported: 0,
            range: None,
            returned: VecDeque::new(),
            last_sequence: RemoveInfo::NOTHING,
        }))
    }

    /// Notes that the application has it.
    pub(crate) fn give(&mut self, delivery: &Delivery) {
        self.last_sequence = delivery.broker_sequence();
        self.open.push_back(delivery.clone());
    }

    /// Notes that the application has it, and that it is acknowledged already.
    pub(crate) fn give_acknowledged(&mut self, delivery: &Delivery) {
        self.last_sequence = delivery.broker_sequence();
    }

    /// Notes that the application has it, in a session that acknowledges ranges. What it had before is due when it is
    /// half of the prefetch; the new one never is, since the application has not even seen it.
    pub(crate) fn give_in_range(&mut self, delivery: &Delivery) -> Option<MessageAck> {
        self.last_sequence = delivery.broker_sequence();
        let is_due = |range: &Range| range.count * 2 >= self.prefetch;
        let due = match &self.range {
            Some(range) if is_due(range) => self.take_range(),
            _ => None,
        };
        match &mut self.range {
            Some(range) => {
                range.last = delivery.clone();
                range.count += 1;
            }
            None => {
                self.range = Some(Range {
                    first: delivery.clone(),
                    last: delivery.clone(),
                    count: 1,
                });
            }
        }
        due
    }

    /// The acknowledgement of the range that was given, if there is one.
    pub(crate) fn take_range(&mut self) -> Option<MessageAck> {
        let range = self.range.take()?;
        let (first, last) = (range.first.id(), range.last.id());
        Some(self.ack(AckKind::Standard, Some(first), last, range.count))
    }

    /// Something that was rolled back, if there is anything.
    pub(crate) fn take_returned(&mut self) -> Option<Delivery> {
        self.returned.pop_front()
    }

    /// A note to the broker that half a window has arrived, when it is due: without it a transaction larger than the
    /// prefetch would never fill.
    pub(crate) fn arrival(&mut self) -> Option<MessageAck> {
        let news = self.open.len() - self.reported;
        if self.prefetch == 0 || news * 2 < self.prefetch {
            return None;
        }
        let first = self.open.get(self.reported)?;
        let last = self.open.back()?;
        let ack = self.ack(AckKind::Delivered, Some(first.id()), last.id(), news);
        self.reported = self.open.len();
        Some(ack)
    }

    /// One acknowledgement of all that is open.
    pub(crate) fn everything(&self) -> Option<MessageAck> {
        let (first, last) = (self.open.front()?, self.open.back()?);
        Some(self.ack(
            AckKind::Standard,
            Some(first.id()),
            last.id(),
            self.open.len(),
        ))
    }

    /// An acknowledgement of this one alone, which is no longer open then.
    pub(crate) fn single(&mut self, id: &MessageId) -> MessageAck {
        self.forget(id);
        self.ack(AckKind::Individual, None, id, 1)
    }

    /// The acknowledgement of one that was given as acknowledged.
    pub(crate) fn only(&self, id: &MessageId) -> MessageAck {
        self.ack(AckKind::Standard, Some(id), id, 1)
    }

    /// Gives this one up: the broker moves it to the dead letter queue.
    pub(crate) fn poison(&mut self, id: &MessageId, cause: &str) -> MessageAck {
        self.forget(id);
        let mut ack = self.ack(AckKind::Poison, Some(id), id, 1);
        ack.poison_cause = Some(Box::new(Throwable::new("java.lang.Throwable", cause)));
        ack
    }

    /// All that was open is acknowledged.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.reported = 0;
    }

    /// All that was open is to be delivered again.
    pub(crate) fn roll_back(&mut self) {
        self.reported = 0;
        while let Some(delivery) = self.open.pop_back() {
            self.returned.push_front(delivery.again());
        }
    }

    /// For the end of the consumer: what the application saw last.
    pub(crate) fn last_sequence(&self) -> i64 {
        self.last_sequence
    }

    fn forget(&mut self, id: &MessageId) {
        if let Some(at) = self.open.iter().position(|delivery| delivery.id() == id) {
            self.open.remove(at);
            self.reported -= usize::from(at < self.reported);
        }
    }

    fn ack(
        &self,
        kind: AckKind,
        first: Option<&MessageId>,
        last: &MessageId,
        count: usize,
    ) -> MessageAck {
        requests::ack(&self.consumer, &self.destination, kind, first, last, count)
    }
}

/// The ledger, for one short look or change.
pub(crate) fn lock(shared: &Shared) -> MutexGuard<'_, Ledger> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
