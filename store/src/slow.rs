//! Says when the disk is slow: while a durable write takes long, every client waits.

use std::time::{Duration, Instant};

use crate::limits::{NOTED_WRITE, SLOW_WRITE, SLOW_WRITE_SILENCE};

/// Durable writes that took long. Lines about them are rate-limited: a disk that is slow is slow often.
#[derive(Default)]
pub(crate) struct SlowWrites {
    said: Option<Instant>,
    suppressed: u64,
}

impl SlowWrites {
    /// A batch of so many bytes on disk took so long to write and sync.
    pub(crate) fn wrote(&mut self, took: Duration, bytes: u64) {
        if took < NOTED_WRITE {
            return;
        }
        // A wider number would be a string in JSON.
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if took < SLOW_WRITE {
            tracing::debug!(
                event = "write.noted",
                ms,
                bytes,
                "a durable write took long"
            );
        } else if let Some(suppressed) = self.turn(Instant::now()) {
            tracing::warn!(
                event = "store.slow",
                ms,
                bytes,
                suppressed,
                "the disk is slow: clients waited for a durable write"
            );
        }
    }

    /// How many lines were left out since the last one; none if this one is to be left out too.
    fn turn(&mut self, now: Instant) -> Option<u64> {
        if self
            .said
            .is_some_and(|said| now - said < SLOW_WRITE_SILENCE)
        {
            self.suppressed += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rate_limited_and_what_is_left_out_is_counted() {
        let mut slow = SlowWrites::default();
        let began = Instant::now();
        assert_eq!(slow.turn(began), Some(0));
        assert_eq!(slow.turn(began + SLOW_WRITE_SILENCE / 2), None);
        assert_eq!(slow.turn(began + SLOW_WRITE_SILENCE / 2), None);
        assert_eq!(slow.turn(began + SLOW_WRITE_SILENCE), Some(2));
        assert_eq!(slow.turn(began + SLOW_WRITE_SILENCE * 2), Some(0));
    }
}
