//! What follows from a change of a queue and must not happen under its lock:
//! other queues, the store, threads and sockets come after it.

use std::sync::Arc;

use store::{QueueId, Seq};

use crate::dead_letter::DeadLetter;
use crate::destination::Queue;
use crate::touched::Touched;

/// Gathered under queue locks, carried out by `Engine::settle`.
#[derive(Default)]
pub(crate) struct Effects {
    /// Outboxes that got something. Not settled: whoever owns the effects
    /// flushes them when the burst or batch is done.
    pub(crate) touched: Touched,
    /// Bytes of messages that came into memory.
    pub(crate) loaded: usize,
    /// Bytes of messages that left it.
    pub(crate) released: usize,
    /// Messages on their way to the dead letter queue.
    pub(crate) dead: Vec<DeadLetter>,
    /// Dispatch marks to submit.
    pub(crate) marks: Vec<(Arc<Queue>, Seq)>,
    /// Messages consumed outside the usual way, to be removed from the store.
    pub(crate) removed: Vec<(QueueId, Seq)>,
    /// Redelivery counts to write down, nobody waits for it.
    pub(crate) redelivered: Vec<(QueueId, Seq, u32)>,
    /// Queues that want a page of the store.
    pub(crate) pages: Vec<Arc<Queue>>,
    /// Queues with a browser that can be shown more.
    pub(crate) browsers: Vec<Arc<Queue>>,
}

impl Effects {
    /// Nothing to settle.
    pub(crate) fn is_settled(&self) -> bool {
        self.loaded == 0
            && self.released == 0
            && self.dead.is_empty()
            && self.marks.is_empty()
            && self.removed.is_empty()
            && self.redelivered.is_empty()
            && self.pages.is_empty()
            && self.browsers.is_empty()
    }
}
