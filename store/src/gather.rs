//! How long the next batch waits for company, on disks where a sync is dear.
//!
//! Producers that wait for answers come in flocks: the batch just answered sends most of its producers back within a
//! moment, while others wait already. Without a pause the two halves take turns for ever, each paying two syncs for one
//! message; a pause of up to one sync brings them together. It lasts up to four times as long while they keep coming,
//! because processors that are busy bring them later. Where they do not come back it shrinks to nothing, and is tried
//! again now and then. On a fast disk there is none: the batch that syncs is pause enough. What is durable never waits for
//! it, only what is to be written, for 4 ms at most.

use std::time::{Duration, Instant};

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
}

/// So many are expected to come together, and waited for this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) units: usize,
    pub(crate) time: Duration,
    /// While they keep coming.
    pub(crate) longest: Duration,
}

/// A pause as it goes: when to look next, and how many were together at the last look.
pub(crate) struct Pause {
    /// From here on it goes on only while they keep coming.
    due: Instant,
    last: Instant,
    between_looks: Duration,
    look: Instant,
    seen: usize,
}

impl Pause {
    pub(crate) fn begin(patience: Patience, now: Instant) -> Self {
        let between_looks = patience.time / limits::GATHER_LOOKS;
        let due = now + patience.time;
        Self {
            due,
            last: now + patience.longest,
            between_looks,
            look: due.checked_sub(between_looks).unwrap_or(due),
            seen: 0,
        }
    }

    /// How long to wait for those who are still to come; none when it is over.
    pub(crate) fn left(&mut self, now: Instant, together: usize) -> Option<Duration> {
        if now >= self.look {
            let came = together.saturating_sub(self.seen);
            // Whoever is left behind waits for a sync, but all who are here wait for them.
            let keep_coming = came * limits::GATHER_FLOW >= together.max(1);
            if now >= self.last || (now >= self.due && !keep_coming) {
                return None;
            }
            self.seen = together;
            let end = if now < self.due { self.due } else { self.last };
            self.look = (now + self.between_looks).min(end);
        }
        Some(self.look - now)
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
    }

    /// None on a fast disk, and where nobody was answered or nobody comes back. The shortest of the last writes counts:
    /// one that was slow by chance says nothing about the next.
    pub(crate) fn patience(&self) -> Option<Patience> {
        let sync = self.recent.iter().min().copied().unwrap_or_default();
        if sync < limits::GATHER_FROM || self.answered == 0 || self.rest > 0 {
            return None;
        }
        let time = (sync * self.share / limits::GATHER_SHARES).min(limits::GATHER_LONGEST);
        Some(Patience {
            units: self.waiting + self.answered,
            time,
            longest: (time * limits::GATHER_STRETCH).min(limits::GATHER_IN_ALL),
        })
    }

    /// So many were together in the end; none when something else ended it, from which nothing is learnt. Whoever did not
    /// come now is not waited for again before the next batch: one without a record answers nobody new.
    pub(crate) fn waited(&mut self, together: Option<usize>) {
        let answered = std::mem::take(&mut self.answered);
        let Some(together) = together else { return };
        let came_back = together.saturating_sub(self.waiting);
        if came_back * 2 >= answered {
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
        let patience = after(SLOW, 5).patience().expect("slow");
        assert_eq!((patience.units, patience.time), (5, SLOW[0]));
        assert_eq!(patience.longest, Duration::from_millis(4));
        assert_eq!(after(SLOW, 0).patience(), None);
        let slowest = after([Duration::from_secs(1); 20], 5);
        let patience = slowest.patience().expect("slow");
        assert_eq!(patience.time, limits::GATHER_LONGEST);
        assert_eq!(patience.longest, limits::GATHER_IN_ALL);
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
        gather.waited(Some(20 + 3));
        gather.wrote(SLOW[0], 0, 8, 20);
        let after = gather.patience().expect("slow");
        assert_eq!(after.time, before.time / 2);
        gather.waited(Some(20 + 4));
        gather.wrote(SLOW[0], 0, 8, 20);
        assert_eq!(gather.patience().expect("slow").time, before.time);
    }

    #[test]
    fn nobody_is_waited_for_twice() {
        let mut gather = after(SLOW, 8);
        assert!(gather.patience().is_some());
        gather.waited(Some(6));
        assert_eq!(gather.patience(), None);
        gather.wrote(SLOW[0], 0, 8, 0);
        assert!(gather.patience().is_some());
    }

    #[test]
    fn nothing_is_learnt_from_a_pause_that_something_else_ended() {
        let mut gather = after(SLOW, 8);
        let before = gather.patience();
        gather.waited(None);
        assert_eq!(gather.patience(), None, "not twice");
        gather.wrote(SLOW[0], 0, 8, 0);
        assert_eq!(gather.patience(), before);
    }

    /// A pause of 8 ms, 15 at most, that looks every 2, and the time after its beginning.
    fn pause() -> (Pause, impl Fn(u64) -> Instant) {
        let (ms, began) = (Duration::from_millis, Instant::now());
        let (units, time, longest) = (64, ms(8), ms(15));
        let patience = Patience {
            units,
            time,
            longest,
        };
        (Pause::begin(patience, began), move |at| began + ms(at))
    }

    #[test]
    fn it_goes_on_while_an_eighth_has_come_since_the_last_look() {
        let ms = |millis| Some(Duration::from_millis(millis));
        let (mut pause, at) = pause();
        assert_eq!(pause.left(at(0), 2), ms(6));
        assert_eq!(pause.left(at(5), 2), ms(1), "it is not time to look");
        assert_eq!(pause.left(at(7), 14), ms(1));
        assert_eq!(pause.left(at(8), 16), ms(2), "2 of 16 have come since");
        assert_eq!(pause.left(at(9), 17), ms(1));
        assert_eq!(pause.left(at(10), 19), ms(2));
        assert_eq!(pause.left(at(14), 30), ms(1), "no further than its longest");
        assert_eq!(pause.left(at(15), 60), None);
    }

    #[test]
    fn it_is_over_at_its_time_when_hardly_anybody_came_of_late() {
        let (mut early, at) = pause();
        assert!(early.left(at(6), 16).is_some());
        assert_eq!(early.left(at(8), 17), None, "1 of 17 since the last look");
        let (mut nobody, at) = pause();
        assert!(nobody.left(at(6), 0).is_some());
        assert_eq!(nobody.left(at(8), 0), None);
    }

    #[test]
    fn a_look_that_is_late_counts_from_the_beginning() {
        let (mut late, at) = pause();
        assert!(
            late.left(at(9), 8).is_some(),
            "this thread came late itself"
        );
        assert_eq!(late.left(at(17), 64), None);
    }

    #[test]
    fn waiting_in_vain_shrinks_the_pause_to_nothing_and_is_tried_again() {
        let mut gather = after(SLOW, 8);
        let mut waited = 0;
        while let Some(patience) = gather.patience() {
            assert_eq!(patience.units, 8);
            gather.waited(Some(1));
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
        gather.waited(Some(4));
        gather.wrote(SLOW[0], 0, 8, 0);
        let more = gather.patience().expect("it paid");
        assert_eq!(more.time, again.time * 2);
    }
}
