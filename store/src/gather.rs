//! How long the next batch waits for company, on disks where a sync is dear.
//!
//! Producers that wait for answers come in flocks: the batch just answered sends most of its producers back within a
//! moment, while others wait already. Without a pause the two halves take turns for ever, each paying two syncs for one
//! message; a pause of up to one sync brings them together. Where they do not come back the pause shrinks to nothing,
//! and is tried again now and then. On a fast disk there is none: the batch that syncs is pause enough. It never delays
//! an answer, only the start of a write.

use std::time::Duration;

use crate::limits;

/// What the last writes took, how many were answered by the last one, and whether waiting has paid.
pub(crate) struct Gather {
    recent: [Duration; limits::GATHER_HISTORY],
    at: usize,
    answered: usize,
    /// The pause, in parts of a sync.
    share: u32,
    /// Batches until the next try, once the pause has shrunk to nothing.
    rest: u32,
}

/// So many more are expected, and waited for no longer than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) units: usize,
    pub(crate) time: Duration,
}

impl Gather {
    pub(crate) fn new() -> Self {
        Self {
            recent: [Duration::ZERO; limits::GATHER_HISTORY],
            at: 0,
            answered: 0,
            share: limits::GATHER_SHARES,
            rest: 0,
        }
    }

    /// A batch was written and synced, and this many wait for its answers. What its bytes took is no sync.
    pub(crate) fn wrote(&mut self, took: Duration, bytes: usize, answered: usize) {
        let moving = Duration::from_nanos(bytes as u64) * limits::GATHER_NS_PER_BYTE;
        self.recent[self.at] = took.saturating_sub(moving);
        self.at = (self.at + 1) % self.recent.len();
        self.answered = answered;
        self.rest = self.rest.saturating_sub(1);
    }

    /// None on a fast disk, and where nobody was answered or nobody comes back. The shortest of the last writes counts:
    /// one that was slow by chance says nothing about the next.
    pub(crate) fn patience(&self) -> Option<Patience> {
        let sync = self.recent.iter().min().copied().unwrap_or_default();
        if sync < limits::GATHER_FROM || self.answered == 0 || self.rest > 0 {
            return None;
        }
        let time = sync * self.share / limits::GATHER_SHARES;
        Some(Patience {
            units: self.answered,
            time: time.min(limits::GATHER_LONGEST),
        })
    }

    /// Of those expected so many came while they were waited for.
    pub(crate) fn waited(&mut self, patience: Patience, came: usize) {
        if came * 2 >= patience.units {
            self.share = (self.share * 2).min(limits::GATHER_SHARES);
        } else if self.share > 1 {
            self.share /= 2;
        } else {
            self.rest = limits::GATHER_REST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times: impl IntoIterator<Item = Duration>, answered: usize) -> Gather {
        let mut gather = Gather::new();
        for took in times {
            gather.wrote(took, 0, answered);
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
            gather.wrote(Duration::from_micros(900), 1 << 20, 5);
        }
        assert_eq!(gather.patience(), None);
    }

    #[test]
    fn a_slow_disk_waits_up_to_a_sync_for_those_just_answered() {
        let time = Duration::from_millis(1);
        let patience = after(SLOW, 5).patience();
        assert_eq!(patience, Some(Patience { units: 5, time }));
        assert_eq!(after(SLOW, 0).patience(), None);
        let slowest = after([Duration::from_secs(1); 20], 5);
        let longest = slowest.patience().expect("slow").time;
        assert_eq!(longest, limits::GATHER_LONGEST);
    }

    #[test]
    fn waiting_in_vain_shrinks_the_pause_to_nothing_and_is_tried_again() {
        let mut gather = after(SLOW, 8);
        let mut waited = 0;
        while let Some(patience) = gather.patience() {
            gather.waited(patience, 1);
            waited += 1;
            assert!(waited < 10, "it waits for ever");
        }
        for _ in 0..limits::GATHER_REST {
            assert_eq!(gather.patience(), None);
            gather.wrote(SLOW[0], 0, 8);
        }
        let again = gather.patience().expect("a new try");
        assert_eq!(again.time, SLOW[0] / limits::GATHER_SHARES);
        gather.waited(again, 4);
        let more = gather.patience().expect("it paid");
        assert_eq!(more.time, again.time * 2);
    }
}
