//! The dispatch mark: how far deliveries of a queue can have gone, kept ahead
//! of need so that no delivery waits for a write of its own.
//!
//! Guarantee: nothing stored is dispatched at or above the durable mark; so
//! after a takeover everything that may have been seen is below it, and at
//! most one step of messages is flagged in vain.

use store::Seq;

use crate::limits::{MARK_AHEAD, MARK_STEP};

/// The mark of one queue.
#[derive(Debug)]
pub(crate) struct Mark {
    durable: Seq,
    submitted: Seq,
    /// What was there at the start and below the mark of the master before.
    suspect_below: Seq,
}

impl Mark {
    /// From what the store knew at the start.
    pub(crate) fn new(recovered: Seq, next_seq: Seq) -> Mark {
        Mark {
            durable: recovered,
            submitted: recovered,
            suspect_below: recovered.min(next_seq),
        }
    }

    /// May be dispatched.
    pub(crate) fn covers(&self, seq: Seq) -> bool {
        seq < self.durable
    }

    /// May have been seen under the master before this one.
    pub(crate) fn suspects(&self, seq: Seq) -> bool {
        seq < self.suspect_below
    }

    /// The mark to submit because deliveries reached, or are about to reach, this sequence.
    pub(crate) fn raise(&mut self, reached: Seq) -> Option<Seq> {
        if reached.0 + MARK_AHEAD < self.submitted.0 {
            return None;
        }
        self.submitted = Seq(reached.0 + MARK_STEP);
        Some(self.submitted)
    }

    /// A submitted mark is durable.
    pub(crate) fn settle(&mut self, mark: Seq) {
        self.durable = self.durable.max(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_raised_in_steps_ahead_of_need() {
        let mut mark = Mark::new(Seq(0), Seq(1));
        assert!(!mark.covers(Seq(1)));
        let first = mark.raise(Seq(1)).expect("nothing is covered");
        assert_eq!(first, Seq(1 + MARK_STEP));
        assert!(!mark.covers(Seq(1)), "not before it is durable");
        assert_eq!(mark.raise(Seq(2)), None, "submitted already");
        mark.settle(first);
        assert!(mark.covers(Seq(MARK_STEP)) && !mark.covers(first));
        assert_eq!(mark.raise(Seq(MARK_STEP - MARK_AHEAD)), None);
        assert!(
            mark.raise(Seq(first.0 - MARK_AHEAD)).is_some(),
            "ahead of need"
        );
    }

    #[test]
    fn suspects_only_what_existed() {
        let mark = Mark::new(Seq(1_001), Seq(11));
        assert!(mark.suspects(Seq(10)) && !mark.suspects(Seq(11)));
        assert!(mark.covers(Seq(11)));
        assert!(!Mark::new(Seq(5), Seq(11)).suspects(Seq(5)));
    }
}
