//! Memory in which a command's work is put together: the thread's, lent to the connection for one command. What one
//! connection has just written there is still in the processor's cache for the next, and thousands of idle ones hold none.

use std::cell::Cell;

use store::Work;

use crate::limits::KEPT_BUFFER_BYTES;

thread_local! {
    static SPARE: Cell<Option<Scratch>> = const { Cell::new(None) };
}

/// Empty between commands.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) work: Work,
    /// A message in its stored form.
    pub(super) payload: Vec<u8>,
}

impl Scratch {
    /// The thread's, or a new one where it is lent already.
    pub(super) fn lend() -> Scratch {
        SPARE.take().unwrap_or_default()
    }

    /// Keeps the memory for the next command, unless something large has passed through it.
    pub(super) fn give_back(mut self) {
        if self.payload.capacity().max(self.work.capacity()) <= KEPT_BUFFER_BYTES {
            self.work.clear();
            self.payload.clear();
            SPARE.set(Some(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacity_after(bytes: usize) -> usize {
        let mut scratch = Scratch::lend();
        scratch.payload.resize(bytes, 7);
        scratch.work.queue_removed(store::QueueId(1));
        scratch.give_back();
        let next = Scratch::lend();
        assert!(next.payload.is_empty() && next.work.is_empty());
        next.payload.capacity()
    }

    #[test]
    fn what_is_lent_is_empty_and_nothing_large_is_kept() {
        assert!(capacity_after(1_000) >= 1_000);
        assert_eq!(capacity_after(2 * KEPT_BUFFER_BYTES), 0);
    }

    #[test]
    fn who_borrows_while_it_is_lent_gets_another() {
        let mut outer = Scratch::lend();
        outer.payload.push(1);
        assert!(Scratch::lend().payload.is_empty());
        assert_eq!(outer.payload, [1]);
    }
}
