//! When the next message is due, for a run with a rate.
//!
//! Due times are fixed in advance and never move, so a broker that stalls does not slow the questions down that it is
//! asked; latencies count from them. A kernel timer is used because the runtime's own has a grain of a millisecond,
//! which would be most of what is measured.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::clock::{Clock, Moment};

/// One producer's schedule.
pub(super) struct Pace {
    clock: Clock,
    start: Moment,
    /// Between two messages of this producer, and before its first.
    step_nanoseconds: f64,
    offset_nanoseconds: f64,
    timer: AsyncFd<OwnedFd>,
}

impl Pace {
    /// The schedule of producer `index` of `producers`, who share `rate` messages a second evenly.
    #[expect(
        deprecated,
        reason = "its flaw are types that change their descriptor, which this cannot; its successor is unsafe to call"
    )]
    pub(super) fn new(
        clock: Clock,
        start: Moment,
        rate: u32,
        index: usize,
        producers: usize,
    ) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let step = 1e9 / f64::from(rate);
        Ok(Self {
            clock,
            start,
            step_nanoseconds: step * producers as f64,
            offset_nanoseconds: step * index as f64,
            timer: AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)?,
        })
    }

    /// When message `number`, from 0, is due.
    pub(super) fn due(&self, number: u64) -> Moment {
        let nanoseconds = self.offset_nanoseconds + self.step_nanoseconds * number as f64;
        self.start.plus(Duration::from_secs_f64(nanoseconds / 1e9))
    }

    /// Waits for a moment.
    pub(super) async fn wait(&self, due: Moment) -> io::Result<()> {
        loop {
            let left = due.since(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            self.set(left)?;
            let mut guard = self.timer.readable().await?;
            let read = |timer: &AsyncFd<OwnedFd>| {
                let mut expirations = [0; 8];
                rustix::io::read(timer.get_ref(), &mut expirations)?;
                Ok(())
            };
            // "Would block" means that it was woken too early: set it anew.
            if let Ok(outcome) = guard.try_io(read) {
                outcome?;
            }
        }
    }

    fn set(&self, left: Duration) -> io::Result<()> {
        let none = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let time = Itimerspec {
            it_interval: none,
            it_value: Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            },
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &time)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn producers_take_turns_and_nothing_is_early() {
        let clock = Clock::start();
        let start = Moment(1_000);
        let pace = |index| Pace::new(clock, start, 1_000, index, 2).unwrap();
        let (one, two) = (pace(0), pace(1));
        let due = |pace: &Pace, number| pace.due(number).since(start).as_micros();
        assert_eq!(
            [due(&one, 0), due(&two, 0), due(&one, 1), due(&two, 1)],
            [0, 1_000, 2_000, 3_000]
        );
        two.wait(two.due(5)).await.unwrap();
        assert!(clock.now() >= two.due(5));
        one.wait(start).await.unwrap();
    }
}
