//! What of a queue is in memory and what is in the store only.
//!
//! Stored messages enter memory in the order of their sequences: below `next`
//! all have been loaded once, from `next` on none. So a message that was loaded
//! and has been acknowledged since can never be loaded a second time, and no
//! set of departed sequences is needed. The exception is a transaction that
//! spilled: its sequences were given out long before its commit. They are kept
//! in `staged` and not believed when a page shows them early; once committed,
//! those below `next` are `late` and are loaded before anything else.
//!
//! Pure bookkeeping: reading is done by `paging`.

use store::Seq;

use super::ranges::Ranges;

/// The reading position of one queue.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// First sequence that was not loaded from the store.
    next: Seq,
    /// Highest durable sequence that was left in the store.
    stored_through: Seq,
    /// Committed sequences below `next` that are in the store only.
    late: Ranges,
    /// Sequences of spilled transactions that have not ended.
    staged: Ranges,
    /// Committed while a page was being read: the page may or may not show
    /// them, so they stay staged until it is finished.
    ended: Ranges,
    /// A page is being read.
    reading: bool,
}

/// A page to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// First sequence that is wanted.
    pub(crate) from: Seq,
    late: bool,
    /// All that is wanted up to here was durable when the page was planned.
    through: Seq,
}

impl Cursor {
    /// The cursor of a queue of which nothing is in memory.
    pub(crate) fn new(first: Seq, next_seq: Seq) -> Cursor {
        Cursor {
            next: first,
            stored_through: Seq(next_seq.0.saturating_sub(1)),
            late: Ranges::default(),
            staged: Ranges::default(),
            ended: Ranges::default(),
            reading: false,
        }
    }

    /// Nothing is in the store only.
    pub(crate) fn caught_up(&self) -> bool {
        self.next > self.stored_through && self.late.is_empty()
    }

    pub(crate) fn is_reading(&self) -> bool {
        self.reading
    }

    /// Everything before this sequence is in memory, so it may be dispatched.
    pub(crate) fn is_in_order(&self, seq: Seq) -> bool {
        (self.next > self.stored_through || seq < self.next)
            && self.late.first().is_none_or(|late| seq < late)
    }

    /// A message became durable. True: it shall go into memory. False: it is
    /// left in the store, or a page has brought it already.
    pub(crate) fn arrive(&mut self, seq: Seq, room: bool) -> bool {
        if seq < self.next {
            return false;
        }
        if room && self.caught_up() {
            self.next = seq.next();
            return true;
        }
        self.stored_through = self.stored_through.max(seq);
        false
    }

    /// A sequence was given to a transaction that spills.
    pub(crate) fn stage(&mut self, seq: Seq) {
        self.staged.insert(seq);
    }

    /// A spilled transaction ended, and this sequence of it is durable or void.
    pub(crate) fn unstage(&mut self, seq: Seq, committed: bool) {
        if committed && self.reading {
            self.ended.insert(seq);
            return;
        }
        self.staged.remove(seq);
        if !committed {
            return;
        }
        if seq < self.next {
            self.late.insert(seq);
        } else {
            self.stored_through = self.stored_through.max(seq);
        }
    }

    /// Begins a page, when something is in the store only and none is being read.
    pub(crate) fn begin(&mut self) -> Option<Page> {
        if self.reading || self.caught_up() {
            return None;
        }
        self.reading = true;
        let late = self.late.first();
        Some(Page {
            from: late.unwrap_or(self.next),
            late: late.is_some(),
            through: self.stored_through,
        })
    }

    /// The page was read up to `last` (`None`: nothing was there). Afterwards
    /// [`Cursor::is_wanted`] no longer holds for its messages, so ask before.
    pub(crate) fn finish(&mut self, page: Page, last: Option<Seq>) {
        if page.late {
            // Nothing there: they were all durable, so none of them is left.
            self.late.remove_through(last.unwrap_or(Seq(u64::MAX)));
        } else {
            let end = last.unwrap_or(page.through).next();
            self.next = self.next.max(end);
        }
        self.stop_reading();
    }

    /// The page could not be read; it will be asked for again.
    pub(crate) fn give_up(&mut self) {
        self.stop_reading();
    }

    fn stop_reading(&mut self) {
        self.reading = false;
        for seq in std::mem::take(&mut self.ended).iter() {
            self.unstage(seq, true);
        }
    }

