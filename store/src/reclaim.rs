//! Which segments may go, and which are worth emptying (FORMAT.md 7). Pure decisions: nothing is read or removed here.
//!
//! Strictly oldest first, so that what is left is always one unbroken stretch of the journal.

use crate::index::SegmentUse;
use crate::journal::SegmentInfo;
use crate::position::SegmentNumber;

/// The last of the oldest segments that lie before the checkpoint and hold nothing that lives.
pub(crate) fn removable_through(
    segments: &[SegmentInfo],
    checkpoint: SegmentNumber,
    live: impl Fn(SegmentNumber) -> SegmentUse,
) -> Option<SegmentNumber> {
    let gone = segments
        .iter()
        .take_while(|info| info.number < checkpoint && live(info.number).entries == 0);
    gone.last().map(|info| info.number)
}

/// How large the journal may be for what lives in it: `slack` segments beyond twice of that.
pub(crate) fn allowed(live_bytes: u64, segment_bytes: u64, slack: u64) -> u64 {
    2 * live_bytes + slack * segment_bytes
}

/// The oldest segments to empty so that the journal comes below what is allowed, as many as one round may write. Those in
/// which nothing lives any more need no work: they go as soon as they are the oldest.
pub(crate) fn to_compact(
    segments: &[SegmentInfo],
    checkpoint: SegmentNumber,
    allowed: u64,
    segment_bytes: u64,
    live: impl Fn(SegmentNumber) -> SegmentUse,
) -> Vec<SegmentNumber> {
    let mut journal: u64 = segments.iter().map(|info| info.bytes).sum();
    let mut written = 0;
    let mut chosen = Vec::new();
    for info in segments.iter().take_while(|info| info.number < checkpoint) {
        let SegmentUse {
            entries,
            bytes: moved,
        } = live(info.number);
        if journal <= allowed || (written > 0 && written + moved > segment_bytes) {
            break;
        }
        journal = journal.saturating_sub(info.bytes) + moved;
        written += moved;
        if entries > 0 {
            chosen.push(info.number);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(count: u64) -> Vec<SegmentInfo> {
        (1..=count)
            .map(|n| SegmentInfo {
                number: SegmentNumber(n),
                epoch: 1,
                bytes: 100,
            })
            .collect()
    }

    fn holding(live: &[u64]) -> impl Fn(SegmentNumber) -> SegmentUse {
        |number| {
            let bytes = usize::try_from(number.0 - 1)
                .ok()
                .and_then(|at| live.get(at))
                .copied()
                .unwrap_or(0);
            SegmentUse {
                entries: bytes.min(1),
                bytes,
            }
        }
    }

    #[test]
    fn only_dead_segments_before_the_checkpoint_go_and_only_from_the_front() {
        let through = |live: &[u64], checkpoint| {
            removable_through(&segments(5), SegmentNumber(checkpoint), holding(live))
                .map(|number| number.0)
        };
        assert_eq!(through(&[0, 0, 9], 5), Some(2));
        assert_eq!(through(&[0, 0, 9], 2), Some(1));
        assert_eq!(through(&[1, 0, 0], 5), None, "a hole is never made");
        assert_eq!(through(&[], 1), None);
        assert_eq!(through(&[], 9), Some(5));
    }

    #[test]
    fn sparse_segments_are_emptied_until_the_bound_holds() {
        let chosen = |count, live: &[u64], checkpoint| {
            let total = live.iter().sum();
            let chosen = to_compact(
                &segments(count),
                SegmentNumber(checkpoint),
                allowed(total, 100, 4),
                100,
                holding(live),
            );
            chosen
                .into_iter()
                .map(|number| number.0)
                .collect::<Vec<_>>()
        };
        // 4 segments are allowed anyway; 10 with 40 live bytes are 520 too many, two dead ones among them.
        assert_eq!(chosen(4, &[1], 9), [] as [u64; 0]);
        assert_eq!(chosen(10, &[10, 10, 10, 10], 10), [1, 2, 3, 4]);
        assert_eq!(
            chosen(10, &[10, 10, 10, 10], 3),
            [1, 2],
            "not beyond the checkpoint"
        );
        assert_eq!(
            chosen(20, &[90, 90, 90], 20),
            [1],
            "a round writes about one segment"
        );
    }
}
