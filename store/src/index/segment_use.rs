//! Live entries and bytes per segment: what reclaiming and compaction go by.
//!
//! A count that would fall below zero is remembered as broken and spoils the whole index: a segment freed too early would be
//! lost data.

use crate::position::SegmentNumber;

/// What still points into one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentUse {
    /// Live entries: messages, staged records, and the latest records of queues, marks, producers and outcomes.
    pub(crate) entries: u64,
    /// Their bytes in the journal, about.
    pub(crate) bytes: u64,
}

/// What a live record other than a message counts for.
pub(super) const NOTE_BYTES: u64 = 64;

/// What a live message counts for: its payload, and about what the record takes around it.
pub(super) fn message_bytes(payload_len: u32) -> u64 {
    u64::from(payload_len) + NOTE_BYTES
}

/// Use of all segments that have any, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Segments {
    /// Some hundreds at most, and nearly every change is at an end: a sorted list beats a tree.
    list: Vec<(SegmentNumber, SegmentUse)>,
    bytes: u64,
    broken: Option<SegmentNumber>,
}

impl Segments {
    /// One more live entry.
    pub(super) fn add(&mut self, segment: SegmentNumber, bytes: u64) {
        self.bytes += bytes;
        let one = SegmentUse { entries: 1, bytes };
        match self.list.last_mut() {
            Some((last, used)) if *last == segment => grow(used, bytes),
            Some((last, _)) if *last > segment => match self.find(segment) {
                Ok(at) => grow(&mut self.list[at].1, bytes),
                Err(at) => self.list.insert(at, (segment, one)),
            },
            _ => self.list.push((segment, one)),
        }
    }

    /// One live entry less.
    pub(super) fn sub(&mut self, segment: SegmentNumber, bytes: u64) {
        let at = self.find(segment).ok();
        let Some(at) =
            at.filter(|at| self.list[*at].1.entries > 0 && self.list[*at].1.bytes >= bytes)
        else {
            self.broken = Some(segment);
            return;
        };
        let used = &mut self.list[at].1;
        used.entries -= 1;
        used.bytes -= bytes;
        self.bytes -= bytes;
        // The last one is about to be used again.
        if self.list[at].1.entries == 0 && at + 1 < self.list.len() {
            self.list.remove(at);
        }
    }

    /// An entry is in `new` now, not where it was.
    pub(super) fn shift(&mut self, old: Option<SegmentNumber>, new: SegmentNumber, bytes: u64) {
        if let Some(old) = old {
            self.sub(old, bytes);
        }
        self.add(new, bytes);
    }

    /// A segment whose count would have fallen below zero: then no count is to be believed.
    pub(super) fn broken(&self) -> Option<SegmentNumber> {
        self.broken
    }

    pub(super) fn get(&self, segment: SegmentNumber) -> SegmentUse {
        self.find(segment)
            .map(|at| self.list[at].1)
            .unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those with anything live in them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SegmentNumber, SegmentUse)> {
        self.list
            .iter()
            .copied()
            .filter(|(_, used)| used.entries > 0)
    }

    /// From a list in order.
    pub(super) fn from_sorted(list: Vec<(SegmentNumber, SegmentUse)>) -> Self {
        let bytes = list.iter().map(|(_, used)| used.bytes).sum();
        Self {
            list,
            bytes,
            broken: None,
        }
    }

    fn find(&self, segment: SegmentNumber) -> Result<usize, usize> {
        self.list
            .binary_search_by_key(&segment, |(number, _)| *number)
    }
}

fn grow(used: &mut SegmentUse, bytes: u64) {
    used.entries += 1;
    used.bytes += bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_and_empty_segments_leave() {
        let mut segments = Segments::default();
        for (segment, bytes) in [(3, 10), (5, 1), (4, 7), (3, 2)] {
            segments.add(SegmentNumber(segment), bytes);
        }
        assert_eq!(
            segments.get(SegmentNumber(3)),
            SegmentUse {
                entries: 2,
                bytes: 12
            }
        );
        assert_eq!(segments.bytes(), 20);
        segments.sub(SegmentNumber(3), 10);
        segments.shift(Some(SegmentNumber(3)), SegmentNumber(6), 2);
        segments.sub(SegmentNumber(6), 2);
        assert_eq!(
            segments.iter().map(|(n, _)| n.0).collect::<Vec<_>>(),
            [4, 5]
        );
        assert_eq!(segments.bytes(), 8);
    }

    #[test]
    fn a_count_below_zero_is_noticed() {
        let mut segments = Segments::default();
        segments.add(SegmentNumber(1), 5);
        segments.sub(SegmentNumber(1), 5);
        assert_eq!(segments.broken(), None);
        segments.sub(SegmentNumber(1), 5);
        assert_eq!(segments.broken(), Some(SegmentNumber(1)));
    }
}
