//! Browsers look without taking. A browser sees what was in the queue when it
//! began: stored messages are read from the store page by page, whoever holds
//! them; the others are remembered from the beginning. Its acknowledgements
//! only move its window, and the end is told by "nothing".

use std::collections::VecDeque;
use std::sync::Arc;

use store::Seq;
use wire::openwire::{ConsumerId, Message};

use super::entry::Entry;
use super::queue::QueueState;
use super::subscription::{Subscription, SubscriptionId};
use crate::effects::Effects;
use crate::limits::BROWSE_MESSAGES;
use crate::outbox::Outbox;
use crate::outgoing::{Delivery, Outgoing};

/// A browser of a queue.
pub(crate) struct Browser {
    pub(super) id: SubscriptionId,
    consumer: ConsumerId,
    outbox: Arc<Outbox>,
    prefetch: usize,
    unacked: usize,
    /// Messages asked for one by one.
    pulls: usize,
    /// Next place to look at.
    at: Seq,
    /// Messages from here on came after it began.
    end: Seq,
    /// Messages that are not in the store.
    unstored: VecDeque<Entry>,
    /// A step was asked for or is being read.
    busy: bool,
    ended: bool,
}

/// A message to show.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) seq: Seq,
    pub(crate) message: Arc<Message>,
    pub(crate) redeliveries: u32,
}

/// What to read for a browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) browser: SubscriptionId,
    pub(crate) from: Seq,
    pub(crate) count: usize,
}

impl Browser {
    pub(super) fn new(subscription: Subscription, end: Seq, unstored: Vec<Entry>) -> Browser {
        Browser {
            id: subscription.id,
            consumer: subscription.consumer,
            outbox: subscription.outbox,
            prefetch: subscription.prefetch,
            unacked: 0,
            pulls: 0,
            at: Seq(1),
            end,
            unstored: unstored.into(),
            busy: false,
            ended: false,
        }
    }

    /// How many messages it may be shown now.
    fn window(&self) -> usize {
        let open = if self.prefetch > 0 {
            self.prefetch.saturating_sub(self.unacked)
        } else {
            self.pulls
        };
        open.min(BROWSE_MESSAGES)
    }

    fn can_go_on(&self) -> bool {
        // After the end only pulls are answered.
        let wanted = if self.ended {
            self.pulls > 0
        } else {
            self.window() > 0
        };
        !self.busy && wanted && self.outbox.has_room()
    }

    pub(super) fn ack(&mut self, count: i32) {
        let count = usize::try_from(count).unwrap_or(0).max(1);
        self.unacked = self.unacked.saturating_sub(count);
    }

    pub(super) fn pull(&mut self) {
        self.pulls += 1;
    }

    /// The next messages in order: stored ones, and unstored ones that stand
    /// before the last stored one that was read.
    fn merge(&mut self, stored: Vec<Shown>, count: usize) -> Vec<Shown> {
        let mut stored: VecDeque<Shown> = stored
            .into_iter()
            .filter(|shown| shown.seq < self.end)
            .collect();
        let bound = stored.back().map_or(Seq(u64::MAX), |last| last.seq);
        let mut merged = Vec::new();
        while merged.len() < count {
            let unstored = self
                .unstored
                .front()
                .map(|entry| entry.seq)
                .filter(|seq| *seq < bound);
            let next = match (stored.front().map(|shown| shown.seq), unstored) {
                (None, None) => break,
                (Some(stored_seq), Some(seq)) if stored_seq < seq => stored.pop_front(),
                (Some(_), None) => stored.pop_front(),
                (_, Some(_)) => self.unstored.pop_front().map(|entry| Shown {
                    seq: entry.seq,
                    message: entry.message,
                    redeliveries: entry.redeliveries,
                }),
            };
            merged.extend(next);
        }
        merged
    }

    fn show(&mut self, shown: Shown, destination: &wire::openwire::Destination, now: i64) {
        self.at = shown.seq.next();
        if shown.message.is_expired(now) {
            return;
        }
        if self.prefetch > 0 {
            self.unacked += 1;
        } else {
            self.pulls = self.pulls.saturating_sub(1);
        }
        self.outbox.push(Outgoing::Delivery(Delivery {
            consumer: self.consumer.clone(),
            destination: destination.clone(),
            message: shown.message,
            redeliveries: shown.redeliveries,
        }));
    }

    fn say_nothing(&mut self) {
        let times = if self.ended {
            0
        } else {
            usize::from(self.prefetch > 0)
        };
        self.ended = true;
        for _ in 0..times + std::mem::take(&mut self.pulls) {
            self.outbox.push(Outgoing::Nothing {
                consumer: self.consumer.clone(),
            });
        }
    }
}

impl QueueState {
    pub(super) fn ask_for_browsing(&mut self, effects: &mut Effects) {
        let asked = self
            .browsers
            .iter_mut()
            .filter(|browser| browser.can_go_on());
        let asked = asked.map(|browser| browser.busy = true).count();
        if asked > 0
            && let Some(queue) = self.this()
        {
            effects.browsers.push(queue);
        }
    }

    /// What to read next for the browsers that were asked for.
    pub(crate) fn browse_steps(&self) -> Vec<Step> {
        let busy = self.browsers.iter().filter(|browser| browser.busy);
        busy.map(|b| Step {
            browser: b.id,
            from: b.at,
            count: b.window().max(1),
        })
        .collect()
    }

    /// Shows what was read; the end when nothing was.
    pub(crate) fn finish_browse(
        &mut self,
        step: Step,
        stored: Vec<Shown>,
        now: i64,
        effects: &mut Effects,
    ) {
        let destination = self.destination.clone();
        let Some(browser) = self.browsers.iter_mut().find(|b| b.id == step.browser) else {
            return;
        };
        browser.busy = false;
        let merged = browser.merge(stored, step.count);
        if merged.is_empty() {
            browser.say_nothing();
        }
        for shown in merged {
            browser.show(shown, &destination, now);
        }
        effects.touched.add(&browser.outbox);
        self.ask_for_browsing(effects);
    }
}
