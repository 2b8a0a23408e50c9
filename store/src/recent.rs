//! What the last few of something took.

use std::time::Duration;

use crate::limits;

/// The last times of something that happens again and again; before it did, it took no time.
#[derive(Default)]
pub(crate) struct Recent {
    times: [Duration; limits::RECENT as usize],
    at: usize,
}

impl Recent {
    /// Forgets the oldest. One that took very long is an accident, and says little about those to come.
    pub(crate) fn add(&mut self, took: Duration) {
        self.times[self.at] = took.min(limits::RECENT_LONGEST);
        self.at = (self.at + 1) % self.times.len();
    }

    pub(crate) fn mean(&self) -> Duration {
        self.times.iter().sum::<Duration>() / limits::RECENT
    }

    pub(crate) fn shortest(&self) -> Duration {
        self.times.iter().min().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_the_last_few_only_and_an_accident_counts_little() {
        let mut recent = Recent::default();
        recent.add(Duration::from_secs(9));
        assert_eq!(recent.mean(), limits::RECENT_LONGEST / limits::RECENT);
        assert_eq!(recent.shortest(), Duration::ZERO);
        for millis in 0..=limits::RECENT {
            recent.add(Duration::from_millis(1 + u64::from(millis % 2)));
        }
        assert_eq!(recent.shortest(), Duration::from_millis(1));
        assert_eq!(recent.mean(), Duration::from_micros(1500));
    }
}
