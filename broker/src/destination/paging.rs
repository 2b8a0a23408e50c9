//! Pages: bringing messages from the store into memory ahead of need. The
//! reading itself is done by `chores`, without the queue's lock.

use store::{Seq, Stored};

use super::cursor::Page;
use super::entry::Entry;
use super::queue::QueueState;
use crate::effects::Effects;
use crate::limits::{PAGE_MESSAGES, READY_FLOOR_BYTES};

impl QueueState {
    /// Asks for a page when consumers will soon have nothing to take.
    pub(super) fn ask_for_page(&mut self, effects: &mut Effects) {
        if self.page_asked || self.cursor.caught_up() || self.is_reading() || !self.runs_low() {
            return;
        }
        if let Some(queue) = self.this() {
            self.page_asked = true;
            effects.pages.push(queue);
        }
    }

    fn is_reading(&self) -> bool {
        self.cursor.is_reading()
    }

    fn runs_low(&self) -> bool {
        let Some(front) = self.ready.keys().next() else {
            return true;
        };
        // What is not in order is not deliverable, however much of it there is.
        !self.cursor.is_in_order(*front)
            || (self.ready.len() < PAGE_MESSAGES && self.ready_bytes < READY_FLOOR_BYTES)
    }

    /// Begins a page, if one is to be read.
    pub(crate) fn begin_page(&mut self) -> Option<Page> {
        self.page_asked = false;
        self.cursor.begin()
    }

    /// A page was read. `entries` are its messages that could be decoded,
    /// `last` is the last of all it showed.
    pub(crate) fn finish_page(
        &mut self,
        page: Page,
        entries: Vec<Entry>,
        last: Option<Seq>,
        effects: &mut Effects,
    ) {
        for mut entry in entries {
            if !self.cursor.is_wanted(page, entry.seq) {
                continue;
            }
            if self.mark.suspects(entry.seq) {
                entry.redeliveries = entry.redeliveries.max(1);
            }
            self.make_ready(entry, effects);
        }
        self.cursor.finish(page, last);
        if !self.stale.is_empty() {
            self.apply_stale(effects);
        }
    }

    /// A page could not be read: whoever reports this asks again in a while,
    /// so that not every dispatch does.
    pub(crate) fn give_up_page(&mut self) {
        self.page_asked = true;
        self.cursor.give_up();
    }

    /// How often the message may have been seen, as a browser is told.
    pub(crate) fn seen_before(&self, stored: &Stored) -> u32 {
        let counted = u32::from(stored.redeliveries);
        if self.mark.suspects(stored.seq) {
            counted.max(1)
        } else {
            counted
        }
    }
}
