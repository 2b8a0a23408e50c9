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
