//! Brings messages from the store into memory, for consumers and browsers. Done
//! by the chores thread, because it may wait for the disk.

use std::sync::Arc;

use store::Stored;

use crate::chores::Desk;
use crate::destination::{Entry, Queue, Shown, Step};
use crate::engine::Engine;
use crate::limits::{PAGE_BYTES, PAGE_MESSAGES, PAGE_RETRY};
use crate::message::StoredReader;

impl Engine {
    /// Loads the next page of a queue and dispatches it.
    pub(crate) fn load_page(&self, queue: &Arc<Queue>, desk: &mut Desk) {
        let Some(id) = queue.store_id() else { return };
        let Some(page) = queue.lock().begin_page() else {
            return;
        };
        let stored = match self.store.read(id, page.from, PAGE_MESSAGES, PAGE_BYTES) {
            Ok(stored) => stored,
            Err(error) => return self.page_failed(queue, &error),
        };
        let last = stored.last().map(|stored| stored.seq);
        let Desk { reader, effects } = desk;
        let entries = stored
            .into_iter()
            .filter_map(|stored| load(queue, stored, reader))
            .collect();
        let mut state = queue.lock();
        state.finish_page(page, entries, last, effects);
        state.dispatch(self.now(), effects);
    }

    /// Consumers of this queue wait and it is tried again; everybody else goes
    /// on. Damage is told and never skipped.
    fn page_failed(&self, queue: &Arc<Queue>, error: &store::Error) {
        if self.is_stopped() {
            return;
        }
        let name = &queue.destination;
        match error {
            store::Error::Damaged { path, offset, what } => tracing::error!(
                event = "store.damaged",
                queue = %name,
                path = %path.display(),
                offset,
                what,
                "messages cannot be read"
            ),
            error => tracing::error!(queue = %name, cause = %error, "messages cannot be read"),
        }
        queue.lock().give_up_page();
        self.chores.page_later(Arc::clone(queue), PAGE_RETRY);
    }

    /// Shows the browsers of a queue what comes next.
    pub(crate) fn show(&self, queue: &Arc<Queue>, desk: &mut Desk) {
        let steps = queue.lock().browse_steps();
        for step in steps {
            let stored = self.read_shown(queue, step, &mut desk.reader);
            queue
                .lock()
                .finish_browse(step, stored, self.now(), &mut desk.effects);
        }
    }

    fn read_shown(&self, queue: &Arc<Queue>, step: Step, reader: &mut StoredReader) -> Vec<Shown> {
        let Some(id) = queue.store_id() else {
            return Vec::new();
        };
        let stored = match self.store.read(id, step.from, step.count, PAGE_BYTES) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(queue = %queue.destination, cause = %error, "browsing ends early");
                return Vec::new();
            }
        };
        let state = queue.lock();
        let before: Vec<u32> = stored
            .iter()
            .map(|stored| state.seen_before(stored))
            .collect();
        drop(state);
        let shown = stored
            .into_iter()
            .zip(before)
            .filter_map(|(stored, redeliveries)| {
                let seq = stored.seq;
                let message = load(queue, stored, reader)?.message;
                Some(Shown {
                    seq,
                    message,
                    redeliveries,
                })
            });
        shown.collect()
    }
}

/// A message as it was stored. One that cannot be read stays where it is, and
/// is told: the store has checked its bytes, so another program wrote it.
fn load(queue: &Queue, stored: Stored, reader: &mut StoredReader) -> Option<Entry> {
    match reader.read(stored.payload) {
        Ok(message) => {
            let mut entry = Entry::new(stored.seq, message, true);
            entry.redeliveries = u32::from(stored.redeliveries);
            Some(entry)
        }
        Err(cause) => {
            tracing::error!(
                event = "store.damaged",
                queue = %queue.destination,
                seq = %stored.seq,
                what = cause,
                "a stored message cannot be read and stays in the store"
            );
            None
        }
    }
}
