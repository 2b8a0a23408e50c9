//! Who gets what: messages in order, consumers in turn, higher priorities
//! first, an exclusive consumer alone.

use std::sync::Arc;

use super::entry::Entry;
use super::queue::QueueState;
use crate::effects::Effects;
use crate::outgoing::{Delivery, Outgoing};

/// Why a round of dispatch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// Nothing is there that could be given out.
    Empty,
    /// Nobody takes it.
    NoTaker,
    /// The dispatch mark is not there yet; goes on when it is durable.
    Unmarked,
}

impl QueueState {
    /// Gives out what can be given out. Call it after every change.
    pub(crate) fn dispatch(&mut self, now: i64, effects: &mut Effects) {
        let stopped = self.give_out(now, effects);
        if self.urgent_pulls > 0 && stopped != Stopped::Unmarked {
            self.answer_urgent_pulls(stopped == Stopped::Empty, effects);
        }
        if !self.subscriptions.is_empty() {
            self.ask_for_page(effects);
        }
        if !self.browsers.is_empty() {
            self.ask_for_browsing(effects);
        }
    }

    fn give_out(&mut self, now: i64, effects: &mut Effects) -> Stopped {
        let mut reached = None;
        let stopped = loop {
            let Some((&seq, front)) = self.ready.first_key_value() else {
                break Stopped::Empty;
            };
            if !self.cursor.is_in_order(seq) {
                break Stopped::Empty;
            }
            let (stored, expired) = (front.stored, front.message.is_expired(now));
            let Some(taker) = self.next_taker() else {
                break Stopped::NoTaker;
            };
            if expired {
                self.expire_front(effects);
                continue;
            }
            if stored && !self.mark.covers(seq) {
                reached = Some(seq);
                break Stopped::Unmarked;
            }
            let Some((_, entry)) = self.ready.pop_first() else {
                break Stopped::Empty;
            };
            self.ready_bytes -= entry.size;
            if stored {
                reached = Some(seq);
            }
            self.turn = taker + 1;
            self.give(taker, entry, effects);
        };
        if let Some(mark) = reached.and_then(|seq| self.mark.raise(seq))
            && let Some(queue) = self.this()
        {
            effects.marks.push((queue, mark));
        }
        stopped
    }

    /// The consumer whose turn it is.
    fn next_taker(&self) -> Option<usize> {
        let first = self.subscriptions.first()?;
        if self.subscriptions.len() == 1 {
            return first.has_window().then_some(0);
        }
        if let Some(alone) = self.subscriptions.iter().position(|s| s.exclusive) {
            return self.subscriptions[alone].has_window().then_some(alone);
        }
        let mut best: Option<usize> = None;
        for step in 0..self.subscriptions.len() {
            let index = (self.turn + step) % self.subscriptions.len();
            let candidate = &self.subscriptions[index];
            let better =
                best.is_none_or(|best| candidate.priority > self.subscriptions[best].priority);
            if better && candidate.has_window() {
                best = Some(index);
                if candidate.priority == first.priority {
                    break;
                }
            }
        }
        best
    }

    fn give(&mut self, taker: usize, entry: Entry, effects: &mut Effects) {
        let subscription = &mut self.subscriptions[taker];
        if subscription.has_urgent_pull() {
            self.urgent_pulls -= 1;
        }
        subscription.outbox.push(Outgoing::Delivery(Delivery {
            consumer: subscription.consumer.clone(),
            destination: self.destination.clone(),
            message: Arc::clone(&entry.message),
            redeliveries: entry.redeliveries,
        }));
        effects.touched.add(&subscription.outbox);
        subscription.hold(entry);
    }
}
