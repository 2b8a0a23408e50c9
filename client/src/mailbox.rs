//! What has arrived for one consumer.
//!
//! The reader task puts in what came with one read, and wakes the consumer once; the consumer takes out all there is, so
//! that neither pays a lock or a wake-up for every message. Guarantees that what is put is taken in that order, and that
//! no more than the prefetch (with some slack) can wait.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::delivery::Delivery;
use crate::limits::MAILBOX_SLACK;

/// What arrives for a consumer.
#[derive(Debug)]
pub(crate) enum Item {
    Delivery(Delivery),
    /// The broker has nothing: the answer to a pull.
    Nothing,
}

/// One consumer's mailbox, shared by the reader task and the consumer.
pub(crate) struct Mailbox {
    room: usize,
    state: Mutex<State>,
    news: Notify,
}

struct State {
    items: VecDeque<Item>,
    open: bool,
}

impl Mailbox {
    /// A mailbox for a consumer with this prefetch.
    pub(crate) fn new(prefetch: u16) -> Arc<Self> {
        Arc::new(Self {
            room: usize::from(prefetch) * 2 + MAILBOX_SLACK,
            state: Mutex::new(State {
                items: VecDeque::new(),
                open: true,
            }),
            news: Notify::new(),
        })
    }

    /// Adds everything in `items`, which is empty then. False when there is no room for it.
    pub(crate) fn put(&self, items: &mut Vec<Item>) -> bool {
        let mut state = self.state();
        if !state.open {
            items.clear();
            return true;
        }
        if state.items.len() + items.len() > self.room {
            return false;
        }
        let was_empty = state.items.is_empty();
        state.items.extend(items.drain(..));
        drop(state);
        if was_empty {
            self.news.notify_one();
        }
        true
    }

    /// Moves everything to `into`, which must be empty.
    pub(crate) fn take(&self, into: &mut VecDeque<Item>) {
        debug_assert!(into.is_empty(), "what is at hand comes first");
        std::mem::swap(&mut self.state().items, into);
    }

    /// Waits until there is something to take; false when there is not and nothing will come.
    pub(crate) async fn wait(&self) -> bool {
        loop {
            {
                let state = self.state();
                if !state.items.is_empty() {
                    return true;
                }
                if !state.open {
                    return false;
                }
            }
            // The one consumer is the only one who waits: a notification before this is kept for it.
            self.news.notified().await;
        }
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.state().open = false;
        self.news.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each critical section is one operation on a collection: a panic leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn nothings(count: usize) -> Vec<Item> {
        (0..count).map(|_| Item::Nothing).collect()
    }

    #[tokio::test]
    async fn a_burst_wakes_once_and_is_taken_whole() {
        let mailbox = Mailbox::new(10);
        let waiting = tokio::spawn({
            let mailbox = Arc::clone(&mailbox);
            async move { mailbox.wait().await }
        });
        assert!(mailbox.put(&mut nothings(3)));
        assert!(mailbox.put(&mut nothings(2)));
        let woken = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(woken.expect("it was woken").unwrap());
        let mut taken = VecDeque::new();
        mailbox.take(&mut taken);
        assert_eq!(taken.len(), 5);
    }

    #[test]
    fn it_takes_no_more_than_its_room() {
        let mailbox = Mailbox::new(10);
        assert!(mailbox.put(&mut nothings(20 + MAILBOX_SLACK)));
        assert!(!mailbox.put(&mut nothings(1)));
        mailbox.take(&mut VecDeque::new());
        assert!(mailbox.put(&mut nothings(1)));
    }

    #[tokio::test]
    async fn what_came_before_the_end_is_still_taken() {
        let mailbox = Mailbox::new(1);
        assert!(mailbox.put(&mut nothings(1)));
        mailbox.close();
        assert!(mailbox.put(&mut nothings(1)), "too late, but no fault");
        assert!(mailbox.wait().await);
        let mut taken = VecDeque::new();
        mailbox.take(&mut taken);
        assert_eq!(taken.len(), 1);
        assert!(!mailbox.wait().await);
    }
}
