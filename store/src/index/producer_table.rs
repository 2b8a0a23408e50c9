//! What is known of each producer: which of its sequences are stored.
//!
//! A rebuild learns this from the journal again, so the journal must keep the records from which it follows: the *base*
//! of a producer is a segment from which on everything in its window is still written. Guaranteed: the base is never too
//! new. It does not decide what a duplicate means to anybody.

use super::encoding::{Fields, put_number};
use super::key;
use super::lookup::Known;
use crate::noted::Noted;
use crate::position::SegmentNumber;

/// Sequences below the highest that are told apart one by one.
const WINDOW: u64 = 64;

/// Which sequences of a producer are stored: the highest, and the 64 below it one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProducerState {
    /// Highest sequence stored.
    pub(crate) last: u64,
    /// Bit i: sequence `last - 1 - i` is stored.
    pub(crate) window: u64,
}

impl ProducerState {
    /// The state after the first message of a producer.
    pub(crate) fn first(sequence: u64) -> Self {
        Self {
            last: sequence,
            window: 0,
        }
    }

    /// Whether this sequence is stored, as far as that can be told.
    pub(crate) fn judge(&self, sequence: u64) -> Noted {
        if sequence > self.last {
            return Noted::New;
        }
        if sequence == self.last {
            return Noted::Duplicate;
        }
        match self.last - 1 - sequence {
            WINDOW.. => Noted::Unknown,
            below if self.window & (1 << below) != 0 => Noted::Duplicate,
            _ => Noted::New,
        }
    }

    /// Notes that a sequence is stored; answers what was known of it before. One below the window leaves no trace.
    pub(crate) fn note(&mut self, sequence: u64) -> Noted {
        let judged = self.judge(sequence);
        if judged != Noted::New {
            return judged;
        }
        if sequence < self.last {
            self.window |= 1 << (self.last - 1 - sequence);
            return Noted::New;
        }
        // The old highest becomes bit `step - 1`; of what leaves the window nothing can be told from then on.
        self.window = match sequence - self.last {
            step @ 1..WINDOW => self.window << step | 1 << (step - 1),
            WINDOW => 1 << (WINDOW - 1),
            _ => 0,
        };
        self.last = sequence;
        Noted::New
    }
}

/// One producer in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) state: ProducerState,
    /// Everything the window says follows from records in this segment or later ones.
    base: SegmentNumber,
    /// A later segment that will be the base, once the window has left what was the highest before it behind.
    next: Option<(SegmentNumber, u64)>,
    /// When it was last heard of.
    time_ms: u64,
}

impl Producer {
    /// A producer's first message.
    pub(super) fn first(sequence: u64, segment: SegmentNumber, time_ms: u64) -> Self {
        Self {
            state: ProducerState::first(sequence),
            base: segment,
            next: None,
            time_ms,
        }
    }

    /// A record that says all at once. Saying the same again does not make it younger: compaction does that.
    pub(super) fn absolute(
        old: Option<&Self>,
        state: ProducerState,
        segment: SegmentNumber,
        time_ms: u64,
    ) -> Self {
        let time_ms = old
            .filter(|old| old.state == state)
            .map_or(time_ms, |old| old.time_ms);
        Self {
            state,
            base: segment,
            next: None,
            time_ms,
        }
    }

    /// One more message of it.
    pub(super) fn note(&mut self, sequence: u64, segment: SegmentNumber, time_ms: u64) {
        let before = self.state.last;
        let _ = self.state.note(sequence);
        self.time_ms = self.time_ms.max(time_ms);
        let next = self.next.map_or(self.base, |(next, _)| next);
        if segment < next {
            // A staged message takes effect at its commit, but stands further back: its segment is needed from now on.
            self.base = self.base.min(segment);
            self.next = None;
        } else if self.next.is_none() && segment > self.base {
            self.next = Some((segment, before));
        }
        if let Some((next, highest_before)) = self.next
            && self.state.last > highest_before.saturating_add(WINDOW)
        {
            self.base = next;
            self.next = None;
        }
    }
}

