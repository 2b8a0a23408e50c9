//! A set of sequences kept as ranges: what a big transaction holds of a queue
//! is mostly one unbroken stretch, however many messages it has.

use std::collections::BTreeMap;

use store::Seq;

/// Sequences, as ranges that neither touch nor overlap.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// First of a range to its last.
    ranges: BTreeMap<Seq, Seq>,
}

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn first(&self) -> Option<Seq> {
        self.ranges.first_key_value().map(|(first, _)| *first)
    }

    pub(crate) fn contains(&self, seq: Seq) -> bool {
        self.ranges
            .range(..=seq)
            .next_back()
            .is_some_and(|(_, last)| seq <= *last)
    }

    pub(crate) fn insert(&mut self, seq: Seq) {
        if self.contains(seq) {
            return;
        }
        let mut first = seq;
        let mut last = seq;
        if let Some((before, end)) = self.ranges.range(..seq).next_back()
            && end.next() == seq
        {
            first = *before;
        }
        if let Some(end) = self.ranges.remove(&seq.next()) {
            last = end;
        }
        self.ranges.insert(first, last);
    }

    /// Takes out every sequence up to and including this one.
    pub(crate) fn remove_through(&mut self, seq: Seq) {
        while let Some(entry) = self.ranges.first_entry()
            && *entry.key() <= seq
        {
            let last = entry.remove();
            if last > seq {
                self.ranges.insert(seq.next(), last);
            }
        }
    }

    pub(crate) fn remove(&mut self, seq: Seq) {
        let Some((first, last)) = self.ranges.range(..=seq).next_back().map(|(a, b)| (*a, *b))
        else {
            return;
        };
        if seq > last {
            return;
        }
        self.ranges.remove(&first);
        if first < seq {
            self.ranges.insert(first, Seq(seq.0 - 1));
        }
        if seq < last {
            self.ranges.insert(seq.next(), last);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Seq> + '_ {
        self.ranges
            .iter()
            .flat_map(|(first, last)| (first.0..=last.0).map(Seq))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in prop::collection::vec((0..3u8, 1..40u64), 1..80)) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for (kind, seq) in steps {
                match kind {
                    0 => { ranges.insert(Seq(seq)); model.insert(seq); }
                    1 => { ranges.remove(Seq(seq)); model.remove(&seq); }
                    _ => { ranges.remove_through(Seq(seq / 4)); model.retain(|s| *s > seq / 4); }
                }
                prop_assert_eq!(ranges.first().map(|s| s.0), model.first().copied());
                prop_assert_eq!(ranges.is_empty(), model.is_empty());
                prop_assert_eq!(ranges.contains(Seq(seq)), model.contains(&seq));
                prop_assert!(ranges.iter().map(|s| s.0).eq(model.iter().copied()));
            }
        }
    }

    #[test]
    fn neighbours_join() {
        let mut ranges = Ranges::default();
        for seq in [1, 3, 2, 5] {
            ranges.insert(Seq(seq));
        }
        assert_eq!(ranges.ranges.len(), 2);
    }
}
