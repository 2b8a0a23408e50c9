//! Which segments may go, and which are worth emptying (FORMAT.md 7). Pure decisions: nothing is read or removed here.
//!
//! Strictly oldest first, so that what is left is always one unbroken stretch of the journal.

use crate::index::SegmentUse;
use crate::journal::SegmentInfo;
use crate::position::{Position, SegmentNumber};

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

/// How much may be moved while there is no room for another segment: what is left in the one being written, at `end`, and
/// in the spares, but for padding and some acknowledgements. What is moved only in part frees nothing and uses up
/// the room that acknowledgements need, which may free it.
pub(crate) fn movable(segments: &[SegmentInfo], end: Position, segment_bytes: u64) -> u64 {
    let unwritten = segments.iter().filter(|info| info.number >= end.segment);
    let left: u64 = unwritten.map(|info| info.bytes).sum();
    let left = left.saturating_sub(end.offset + segment_bytes / 8);
    left - left / 8
}

/// The oldest segments to empty so that the journal comes below what is allowed, as many as one round may write and as there is
/// `room` for. Those in which nothing lives any more need no work: they go as soon as they are the oldest.
pub(crate) fn to_compact(
    segments: &[SegmentInfo],
    checkpoint: SegmentNumber,
    allowed: u64,
    segment_bytes: u64,
    room: u64,
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
        let too_much = written > 0 && written + moved > segment_bytes;
        if journal <= allowed || too_much || written + moved > room {
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

/// How much smaller the journal gets when these are emptied.
pub(crate) fn gain(
    segments: &[SegmentInfo],
    chosen: &[SegmentNumber],
    live: impl Fn(SegmentNumber) -> SegmentUse,
) -> u64 {
    let last = chosen.last();
    let gone = segments.iter().filter(|info| Some(&info.number) <= last);
    gone.map(|info| info.bytes.saturating_sub(live(info.number).bytes))
        .sum()
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
        let chosen_of = |count, live: &[u64], checkpoint, room| {
            let total = live.iter().sum();
            let chosen = to_compact(
                &segments(count),
                SegmentNumber(checkpoint),
                allowed(total, 100, 4),
                100,
                room,
                holding(live),
            );
            chosen
                .into_iter()
                .map(|number| number.0)
                .collect::<Vec<_>>()
        };
        let chosen = |count, live: &[u64], checkpoint| chosen_of(count, live, checkpoint, u64::MAX);
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
        assert_eq!(chosen(40, &[900], 40), [1], "a segment may be longer");
        let scarce = |live: &[u64], room| chosen_of(20, live, 20, room);
        assert_eq!(
            scarce(&[30, 30, 30], 60),
            [1, 2],
            "nothing is moved in part"
        );
        assert_eq!(scarce(&[90], 60), [] as [u64; 0]);
    }

    #[test]
    fn emptying_gains_what_is_dead_up_to_the_last_one() {
        let of = |chosen: &[u64]| {
            let chosen: Vec<_> = chosen.iter().copied().map(SegmentNumber).collect();
            gain(&segments(5), &chosen, holding(&[90, 0, 30, 100]))
        };
        assert_eq!(of(&[1, 3]), 10 + 100 + 70);
        assert_eq!(of(&[1]), 10);
        assert_eq!(of(&[]), 0);
    }

    #[test]
    fn what_may_be_moved_without_room_leaves_some_to_acknowledgements() {
        let end = |segment, offset| Position {
            segment: SegmentNumber(segment),
            offset,
        };
        let movable = |segment, offset| movable(&segments(5), end(segment, offset), 100);
        // Two spares, and 40 left of the third segment, without an eighth of a segment.
        assert_eq!(movable(3, 60), (240 - 12) - (240 - 12) / 8);
        assert_eq!(movable(5, 100), 0);
        assert_eq!(movable(5, 95), 0);
    }
}
