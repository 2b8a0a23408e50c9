//! How long the next batch waits for company, on disks where a sync is dear.
//!
//! Producers that wait for answers come in flocks: the batch just answered sends most of its producers back within a
//! moment, while others wait already. Without a pause the two halves take turns for ever, each paying two syncs for one
//! message; a pause of up to one sync brings them together. The last few get as long again: of them each round would else
//! leave some behind. Where they do not come back either pause shrinks to nothing, and is tried again now and then. On a
//! fast disk there is none: the batch that syncs is pause enough. What is durable never waits for it, only what is to be
//! written, for 4 ms at most.

use std::time::Duration;

use crate::limits;

/// What the last writes took, how many were answered by the last one, and whether waiting has paid.
pub(crate) struct Gather {
    recent: [Duration; limits::GATHER_HISTORY],
    at: usize,
    /// By the last batch, until they were waited for.
    answered: usize,
    /// Those that had come during the write, before anybody was answered.
    waiting: usize,
    /// The pause, in parts of a sync.
    share: u32,
    /// Batches until the next try, once the pause has shrunk to nothing.
    rest: u32,
    /// And once the last few were waited for in vain.
    few_rest: u32,
}

/// So many are expected to come together, and waited for no longer than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) units: usize,
    pub(crate) time: Duration,
    /// So much longer for the last few.
    pub(crate) few: Duration,
}

impl Patience {
    /// Whether no more than a few are still to come.
    pub(crate) fn is_few_short(self, together: usize) -> bool {
        (self.units - together.min(self.units)) * limits::GATHER_FEW <= self.units
    }
}

impl Gather {
    pub(crate) fn new() -> Self {
        Self {
            recent: [Duration::ZERO; limits::GATHER_HISTORY],
            at: 0,
            answered: 0,
            waiting: 0,
            share: limits::GATHER_SHARES,
            rest: 0,
            few_rest: 0,
        }
    }

    /// A batch was written and synced. So many are answered now, and so many wait already: who is counted after the first
    /// answer may be both. What the batch's bytes took is no sync.
    pub(crate) fn wrote(&mut self, took: Duration, bytes: usize, answered: usize, waiting: usize) {
        let moving = Duration::from_nanos(bytes as u64) * limits::GATHER_NS_PER_BYTE;
        self.recent[self.at] = took.saturating_sub(moving);
        self.at = (self.at + 1) % self.recent.len();
        self.answered = answered;
        self.waiting = waiting;
        self.rest = self.rest.saturating_sub(1);
        self.few_rest = self.few_rest.saturating_sub(1);
    }

    /// None on a fast disk, and where nobody was answered or nobody comes back. The shortest of the last writes counts:
    /// one that was slow by chance says nothing about the next.
    pub(crate) fn patience(&self) -> Option<Patience> {
        let sync = self.recent.iter().min().copied().unwrap_or_default();
        if sync < limits::GATHER_FROM || self.answered == 0 || self.rest > 0 {
            return None;
        }
        let time = (sync * self.share / limits::GATHER_SHARES).min(limits::GATHER_LONGEST);
        let few = if self.few_rest == 0 {
            time
        } else {
            Duration::ZERO
        };
        let units = self.waiting + self.answered;
        Some(Patience { units, time, few })
    }

    /// So many were together in the end. Whoever did not come now is not waited for again before the next batch: one
    /// without a record answers nobody new.
    pub(crate) fn waited(&mut self, patience: Patience, together: usize) {
        let in_vain = together < patience.units && patience.is_few_short(together);
        if in_vain && !patience.few.is_zero() {
            self.few_rest = limits::GATHER_FEW_REST;
        }
        let came_back = together.saturating_sub(self.waiting);
        if came_back * 2 >= self.answered {
            self.share = (self.share * 2).min(limits::GATHER_SHARES);
        } else if self.share > 1 {
            self.share /= 2;
        } else {
            self.rest = limits::GATHER_REST;
        }
        self.answered = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times: impl IntoIterator<Item = Duration>, answered: usize) -> Gather {
        let mut gather = Gather::new();
        for took in times {
            gather.wrote(took, 0, answered, 0);
        }
        gather
    }

    const SLOW: [Duration; 20] = [Duration::from_millis(1); 20];

    #[test]
    fn a_fast_disk_never_waits() {
        assert_eq!(after([], 5).patience(), None);
        let fast = [Duration::from_micros(80); 20];
        assert_eq!(after(fast, 5).patience(), None);
    }

