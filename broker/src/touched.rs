//! The outboxes that got something and are still to be flushed: everything of
//! a batch is pushed first, then each socket is written once.

use std::collections::HashSet;
use std::sync::Arc;

use crate::limits::INLINE_FLUSHES;
use crate::outbox::Outbox;

/// Up to this many, looking through the list is quicker than hashing.
const FEW: usize = 16;

/// A set of outboxes, in the order of their first touch.
#[derive(Default)]
pub(crate) struct Touched {
    list: Vec<Arc<Outbox>>,
    /// Addresses of all in the list, once they are many.
    known: HashSet<usize>,
}

impl Touched {
    pub(crate) fn add(&mut self, outbox: &Arc<Outbox>) {
        // Mostly the same one again: deliveries come in runs.
        if self
            .list
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, outbox))
            || self.knows(outbox)
        {
            return;
        }
        self.list.push(Arc::clone(outbox));
        match self.list.len() {
            many if many > FEW + 1 => {
                self.known.insert(Arc::as_ptr(outbox).addr());
            }
            just_many if just_many == FEW + 1 => {
                let addresses = self.list.iter().map(|known| Arc::as_ptr(known).addr());
                self.known.extend(addresses);
            }
            _ => {}
        }
    }

    fn knows(&self, outbox: &Arc<Outbox>) -> bool {
        if self.list.len() > FEW {
            return self.known.contains(&Arc::as_ptr(outbox).addr());
        }
        self.list.iter().any(|known| Arc::ptr_eq(known, outbox))
    }

    /// Leaves out one that its own thread flushes.
    pub(crate) fn forget(&mut self, outbox: &Arc<Outbox>) {
        self.list.retain(|known| !Arc::ptr_eq(known, outbox));
        self.known.remove(&Arc::as_ptr(outbox).addr());
    }

    /// Writes the first few on this thread and leaves the rest to their own
    /// tasks. Call it without any lock: a socket that takes bytes again calls
    /// back into the engine.
    pub(crate) fn flush(&mut self) {
        self.flush_first(INLINE_FLUSHES);
    }

    /// Like [`Touched::flush`], with `inline` as the few.
    pub(crate) fn flush_first(&mut self, inline: usize) {
        self.known.clear();
        for (index, outbox) in self.list.drain(..).enumerate() {
            if index < inline {
                outbox.flush()
            } else {
                outbox.wake()
            }
        }
    }

    /// Leaves all of them to their own tasks.
    pub(crate) fn wake(&mut self) {
        self.known.clear();
        self.list.drain(..).for_each(|outbox| outbox.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_listed_once_few_or_many() {
        let boxes: Vec<_> = (0..40).map(|_| Outbox::recording()).collect();
        let mut touched = Touched::default();
        for _ in 0..3 {
            for outbox in &boxes {
                touched.add(outbox);
                touched.add(outbox);
            }
        }
        assert_eq!(touched.list.len(), 40);
        touched.forget(&boxes[7]);
        assert_eq!(touched.list.len(), 39);
        touched.flush();
        assert!(touched.list.is_empty());
        touched.add(&boxes[0]);
        assert_eq!(touched.list.len(), 1);
    }
}
