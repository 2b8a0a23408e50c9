//! How long the next batch waits for company, on disks where a sync is dear.
//!
//! Producers that wait for answers come in flocks: the batch just answered sends most of its producers back within a
//! moment, while others wait already. Without a pause the two halves take turns for ever, each paying two syncs for one
//! message; a pause worth a small part of a sync brings them together. On a fast disk there is none: the batch that
//! syncs is pause enough. It never delays an answer, only the start of a write.

use std::time::Duration;

use crate::limits;

/// What the last writes took, and how many were answered by the last one.
pub(crate) struct Gather {
    recent: [Duration; limits::GATHER_HISTORY],
    at: usize,
    answered: usize,
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
        }
    }

    /// A batch was written and synced, and this many wait for its answers. What its bytes took is no sync.
    pub(crate) fn wrote(&mut self, took: Duration, bytes: usize, answered: usize) {
        let moving = Duration::from_nanos(bytes as u64) * limits::GATHER_NS_PER_BYTE;
        self.recent[self.at] = took.saturating_sub(moving);
        self.at = (self.at + 1) % self.recent.len();
        self.answered = answered;
    }

    /// None on a fast disk, and where nobody was answered. The shortest of the last writes counts: one that was slow by
    /// chance says nothing about the next.
    pub(crate) fn patience(&self) -> Option<Patience> {
        let sync = self.recent.iter().min().copied().unwrap_or_default();
        if sync < limits::GATHER_FROM || self.answered == 0 {
            return None;
        }
        let time = (sync / limits::GATHER_SHARE).min(limits::GATHER_LONGEST);
        Some(Patience {
            units: self.answered,
            time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times: impl IntoIterator<Item = Duration>, answered: usize) -> Option<Patience> {
        let mut gather = Gather::new();
        for took in times {
            gather.wrote(took, 4096, answered);
        }
        gather.patience()
    }

    #[test]
    fn a_fast_disk_never_waits() {
        assert_eq!(after([], 5), None);
        assert_eq!(after([Duration::from_micros(80); 20], 5), None);
    }

    #[test]
    fn one_slow_write_does_not_make_a_slow_disk() {
        let mut times = [Duration::from_micros(80); 20];
        times[19] = Duration::from_millis(40);
        assert_eq!(after(times, 5), None);
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
    fn a_slow_disk_waits_a_share_of_its_sync_for_those_just_answered() {
        let moving = Duration::from_nanos(4096) * limits::GATHER_NS_PER_BYTE;
        let time = (Duration::from_millis(1) - moving) / limits::GATHER_SHARE;
        let patience = after([Duration::from_millis(1); 20], 5);
        assert_eq!(patience, Some(Patience { units: 5, time }));
        assert_eq!(after([Duration::from_millis(1); 20], 0), None);
        let longest = after([Duration::from_secs(1); 20], 5).expect("slow");
        assert_eq!(longest.time, limits::GATHER_LONGEST);
    }
}
