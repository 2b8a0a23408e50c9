//! What is measured: counts a second, and latencies. One per thread, added up at the end.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::clock::Moment;
use super::limits::{LONGEST_LATENCY, MOST_SECONDS};
use super::stage::Start;

/// Significant digits of the percentiles of a run, and of those of one of its seconds.
const DIGITS: u8 = 3;
const DIGITS_OF_A_SECOND: u8 = 2;

/// Latencies in nanoseconds.
pub(super) type Latencies = Histogram<u64>;

/// Figures of one thread, or of all.
pub(super) struct Figures {
    start: Start,
    /// All that was sent and received, warm-up included.
    pub(super) sent: u64,
    pub(super) received: u64,
    /// After the warm-up.
    pub(super) measured_sent: u64,
    pub(super) measured_received: u64,
    pub(super) sent_by_second: Vec<u64>,
    pub(super) received_by_second: Vec<u64>,
    pub(super) send: Latencies,
    pub(super) send_by_second: Vec<Histogram<u32>>,
    pub(super) end_to_end: Latencies,
    /// Of the measured.
    pub(super) last_sent: Option<Moment>,
    pub(super) first_received: Option<Moment>,
    pub(super) last_received: Option<Moment>,
    /// Warm-up included.
    pub(super) first_message: Option<Moment>,
}

impl Figures {
    /// None yet.
    pub(super) fn new(start: Start) -> Self {
        Self {
            start,
            sent: 0,
            received: 0,
            measured_sent: 0,
            measured_received: 0,
            sent_by_second: Vec::new(),
            received_by_second: Vec::new(),
            send: histogram(DIGITS),
            send_by_second: Vec::new(),
            end_to_end: histogram(DIGITS),
            last_sent: None,
            first_received: None,
            last_received: None,
            first_message: None,
        }
    }

    /// Messages were confirmed or, where nobody confirms, handed to the socket.
    pub(super) fn sent(&mut self, count: u64, now: Moment) {
        self.sent += count;
        if now < self.start.measured {
            return;
        }
        self.measured_sent += count;
        self.last_sent = Some(now);
        let second = self.second(now);
        add(&mut self.sent_by_second, second, count);
    }

    /// The answer to a message that was due then.
    pub(super) fn answered(&mut self, due: Moment, now: Moment) {
        if due < self.start.measured {
            return;
        }
        let latency = nanoseconds(now.since(due));
        self.send.saturating_record(latency);
        let second = self.second(now);
        if second < MOST_SECONDS {
            while self.send_by_second.len() <= second {
                self.send_by_second.push(histogram(DIGITS_OF_A_SECOND));
            }
            self.send_by_second[second].saturating_record(latency);
        }
    }

    /// The last confirmation of everything.
    pub(super) fn all_confirmed(&mut self, now: Moment) {
        if self.last_sent.is_some() {
            self.last_sent = self.last_sent.max(Some(now));
        }
    }

    /// A message arrived that was sent so long ago, if that is known.
    pub(super) fn received(&mut self, age: Option<Duration>, now: Moment) {
        self.received += 1;
        self.first_message.get_or_insert(now);
        if now < self.start.measured {
            return;
        }
        self.measured_received += 1;
        self.first_received.get_or_insert(now);
        self.last_received = Some(now);
        let second = self.second(now);
        add(&mut self.received_by_second, second, 1);
        if let Some(age) = age {
            self.end_to_end.saturating_record(nanoseconds(age));
        }
    }

    /// Adds another thread's.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.measured_sent += other.measured_sent;
        self.measured_received += other.measured_received;
        for (second, &count) in other.sent_by_second.iter().enumerate() {
            add(&mut self.sent_by_second, second, count);
        }
        for (second, &count) in other.received_by_second.iter().enumerate() {
            add(&mut self.received_by_second, second, count);
        }
        // Same digits and bounds, so adding cannot fail.
        let _ = self.send.add(&other.send);
        let _ = self.end_to_end.add(&other.end_to_end);
        for (second, latencies) in other.send_by_second.iter().enumerate() {
            match self.send_by_second.get_mut(second) {
                Some(known) => drop(known.add(latencies)),
                None => self.send_by_second.push(latencies.clone()),
            }
        }
        self.last_sent = self.last_sent.max(other.last_sent);
        self.last_received = self.last_received.max(other.last_received);
        self.first_received = earlier(self.first_received, other.first_received);
        self.first_message = earlier(self.first_message, other.first_message);
    }

    /// When they began to count.
    pub(super) fn start(&self) -> Start {
        self.start
    }

    fn second(&self, now: Moment) -> usize {
        let seconds = now.since(self.start.measured).as_secs();
        usize::try_from(seconds).unwrap_or(usize::MAX)
    }
}

/// None yet, with as many digits as a second's.
pub(super) fn coarse() -> Latencies {
    histogram(DIGITS_OF_A_SECOND)
}

fn histogram<C: hdrhistogram::Counter>(digits: u8) -> Histogram<C> {
    let most = nanoseconds(LONGEST_LATENCY);
    // A microsecond is as fine as anybody asks.
    Histogram::new_with_bounds(1_000, most, digits)
        .expect("the bounds and digits are constants that it accepts")
}

fn add(series: &mut Vec<u64>, second: usize, count: u64) {
    if second >= MOST_SECONDS {
        return;
    }
    if series.len() <= second {
        series.resize(second + 1, 0);
    }
    series[second] += count;
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn figures() -> Figures {
        Figures::new(Start {
            at: Moment(0),
            measured: Moment(2 * SECOND),
            end: None,
        })
    }

    #[test]
    fn the_warm_up_counts_in_the_totals_only() {
        let mut figures = figures();
        figures.sent(5, Moment(SECOND));
        figures.answered(Moment(SECOND), Moment(3 * SECOND));
        figures.received(None, Moment(SECOND));
        assert_eq!((figures.sent, figures.received), (5, 1));
        assert_eq!((figures.measured_sent, figures.measured_received), (0, 0));
        assert_eq!(figures.send.len(), 0);
        assert_eq!(figures.first_message, Some(Moment(SECOND)));
        assert_eq!(figures.last_sent, None);
    }

    #[test]
    fn threads_add_up_second_by_second() {
        let (mut one, mut two) = (figures(), figures());
        let at = |second: u64| Moment(second * SECOND);
        one.sent(5, at(2));
        one.sent(1, at(4));
        one.answered(at(2), Moment(2 * SECOND + 1_000_000));
        two.sent(2, at(5));
        two.answered(at(4), Moment(5 * SECOND));
        two.received(Some(Duration::from_millis(1)), at(3));
        one.received(Some(Duration::from_secs(5_000)), at(6));
        one.merge(&two);
        assert_eq!(one.sent_by_second, [5, 0, 1, 2]);
        assert_eq!(one.received_by_second, [0, 1, 0, 0, 1]);
        assert_eq!((one.measured_sent, one.send.len()), (8, 2));
        assert_eq!(one.send_by_second.len(), 4);
        assert_eq!(
            (one.last_sent, one.first_received),
            (Some(at(5)), Some(at(3)))
        );
        assert_eq!(one.last_received, Some(at(6)));
        let longest = one.end_to_end.max();
        let limit = nanoseconds(LONGEST_LATENCY);
        assert!(longest >= limit && longest < limit + limit / 100);
    }
}