    #[test]
    fn one_slow_write_does_not_make_a_slow_disk() {
        let mut times = [Duration::from_micros(80); 20];
        times[19] = Duration::from_millis(40);
        assert_eq!(after(times, 5).patience(), None);
    }

    #[test]
    fn large_batches_do_not_make_a_slow_disk() {
        let mut gather = Gather::new();
        for _ in 0..20 {
            gather.wrote(Duration::from_micros(900), 1 << 20, 5, 0);
        }
        assert_eq!(gather.patience(), None);
    }

    #[test]
    fn a_slow_disk_waits_up_to_a_sync_for_those_just_answered() {
        let (time, few) = (SLOW[0], SLOW[0]);
        let units = 5;
        let patience = after(SLOW, units).patience();
        assert_eq!(patience, Some(Patience { units, time, few }));
        assert_eq!(after(SLOW, 0).patience(), None);
        let slowest = after([Duration::from_secs(1); 20], 5);
        let longest = slowest.patience().expect("slow").time;
        assert_eq!(longest, limits::GATHER_LONGEST);
    }

    #[test]
    fn it_expects_those_just_answered_and_those_who_waited_meanwhile() {
        let mut gather = after(SLOW, 5);
        gather.wrote(SLOW[0], 0, 60, 4);
        assert_eq!(gather.patience().expect("slow").units, 64);
    }

    #[test]
    fn those_who_waited_anyway_do_not_count_as_having_come_back() {
        let mut gather = after(SLOW, 8);
        gather.wrote(SLOW[0], 0, 8, 20);
        let before = gather.patience().expect("slow");
        gather.waited(before, 20 + 3);
        gather.wrote(SLOW[0], 0, 8, 20);
        let after = gather.patience().expect("slow");
        assert_eq!(after.time, before.time / 2);
        gather.waited(after, 20 + 4);
        gather.wrote(SLOW[0], 0, 8, 20);
        assert_eq!(gather.patience().expect("slow").time, before.time);
    }

    #[test]
    fn nobody_is_waited_for_twice() {
        let mut gather = after(SLOW, 8);
        let patience = gather.patience().expect("slow");
        gather.waited(patience, 6);
        assert_eq!(gather.patience(), None);
        gather.wrote(SLOW[0], 0, 8, 0);
        assert!(gather.patience().is_some());
    }

    #[test]
    fn a_quarter_is_few() {
        let patience = after(SLOW, 64).patience().expect("slow");
        assert!(!patience.is_few_short(0));
        assert!(!patience.is_few_short(47));
        assert!(patience.is_few_short(48));
        assert!(patience.is_few_short(70), "more than expected");
    }

    #[test]
    fn the_last_few_are_not_waited_for_where_they_do_not_come() {
        let mut gather = after(SLOW, 8);
        let patience = gather.patience().expect("slow");
        gather.waited(patience, 8);
        gather.wrote(SLOW[0], 0, 8, 0);
        assert_eq!(gather.patience(), Some(patience), "all came");
        gather.waited(patience, 7);
        gather.wrote(SLOW[0], 0, 8, 0);
        for _ in 1..limits::GATHER_FEW_REST {
            let short = gather.patience().expect("slow");
            assert_eq!((short.time, short.few), (SLOW[0], Duration::ZERO));
            gather.waited(short, 7);
            gather.wrote(SLOW[0], 0, 8, 0);
        }
        assert_eq!(gather.patience(), Some(patience), "a new try");
    }

    #[test]
    fn waiting_in_vain_shrinks_the_pause_to_nothing_and_is_tried_again() {
        let mut gather = after(SLOW, 8);
        let mut waited = 0;
        while let Some(patience) = gather.patience() {
            assert_eq!(patience.units, 8);
            gather.waited(patience, 1);
            gather.wrote(SLOW[0], 0, 8, 0);
            waited += 1;
            assert!(waited < 10, "it waits for ever");
        }
        for _ in 1..limits::GATHER_REST {
            assert_eq!(gather.patience(), None);
            gather.wrote(SLOW[0], 0, 8, 0);
        }
        let again = gather.patience().expect("a new try");
        assert_eq!(again.time, SLOW[0] / limits::GATHER_SHARES);
        gather.waited(again, 4);
        gather.wrote(SLOW[0], 0, 8, 0);
        let more = gather.patience().expect("it paid");
        assert_eq!(more.time, again.time * 2);
    }
}
