//! How transactions ended, for clients that ask twice.

use super::encoding::{Fields, put_number};
use super::key;
use super::lookup::Known;
use crate::position::SegmentNumber;
use crate::record::Outcome;

/// The end of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// Segment of the latest record that says so.
    segment: SegmentNumber,
    /// When it ended.
    time_ms: u64,
}

impl Ended {
    /// Saying the same again does not make it younger: compaction does that.
    pub(super) fn new(
        old: Option<&Self>,
        outcome: Outcome,
        segment: SegmentNumber,
        time_ms: u64,
    ) -> Self {
        let time_ms = old
            .filter(|old| old.outcome == outcome)
            .map_or(time_ms, |old| old.time_ms);
        Self {
            outcome,
            segment,
            time_ms,
        }
    }
}

impl Known for Ended {
    const KIND: u8 = key::OUTCOME;

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        out.push(match self.outcome {
            Outcome::Committed => 1,
            Outcome::RolledBack => 2,
        });
        put_number(&mut out, self.segment.0);
        put_number(&mut out, self.time_ms);
        out
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        let outcome = match fields.byte()? {
            1 => Outcome::Committed,
            2 => Outcome::RolledBack,
            _ => return None,
        };
        let (segment, time_ms) = (fields.segment()?, fields.number()?);
        fields.is_empty().then_some(Self {
            outcome,
            segment,
            time_ms,
        })
    }

    fn segment(&self) -> SegmentNumber {
        self.segment
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_comes_back_from_its_bytes_and_keeps_its_age_when_carried() {
        let ended = Ended::new(None, Outcome::RolledBack, SegmentNumber(3), 77);
        assert_eq!(Ended::decode(&ended.encode()), Some(ended));
        assert_eq!(Ended::decode(&[3, 1, 1]), None);
        let carried = Ended::new(Some(&ended), Outcome::RolledBack, SegmentNumber(9), 500);
        assert_eq!((carried.segment, carried.time_ms), (SegmentNumber(9), 77));
    }
}