impl Known for Producer {
    const KIND: u8 = key::PRODUCER;

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        put_number(&mut out, self.state.last);
        out.extend(self.state.window.to_le_bytes());
        put_number(&mut out, self.base.0);
        put_number(&mut out, self.time_ms);
        let (next, before) = self.next.unwrap_or_default();
        put_number(&mut out, next.0);
        put_number(&mut out, before);
        out
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        let last = fields.number()?;
        let window = u64::from_le_bytes(fields.take(8)?.try_into().ok()?);
        let (base, time_ms) = (fields.segment()?, fields.number()?);
        let (next, before) = (fields.segment()?, fields.number()?);
        // Segment 0 means "none" everywhere.
        let next = (next.0 != 0).then_some((next, before));
        fields.is_empty().then_some(Self {
            state: ProducerState { last, window },
            base,
            next,
            time_ms,
        })
    }

    fn segment(&self) -> SegmentNumber {
        self.base
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_window_tells_64_apart_and_of_older_ones_nothing_is_claimed() {
        let mut state = ProducerState::first(100);
        assert_eq!(state.note(164), Noted::New);
        assert_eq!(
            state.judge(100),
            Noted::Duplicate,
            "the lowest of the window"
        );
        assert_eq!(state.judge(99), Noted::Unknown, "just below it");
        assert_eq!(state.judge(101), Noted::New);
        assert_eq!(state.note(165), Noted::New);
        let before = state;
        assert_eq!(
            state.note(100),
            Noted::Unknown,
            "stored, but beyond the window now"
        );
        assert_eq!(state.note(7), Noted::Unknown, "never stored");
        assert_eq!(state, before, "and no trace of it");
        assert_eq!(state.note(164), Noted::Duplicate);
        assert_eq!(state.note(101), Noted::New);
        assert_eq!(state.judge(101), Noted::Duplicate);
        assert_eq!(state.note(u64::MAX), Noted::New);
        assert_eq!(state.judge(165), Noted::Unknown);
    }

    #[test]
    fn a_producer_comes_back_from_its_bytes() {
        let mut producer = Producer::first(5, SegmentNumber(2), 1000);
        for _ in 0..2 {
            assert_eq!(Producer::decode(&producer.encode()), Some(producer));
            producer.note(9, SegmentNumber(4), 1001);
        }
        assert_eq!(Producer::decode(&producer.encode()[1..]), None);
    }

    #[test]
    fn carrying_a_producer_forward_does_not_make_it_younger() {
        let old = Producer::first(5, SegmentNumber(2), 1000);
        let carried = Producer::absolute(Some(&old), old.state, SegmentNumber(9), 5000);
        assert_eq!(
            (carried.time_ms, carried.segment()),
            (1000, SegmentNumber(9))
        );
        let news = Producer::absolute(Some(&old), ProducerState::first(6), SegmentNumber(9), 5000);
        assert_eq!(news.time_ms, 5000);
    }

    proptest! {
        /// What is left of the journal from the base on gives the same answers as all of it.
        #[test]
        fn the_journal_from_the_base_on_is_enough(
            steps in proptest::collection::vec((1u64..90, prop::bool::weighted(0.2), prop::bool::weighted(0.1)), 1..200)
        ) {
            let (mut segment, mut high) = (SegmentNumber(1), 0u64);
            let mut notes: Vec<(u64, SegmentNumber)> = Vec::new();
            let mut producer: Option<Producer> = None;
            for (step, back, roll) in steps {
                segment.0 += u64::from(roll);
                let sequence = if back { high.saturating_sub(step).max(1) } else { high + step % 7 + step / 80 * 60 };
                high = high.max(sequence);
                notes.push((sequence, segment));
                match &mut producer {
                    Some(producer) => producer.note(sequence, segment, 0),
                    None => producer = Some(Producer::first(sequence, segment, 0)),
                }
                let known = producer.expect("just set");
                let mut kept = notes.iter().filter(|(_, s)| *s >= known.base);
                let (first, _) = kept.next().expect("the base holds a note");
                let mut rebuilt = ProducerState::first(*first);
                for (sequence, _) in kept {
                    let _ = rebuilt.note(*sequence);
                }
                for sequence in high.saturating_sub(80)..high + 2 {
                    prop_assert_eq!(rebuilt.judge(sequence), known.state.judge(sequence), "sequence {}", sequence);
                }
            }
        }
    }
}
