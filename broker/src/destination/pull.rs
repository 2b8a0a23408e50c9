//! A consumer that asks for one message at a time (prefetch 0).
//!
//! The client waits for the answer of a pull with a timeout without a timeout
//! of its own: every such pull is answered, by a message or by nothing.

use std::time::{Duration, Instant};

use super::queue::QueueState;
use super::subscription::{Subscription, SubscriptionId};
use crate::effects::Effects;
use crate::outgoing::Outgoing;

/// A wish for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pull {
    /// Now or nothing.
    Now,
    /// Whenever there is one.
    Whenever,
    /// Until then.
    Until(Instant),
}

impl Subscription {
    pub(super) fn has_urgent_pull(&self) -> bool {
        self.pull == Some(Pull::Now)
    }

    fn say_nothing(&mut self, effects: &mut Effects) {
        self.pull = None;
        self.outbox.push(Outgoing::Nothing {
            consumer: self.consumer.clone(),
        });
        effects.touched.add(&self.outbox);
    }

    /// The time to start a timer for, unless one rings earlier anyway: a
    /// subscription that pulls often does not collect timers.
    fn arm(&mut self, deadline: Instant) -> Option<Instant> {
        if self.armed.is_some_and(|armed| armed <= deadline) {
            return None;
        }
        self.armed = Some(deadline);
        self.armed
    }
}

impl QueueState {
    /// Notes the wish. The caller dispatches, and starts a timer if told so.
    pub(crate) fn pull(
        &mut self,
        id: SubscriptionId,
        timeout_ms: i64,
        now: Instant,
    ) -> Option<Instant> {
        if let Some(browser) = self.browsers.iter_mut().find(|browser| browser.id == id) {
            browser.pull();
            return None;
        }
        let subscription = self.subscription(id)?;
        let was_urgent = subscription.has_urgent_pull();
        let mut timer = None;
        let pull = match u64::try_from(timeout_ms) {
            Err(_) => Pull::Now,
            Ok(0) => Pull::Whenever,
            Ok(timeout) => match now.checked_add(Duration::from_millis(timeout)) {
                Some(deadline) => {
                    timer = subscription.arm(deadline);
                    Pull::Until(deadline)
                }
                None => Pull::Whenever,
            },
        };
        subscription.pull = Some(pull);
        self.urgent_pulls += usize::from(pull == Pull::Now);
        self.urgent_pulls -= usize::from(was_urgent);
        timer
    }

    /// A timer rang. Returns the time of the next one, if one is needed.
    pub(crate) fn pull_timer(
        &mut self,
        id: SubscriptionId,
        now: Instant,
        effects: &mut Effects,
    ) -> Option<Instant> {
        let subscription = self.subscription(id)?;
        subscription.armed = None;
        match subscription.pull {
            Some(Pull::Until(deadline)) if deadline <= now => {
                subscription.say_nothing(effects);
                None
            }
            Some(Pull::Until(deadline)) => subscription.arm(deadline),
            _ => None,
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
                subscription.say_nothing(effects);
            }
        }
    }
}
