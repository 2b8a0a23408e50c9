//! Messages that nobody may get any more. They are found when they come up for
//! dispatch, and by a search now and then where nobody asks for them.

use std::iter;

use super::queue::QueueState;
use super::subscription::Pending;
use crate::effects::Effects;

/// What the dead letter says.
const CAUSE: &str = "java.lang.Throwable: Message Expired";

impl QueueState {
    /// The message at the front has expired.
    pub(super) fn expire_front(&mut self, effects: &mut Effects) {
        if let Some((_, entry)) = self.ready.pop_first() {
            self.ready_bytes -= entry.size;
            self.give_up(iter::once(Pending { order: 0, entry }), CAUSE, effects);
        }
    }

    /// Takes out all waiting messages that have expired. Those in the store
    /// only are found when they are loaded.
    pub(crate) fn expire(&mut self, now: i64, effects: &mut Effects) {
        let expired: Vec<_> = self
            .ready
            .values()
            .filter(|entry| entry.message.is_expired(now))
            .map(|entry| entry.seq)
            .collect();
        for seq in expired {
            if let Some(entry) = self.ready.remove(&seq) {
                self.ready_bytes -= entry.size;
                self.give_up(iter::once(Pending { order: 0, entry }), CAUSE, effects);
            }
        }
    }
}
