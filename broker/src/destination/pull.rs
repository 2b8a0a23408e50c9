//! A consumer that asks for one message at a time (prefetch 0).
//!
//! The client waits for the answer of a pull with a timeout without a timeout
//! of its own: every such pull is answered, by a message or by nothing.

use super::queue::QueueState;
use super::subscription::SubscriptionId;
use crate::effects::Effects;
use crate::outgoing::Outgoing;

/// Names one pull of a subscription, for its timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A wish for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pull {
    /// Now or nothing.
    Now,
    /// Whenever there is one.
    Whenever,
    /// Until its timer rings.
    Until(Ticket),
}

impl super::subscription::Subscription {
    pub(super) fn has_urgent_pull(&self) -> bool {
        self.pull == Some(Pull::Now)
    }
}

impl QueueState {
    /// Notes the wish; the caller dispatches, and starts a timer if it gets a ticket.
    pub(crate) fn pull(&mut self, id: SubscriptionId, timeout_ms: i64) -> Option<Ticket> {
        if let Some(browser) = self.browsers.iter_mut().find(|browser| browser.id == id) {
            browser.pull();
            return None;
        }
        let ticket = Ticket(self.next_ticket(id)?);
        let subscription = self.subscription(id)?;
        let was_urgent = subscription.has_urgent_pull();
        let pull = match timeout_ms {
            0 => Pull::Whenever,
            ..0 => Pull::Now,
            1.. => Pull::Until(ticket),
        };
        subscription.pull = Some(pull);
        self.urgent_pulls += usize::from(pull == Pull::Now);
        self.urgent_pulls -= usize::from(was_urgent);
        matches!(pull, Pull::Until(_)).then_some(ticket)
    }

    fn next_ticket(&mut self, id: SubscriptionId) -> Option<u64> {
        let subscription = self.subscription(id)?;
        // Orders are unique per subscription, so they serve as tickets too.
        subscription.next_order += 1;
        Some(subscription.next_order)
    }

    /// The timer of a pull rang.
    pub(crate) fn pull_timed_out(&mut self, id: SubscriptionId, ticket: Ticket, effects: &mut Effects) {
        if let Some(subscription) = self.subscription(id)
            && subscription.pull == Some(Pull::Until(ticket))
        {
            subscription.pull = None;
            let nothing = Outgoing::Nothing { consumer: subscription.consumer.clone() };
            subscription.outbox.push(nothing);
            effects.touched.add(&subscription.outbox);
        }
    }

    /// Answers those who do not wait, unless the store may still have
    /// something for them (`empty`: nothing in memory is for anyone).
    pub(super) fn answer_urgent_pulls(&mut self, empty: bool, effects: &mut Effects) {
        if empty && !self.cursor.caught_up() {
            return;
        }
        self.urgent_pulls = 0;
        for subscription in &mut self.subscriptions {
            if subscription.has_urgent_pull() {
                subscription.pull = None;
                let nothing = Outgoing::Nothing { consumer: subscription.consumer.clone() };
                subscription.outbox.push(nothing);
                effects.touched.add(&subscription.outbox);
            }
        }
    }
}