    /// Whether a message of this page is to be loaded.
    pub(crate) fn is_wanted(&self, page: Page, seq: Seq) -> bool {
        if page.late {
            self.late.contains(seq)
        } else {
            seq >= self.next && !self.staged.contains(seq)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Cursor {
        Cursor::new(Seq(1), Seq(1))
    }

    #[test]
    fn with_room_all_goes_to_memory() {
        let mut cursor = empty();
        assert!(cursor.caught_up());
        assert!(cursor.arrive(Seq(1), true) && cursor.arrive(Seq(2), true));
        assert!(cursor.caught_up() && cursor.begin().is_none());
    }

    #[test]
    fn without_room_the_rest_waits_for_pages_in_order() {
        let mut cursor = empty();
        assert!(cursor.arrive(Seq(1), true));
        assert!(!cursor.arrive(Seq(2), false));
        assert!(
            !cursor.arrive(Seq(3), true),
            "nothing overtakes what waits in the store"
        );
        assert!(cursor.is_in_order(Seq(1)) && !cursor.is_in_order(Seq(4)));
        let page = cursor.begin().expect("behind");
        assert_eq!(page.from, Seq(2));
        assert!(cursor.begin().is_none(), "one page at a time");
        // A message whose completion is still to come shows up in the page.
        assert!(cursor.is_wanted(page, Seq(4)));
        cursor.finish(page, Some(Seq(4)));
        assert!(cursor.caught_up());
        assert!(!cursor.arrive(Seq(4), true), "the page brought it");
        assert!(cursor.arrive(Seq(5), true));
    }

    #[test]
    fn an_empty_page_does_not_skip_what_arrived_meanwhile() {
        let mut cursor = Cursor::new(Seq(1), Seq(5));
        let page = cursor.begin().expect("behind");
        assert!(!cursor.arrive(Seq(5), true));
        cursor.finish(page, None);
        assert!(!cursor.caught_up());
        assert_eq!(cursor.begin().expect("5 is left").from, Seq(5));
    }

    #[test]
    fn a_spilled_transaction_is_loaded_late_and_first() {
        let mut cursor = empty();
        for seq in [2, 3, 9] {
            cursor.stage(Seq(seq));
        }
        assert!(cursor.arrive(Seq(1), true) && cursor.arrive(Seq(5), true));
        for seq in [2, 3, 9] {
            cursor.unstage(Seq(seq), true);
        }
        assert!(!cursor.caught_up() && cursor.is_in_order(Seq(1)) && !cursor.is_in_order(Seq(5)));
        let page = cursor.begin().expect("late ones");
        assert_eq!(page.from, Seq(2));
        assert!(cursor.is_wanted(page, Seq(2)) && !cursor.is_wanted(page, Seq(5)));
        cursor.finish(page, Some(Seq(5)));
        let page = cursor.begin().expect("9 is left");
        assert_eq!(page.from, Seq(6));
        cursor.finish(page, Some(Seq(9)));
        assert!(cursor.caught_up());
    }

    #[test]
    fn a_page_that_shows_a_commit_before_we_heard_of_it_is_not_believed() {
        let mut cursor = empty();
        cursor.stage(Seq(1));
        assert!(!cursor.arrive(Seq(2), false));
        let page = cursor.begin().expect("behind");
        assert!(!cursor.is_wanted(page, Seq(1)) && cursor.is_wanted(page, Seq(2)));
        cursor.finish(page, Some(Seq(2)));
        assert!(cursor.caught_up());
        cursor.unstage(Seq(1), true);
        let page = cursor.begin().expect("late");
        assert!(cursor.is_wanted(page, Seq(1)));
        cursor.finish(page, Some(Seq(2)));
        assert!(cursor.caught_up());
    }

    #[test]
    fn a_commit_while_a_page_is_read_is_neither_lost_nor_doubled() {
        let mut cursor = Cursor::new(Seq(5), Seq(9));
        cursor.stage(Seq(9));
        assert!(!cursor.arrive(Seq(10), true));
        let page = cursor.begin().expect("behind");
        cursor.unstage(Seq(9), true);
        assert!(!cursor.is_wanted(page, Seq(9)));
        cursor.finish(page, Some(Seq(10)));
        let page = cursor.begin().expect("9 is late now");
        assert_eq!(page.from, Seq(9));
        cursor.stage(Seq(7));
        cursor.unstage(Seq(7), true);
        cursor.finish(page, Some(Seq(9)));
        assert_eq!(cursor.begin().expect("7 came meanwhile").from, Seq(7));
    }

    #[test]
    fn a_rolled_back_one_leaves_no_trace() {
        let mut cursor = empty();
        cursor.stage(Seq(1));
        cursor.unstage(Seq(1), false);
        assert!(cursor.caught_up() && cursor.arrive(Seq(2), true));
    }
}
