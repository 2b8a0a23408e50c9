//! Messages come back: their consumer or its connection went away, or a
//! transaction was undone. They stand where they stood, with their count of
//! deliveries adjusted by what the client said it saw last (openwire 5.10).

use std::cmp::Reverse;

use super::browse::Browser;
use super::entry::Entry;
use super::queue::QueueState;
use super::subscription::{Pending, Subscription, SubscriptionId, window};
use crate::effects::Effects;
use crate::message::broker_sequence;

/// lastDeliveredSequenceId: nothing was delivered.
const NOTHING: i64 = -1;
/// lastDeliveredSequenceId: anything may have been.
pub(crate) const UNKNOWN: i64 = -2;

impl QueueState {
    /// A consumer begins.
    pub(crate) fn subscribe(&mut self, subscription: Subscription) {
        self.subscriptions.push(subscription);
        self.subscriptions
            .sort_by_key(|s| (Reverse(s.priority), s.id));
        self.turn = 0;
    }

    /// A browser begins: it will see what is here now.
    pub(crate) fn browse(&mut self, subscription: Subscription) {
        let unstored = self.ready.values().chain(
            self.subscriptions
                .iter()
                .flat_map(|s| s.pending.iter().map(|held| &held.entry)),
        );
        let mut unstored: Vec<Entry> = unstored.filter(|entry| !entry.stored).cloned().collect();
        unstored.sort_by_key(|entry| entry.seq);
        self.browsers
            .push(Browser::new(subscription, self.next_seq, unstored));
    }

    /// A consumer's window is now this.
    pub(crate) fn set_prefetch(&mut self, id: SubscriptionId, prefetch: i32) {
        if let Some(subscription) = self.subscription(id) {
            subscription.prefetch = window(prefetch);
        }
    }

    /// A consumer ends; what it holds becomes available again.
    pub(crate) fn unsubscribe(
        &mut self,
        id: SubscriptionId,
        last_delivered: i64,
        effects: &mut Effects,
    ) {
        self.browsers.retain(|browser| browser.id != id);
        let Some(index) = self.index_of(id) else {
            return;
        };
        let subscription = self.subscriptions.remove(index);
        self.turn = 0;
        self.urgent_pulls -= usize::from(subscription.has_urgent_pull());
        let held = subscription.pending;
        let seen = match last_delivered {
            UNKNOWN => held.len(),
            ..=NOTHING => 0,
            last => held
                .iter()
                .position(|pending| broker_sequence(&pending.entry.message) == last)
                .map_or(0, |place| place + 1),
        };
        for (place, pending) in held.into_iter().enumerate() {
            self.come_back(pending.entry, place < seen, effects);
        }
    }

    /// A transaction was undone: what it had acknowledged stays with its
    /// consumer, who has it in memory; without the consumer it comes back.
    pub(crate) fn roll_back(
        &mut self,
        id: SubscriptionId,
        returned: Vec<Pending>,
        effects: &mut Effects,
    ) {
        if let Some(subscription) = self.subscription(id) {
            return subscription.hold_again(returned);
        }
        for pending in returned {
            self.come_back(pending.entry, true, effects);
        }
    }

    fn come_back(&mut self, mut entry: Entry, seen: bool, effects: &mut Effects) {
        if self.removed {
            effects.released += entry.size;
            return;
        }
        if seen {
            entry.redeliveries = entry.redeliveries.saturating_add(1);
            if entry.stored
                && let Some(id) = self.this().and_then(|queue| queue.store_id())
            {
                effects
                    .redelivered
                    .push((id, entry.seq, entry.redeliveries));
            }
        }
        self.put_back(entry);
    }

    /// The queue is gone with all that waits in it.
    pub(crate) fn remove(&mut self, effects: &mut Effects) {
        self.removed = true;
        effects.released += self.ready_bytes;
        self.ready_bytes = 0;
        self.ready.clear();
        self.counts.messages = 0;
        for subscription in self.subscriptions.drain(..) {
            effects.released += subscription
                .pending
                .iter()
                .map(|p| p.entry.size)
                .sum::<usize>();
        }
        self.urgent_pulls = 0;
        self.browsers.clear();
    }
}
