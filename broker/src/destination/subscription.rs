//! One consumer of a queue: its window, and what it holds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use wire::openwire::ConsumerId;

use super::entry::Entry;
use super::pull::Pull;
use crate::outbox::Outbox;

/// Names a subscription within this engine; shorter to compare than a `ConsumerId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SubscriptionId(pub(crate) u64);

/// A message that a consumer holds.
#[derive(Debug)]
pub(crate) struct Pending {
    /// Rises with every dispatch to this consumer.
    pub(crate) order: u64,
    pub(crate) entry: Entry,
}

/// One consumer.
pub(crate) struct Subscription {
    pub(crate) id: SubscriptionId,
    pub(crate) consumer: ConsumerId,
    pub(crate) outbox: Arc<Outbox>,
    /// Messages it takes before it acknowledges; 0: only when it pulls.
    pub(crate) prefetch: usize,
    pub(crate) priority: i8,
    pub(crate) exclusive: bool,
    /// How far DELIVERED acknowledgements have widened the window.
    pub(super) extension: usize,
    /// What it holds, in the order of dispatch. What it has acknowledged in an
    /// open transaction is with the transaction instead.
    pub(super) pending: VecDeque<Pending>,
    pub(super) next_order: u64,
    /// It asked for one message.
    pub(super) pull: Option<Pull>,
    /// A timer for its pull rings then.
    pub(super) armed: Option<Instant>,
    /// It was given something once; before, unmatched acknowledgements are
    /// those of a life before a failover.
    pub(super) served: bool,
}

impl Subscription {
    pub(crate) fn new(
        id: SubscriptionId,
        consumer: ConsumerId,
        outbox: Arc<Outbox>,
        prefetch: i32,
    ) -> Subscription {
        Subscription {
            id,
            consumer,
            outbox,
            prefetch: window(prefetch),
            priority: 0,
            exclusive: false,
            extension: 0,
            pending: VecDeque::new(),
            next_order: 0,
            pull: None,
            armed: None,
            served: false,
        }
    }

    /// It takes another message now.
    pub(super) fn has_window(&self) -> bool {
        let open = self.prefetch > 0 && self.pending.len() < self.prefetch + self.extension;
        (open || self.pull.is_some()) && self.outbox.has_room()
    }

    /// Notes a dispatched message.
    pub(super) fn hold(&mut self, entry: Entry) {
        self.served = true;
        self.pull = None;
        self.pending.push_back(Pending {
            order: self.next_order,
            entry,
        });
        self.next_order += 1;
    }

    /// Messages left the window.
    pub(super) fn shrink(&mut self, messages: usize) {
        self.extension = self.extension.saturating_sub(messages);
    }

    /// Takes back what a rolled-back transaction had acknowledged, in the old order.
    pub(super) fn hold_again(&mut self, mut returned: Vec<Pending>) {
        returned.extend(self.pending.drain(..));
        returned.sort_by_key(|pending| pending.order);
        self.pending = returned.into();
    }
}

/// A prefetch as a window; a negative one means the same as none.
pub(crate) fn window(prefetch: i32) -> usize {
    usize::try_from(prefetch).unwrap_or(0)
}
