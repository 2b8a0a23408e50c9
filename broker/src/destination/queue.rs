//! One queue: a lock around its state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use store::{QueueId, QueueSummary, Seq};
use wire::openwire::{ConnectionId, Destination};

use super::browse::Browser;
use super::cursor::Cursor;
use super::entry::Entry;
use super::mark::Mark;
use super::subscription::{Subscription, SubscriptionId};
use crate::engine::QueueFigures;
use crate::peer::Ack;

/// A queue or temporary queue.
pub(crate) struct Queue {
    /// Kind and name.
    pub(crate) destination: Destination,
    kind: Kind,
    state: Mutex<QueueState>,
}

/// Lasting or not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// In the store under this id.
    Lasting(QueueId),
    /// Of this connection; nothing of it is ever stored.
    Temporary(ConnectionId),
}

/// What is behind the lock.
pub(crate) struct QueueState {
    pub(super) me: Weak<Queue>,
    pub(super) destination: Destination,
    /// The next message's place.
    pub(super) next_seq: Seq,
    /// The store knows the queue's id, or is about to.
    pub(super) recorded: bool,
    /// A temporary queue that is gone; sends that still know it fail.
    pub(super) removed: bool,
    /// Deliverable messages in memory.
    pub(super) ready: BTreeMap<Seq, Entry>,
    pub(super) ready_bytes: usize,
    pub(super) cursor: Cursor,
    /// A page was asked for and is not begun.
    pub(super) page_asked: bool,
    pub(super) mark: Mark,
    /// Messages submitted and not durable: others must not overtake them.
    pub(super) undurable: usize,
    /// Highest priority first; those of one priority in the order they came.
    pub(super) subscriptions: Vec<Subscription>,
    /// Whose turn it is.
    pub(super) turn: usize,
    /// Subscriptions whose pull must be answered at once, one way or the other.
    pub(super) urgent_pulls: usize,
    pub(super) browsers: Vec<Browser>,
    /// Acknowledgements from before a failover whose messages may be in the
    /// page that is being loaded.
    pub(super) stale: Vec<Ack>,
    pub(super) counts: Counts,
}

/// Running numbers, for people.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Signed: a page may bring a message, and its consumer acknowledge it,
    /// before the committing thread reports it.
    pub(super) messages: i64,
    pub(super) enqueued: u64,
    pub(super) dequeued: u64,
}

impl Queue {
    /// A queue that nothing was ever stored in.
    pub(crate) fn lasting(destination: Destination, id: QueueId) -> Arc<Queue> {
        Queue::build(
            destination,
            Kind::Lasting(id),
            Cursor::new(Seq(1), Seq(1)),
            |_| {},
        )
    }

    /// A temporary queue of `owner`.
    pub(crate) fn temporary(destination: Destination, owner: ConnectionId) -> Arc<Queue> {
        Queue::build(
            destination,
            Kind::Temporary(owner),
            Cursor::new(Seq(1), Seq(1)),
            |_| {},
        )
    }

    /// A queue as the store found it.
    pub(crate) fn recovered(destination: Destination, summary: &QueueSummary) -> Arc<Queue> {
        let next_seq = summary.next_seq.max(Seq(1));
        let cursor = Cursor::new(summary.first.unwrap_or(next_seq), next_seq);
        Queue::build(destination, Kind::Lasting(summary.id), cursor, |state| {
            state.next_seq = next_seq;
            state.recorded = true;
            state.mark = Mark::new(summary.mark, next_seq);
            state.counts.messages = i64::try_from(summary.count).unwrap_or(i64::MAX);
        })
    }

    fn build(
        destination: Destination,
        kind: Kind,
        cursor: Cursor,
        adjust: impl FnOnce(&mut QueueState),
    ) -> Arc<Queue> {
        Arc::new_cyclic(|me| {
            let mut state = QueueState {
                me: Weak::clone(me),
                destination: destination.clone(),
                next_seq: Seq(1),
                recorded: false,
                removed: false,
                ready: BTreeMap::new(),
                ready_bytes: 0,
                cursor,
                page_asked: false,
                mark: Mark::new(Seq(0), Seq(1)),
                undurable: 0,
                subscriptions: Vec::new(),
                turn: 0,
                urgent_pulls: 0,
                browsers: Vec::new(),
                stale: Vec::new(),
                counts: Counts::default(),
            };
            adjust(&mut state);
            Queue {
                destination,
                kind,
                state: Mutex::new(state),
            }
        })
    }

    /// Its id in the store; temporary queues have none.
    pub(crate) fn store_id(&self) -> Option<QueueId> {
        match self.kind {
            Kind::Lasting(id) => Some(id),
            Kind::Temporary(_) => None,
        }
    }

    /// Whose temporary queue it is.
    pub(crate) fn owner(&self) -> Option<&ConnectionId> {
        match &self.kind {
            Kind::Lasting(_) => None,
            Kind::Temporary(owner) => Some(owner),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A panic under this lock is a bug; the queue's other users should not
        // all die of it, and what is durable is safe in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn figures(&self) -> QueueFigures {
        let state = self.lock();
        let in_flight: usize = state.subscriptions.iter().map(|s| s.pending.len()).sum();
        QueueFigures {
            name: self.destination.physical_name.to_string(),
            temporary: self.owner().is_some(),
            messages: u64::try_from(state.counts.messages).unwrap_or(0),
            in_flight: in_flight as u64,
            consumers: state.subscriptions.len(),
            enqueued: state.counts.enqueued,
            dequeued: state.counts.dequeued,
        }
    }
}

impl QueueState {
    /// Nobody can find the queue any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed
    }

    /// Consumers or browsers are there.
    pub(crate) fn is_watched(&self) -> bool {
        !self.subscriptions.is_empty() || !self.browsers.is_empty()
    }

    pub(super) fn index_of(&self, id: SubscriptionId) -> Option<usize> {
        self.subscriptions
            .iter()
            .position(|subscription| subscription.id == id)
    }

    pub(super) fn subscription(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.subscriptions
            .iter_mut()
            .find(|subscription| subscription.id == id)
    }

    /// The queue itself; gone only while its last reference is being dropped.
    pub(super) fn this(&self) -> Option<Arc<Queue>> {
        self.me.upgrade()
    }
}
