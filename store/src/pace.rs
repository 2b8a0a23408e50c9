//! Whether batches follow each other closely.
//!
//! Then it costs more than it spares that processors fall asleep in between: a message needs several wake-ups, the end of its sync
//! being one, and on a virtual machine they were 100 us of a lone producer's 245. Only batches that somebody waits for count; at
//! a slower pace sleeping is cheap.

use std::time::Instant;

use crate::limits;

/// The store is busy after a run of close steps from batch to batch, and no longer after a pause or some that were not close.
#[derive(Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
    /// Close steps; one that is not takes several away.
    run: u32,
    busy: bool,
}

impl Pace {
    /// A batch that so many wait for is about to be written. Says so when the store becomes busy by that, or no longer is.
    pub(crate) fn began(&mut self, now: Instant, waiters: usize) -> Option<bool> {
        if waiters == 0 {
            let is_over = self.until().is_some_and(|until| until <= now);
            return if is_over { self.paused() } else { None };
        }
        let last = self.last.replace(now);
        let is_close = last.is_some_and(|last| now - last <= limits::BUSY_STEP);
        self.run = if is_close {
            limits::BUSY_RUN.min(self.run + 1)
        } else {
            self.run.saturating_sub(limits::BUSY_STUMBLE)
        };
        match self.run {
            0 => self.becomes(false),
            limits::BUSY_RUN => self.becomes(true),
            _ => None,
        }
    }

    /// While the store is busy: when it no longer is unless another batch has come.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.last
            .filter(|_| self.busy)
            .map(|last| last + limits::BUSY_END)
    }

    /// None had come by then.
    pub(crate) fn paused(&mut self) -> Option<bool> {
        self.run = 0;
        self.becomes(false)
    }

    fn becomes(&mut self, busy: bool) -> Option<bool> {
        let was = std::mem::replace(&mut self.busy, busy);
        (was != busy).then_some(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const CLOSE: Duration = limits::BUSY_STEP;
    const FAR: Duration = Duration::from_micros(2_001);
    const NONE: [bool; 0] = [];

    /// Batches at these distances, and what they changed.
    fn news(pace: &mut Pace, now: &mut Instant, steps: &[Duration]) -> Vec<bool> {
        let step = |step: &Duration| {
            *now += *step;
            pace.began(*now, 1)
        };
        steps.iter().filter_map(step).collect()
    }

    fn busy() -> (Pace, Instant) {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let steps = [CLOSE; limits::BUSY_RUN as usize];
        assert_eq!(pace.began(now, 1), None, "the first");
        assert_eq!(news(&mut pace, &mut now, &steps[1..]), NONE);
        assert_eq!(pace.until(), None, "one is missing");
        assert_eq!(news(&mut pace, &mut now, &steps[..1]), [true]);
        (pace, now)
    }

    #[test]
    fn a_run_of_close_batches_makes_it_busy_once() {
        let (mut pace, mut now) = busy();
        assert_eq!(news(&mut pace, &mut now, &[CLOSE; 100]), NONE);
        assert_eq!(pace.until(), Some(now + limits::BUSY_END));
    }

    #[test]
    fn slow_batches_never_do() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        assert_eq!(news(&mut pace, &mut now, &[FAR; 100]), NONE);
        assert_eq!(news(&mut pace, &mut now, &[CLOSE, FAR].repeat(100)), NONE);
        assert_eq!(pace.until(), None);
    }

    #[test]
    fn a_stumble_is_forgiven_and_several_are_not() {
        let (mut pace, mut now) = busy();
        let recovered = [&[FAR][..], &[CLOSE; limits::BUSY_STUMBLE as usize]].concat();
        assert_eq!(news(&mut pace, &mut now, &recovered.repeat(10)), NONE);
        assert_eq!(news(&mut pace, &mut now, &[FAR; 3]), NONE);
        assert_eq!(news(&mut pace, &mut now, &[FAR; 3]), [false]);
        assert_eq!(pace.until(), None);
    }

    #[test]
    fn what_nobody_waits_for_does_not_count() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        assert!((0..100).all(|_| pace.began(now, 0).is_none()));
        assert_eq!(news(&mut pace, &mut now, &[CLOSE]), NONE);
        let (mut pace, now) = busy();
        assert_eq!(pace.began(now + CLOSE, 0), None);
        assert_eq!(pace.until(), Some(now + limits::BUSY_END));
    }

    #[test]
    fn nor_does_it_hide_a_pause_of_the_others() {
        let (mut pace, now) = busy();
        assert_eq!(pace.began(now + limits::BUSY_END, 0), Some(false));
        assert_eq!(pace.until(), None);
    }

    #[test]
    fn a_pause_ends_it_and_another_run_is_needed() {
        let (mut pace, mut now) = busy();
        assert_eq!(pace.paused(), Some(false));
        assert_eq!(pace.paused(), None, "known");
        let steps = [CLOSE; limits::BUSY_RUN as usize];
        assert_eq!(news(&mut pace, &mut now, &steps[1..]), NONE);
        assert_eq!(news(&mut pace, &mut now, &steps[..1]), [true]);
    }
}
