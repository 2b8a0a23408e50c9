//! Which producer sequences were submitted but are not yet known to the index: the guard against a resend that
//! arrives while the first copy is still on its way to the disk.
//!
//! An entry is dropped as soon as the index says the same. One whose messages were never submitted (the caller gave
//! up after noting them) is dropped after a while, so that nothing grows without bound. What is durable is the
//! index's business.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::index::ProducerState;
use crate::limits;
use crate::noted::Noted;

/// Producers with sequences in flight.
#[derive(Default)]
pub(crate) struct Producers {
    recent: HashMap<Box<[u8]>, Recent>,
}

struct Recent {
    state: ProducerState,
    noted: Instant,
}

impl Producers {
    /// Notes a sequence; answers what was known of it before. `stored` asks the index.
    pub(crate) fn note(
        &mut self,
        producer: &[u8],
        sequence: u64,
        stored: impl FnOnce() -> Result<Option<ProducerState>>,
    ) -> Result<Noted> {
        if producer.len() > limits::MAX_ID_BYTES {
            return Ok(Noted::New);
        }
        if let Some(recent) = self.recent.get_mut(producer) {
            recent.noted = Instant::now();
            return Ok(recent.state.note(sequence));
        }
        let (noted, state) = match stored()? {
            None => (Noted::New, ProducerState::first(sequence)),
            Some(mut state) => (state.note(sequence), state),
        };
        if noted == Noted::New {
            self.recent.insert(
                producer.into(),
                Recent {
                    state,
                    noted: Instant::now(),
                },
            );
        }
        Ok(noted)
    }

    /// Drops what the index knows by now, and what was given up longer than `give_up` ago.
    pub(crate) fn sweep(
        &mut self,
        give_up: Duration,
        mut stored: impl FnMut(&[u8]) -> Result<Option<ProducerState>>,
    ) -> Result<()> {
        let mut failed = None;
        self.recent
            .retain(|producer, recent| match stored(producer) {
                Ok(Some(state)) if state == recent.state => false,
                Ok(_) => recent.noted.elapsed() < give_up,
                Err(error) => {
                    failed = Some(error);
                    true
                }
            });
        failed.map_or(Ok(()), Err)
    }

    /// How many are in flight.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.recent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_resend_in_flight_is_noticed_and_the_index_takes_over() {
        let mut producers = Producers::default();
        let new = producers.note(b"p", 5, || Ok(None)).expect("note");
        assert_eq!(new, Noted::New);
        let mut note = |sequence| {
            let noted = producers.note(b"p", sequence, || panic!("known without asking"));
            noted.expect("note")
        };
        assert_eq!(note(5), Noted::Duplicate);
        assert_eq!(note(6), Noted::New);

        let mut index = ProducerState::first(5);
        producers
            .sweep(FOREVER, |_| Ok(Some(index)))
            .expect("sweep");
        assert_eq!(producers.len(), 1, "6 is still on its way");
        assert_eq!(index.note(6), Noted::New);
        producers
            .sweep(FOREVER, |_| Ok(Some(index)))
            .expect("sweep");
        assert_eq!(producers.len(), 0);
        let again = producers.note(b"p", 6, || Ok(Some(index)));
        assert_eq!(
            again.expect("note"),
            Noted::Duplicate,
            "the index remembers"
        );
        assert_eq!(producers.len(), 0, "a duplicate leaves nothing behind");
    }

    #[test]
    fn of_what_is_older_than_the_window_nothing_is_claimed_or_kept() {
        let mut producers = Producers::default();
        let index = ProducerState::first(1000);
        let old = producers.note(b"p", 5, || Ok(Some(index)));
        assert_eq!(old.expect("note"), Noted::Unknown);
        assert_eq!(producers.len(), 0);
        let new = producers.note(b"p", 1001, || Ok(Some(index)));
        assert_eq!(new.expect("note"), Noted::New);
        let old = producers.note(b"p", 5, || panic!("known without asking"));
        assert_eq!(old.expect("note"), Noted::Unknown, "in flight as well");
    }

    #[test]
    fn what_is_refused_for_its_name_never_counts_as_sent() {
        let mut producers = Producers::default();
        let name = [b'p'; limits::MAX_ID_BYTES + 1];
        for _ in 0..2 {
            let noted = producers.note(&name, 5, || panic!("nothing of it is stored"));
            assert_eq!(noted.expect("note"), Noted::New);
        }
        assert_eq!(producers.len(), 0);
    }

    #[test]
    fn what_was_never_submitted_is_forgotten_after_a_while() {
        let mut producers = Producers::default();
        for _ in 0..2 {
            let noted = producers.note(b"p", 5, || Ok(None)).expect("note");
            assert_eq!(noted, Noted::New);
            producers
                .sweep(Duration::ZERO, |_| Ok(None))
                .expect("sweep");
            assert_eq!(producers.len(), 0);
        }
    }
}
