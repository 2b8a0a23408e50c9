//! Outcomes are forgotten in time, the oldest first, and what they pin is free then.

use super::rig::Rig;
use super::step::Step;
use crate::index::Backend;
use crate::position::SegmentNumber;

fn millis(rig: &Rig) -> u64 {
    u64::try_from(rig.settings.outcome_age.as_millis()).unwrap()
}

/// Outcomes of these ids, one a millisecond, and when the last of them came.
fn ended(rig: &mut Rig, ids: std::ops::Range<u8>) -> u64 {
    for id in ids {
        rig.step(Step::Outcome {
            id,
            committed: true,
        });
    }
    rig.journal.last().unwrap().time_ms
}

fn remembered(rig: &mut Rig) -> Vec<u8> {
    (0..=u8::MAX)
        .filter(|id| rig.index().outcome(&[*id]).unwrap().is_some())
        .collect()
}

fn stored(rig: &mut Rig) -> u64 {
    let stable = rig.index().stable.as_ref();
    stable.map_or(0, |control| control.image.outcomes.count)
}

fn limited(limit: usize) -> Rig {
    let mut rig = Rig::new(Backend::Sled);
    rig.settings.outcome_limit = limit;
    rig.reopen();
    rig
}

#[test]
fn beyond_their_age_they_leave_the_database_and_their_segments() {
    let mut rig = limited(1000);
    let last = ended(&mut rig, 0..30);
    assert!(!rig.index().is_sweep_due(u64::MAX), "nothing is stored yet");
    assert!(rig.checkpoint());
    let age = millis(&rig);
    rig.index().sweep(last + age - 4).unwrap();
    assert_eq!(remembered(&mut rig), [25, 26, 27, 28, 29]);
    assert_eq!(rig.index().live(SegmentNumber(1)).entries, 0);
    assert_eq!(rig.index().live(SegmentNumber(2)).entries, 5);
    assert!(rig.checkpoint());
    assert_eq!(stored(&mut rig), 5);
    assert!(!rig.index().is_sweep_due(last + age), "not every time");
    let later = last + age + age / 10;
    assert!(rig.index().is_sweep_due(later));
    rig.index().sweep(later).unwrap();
    assert!(rig.checkpoint());
    assert_eq!((stored(&mut rig), rig.index().live_bytes()), (0, 0));
    assert!(!rig.index().is_sweep_due(u64::MAX), "nothing is left");
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    assert_eq!(remembered(&mut rig), [] as [u8; 0]);
}

#[test]
fn while_there_are_too_many_the_oldest_leave_before_their_time() {
    let mut rig = limited(8);
    let now = ended(&mut rig, 0..8);
    assert!(rig.checkpoint());
    rig.index().sweep(now).unwrap();
    assert_eq!(remembered(&mut rig).len(), 8, "as many as may be");
    let now = ended(&mut rig, 8..20);
    assert!(rig.checkpoint());
    // The next master does the same: what is too much is in the database.
    rig.reopen();
    assert!(rig.index().is_sweep_due(now));
    rig.index().sweep(now).unwrap();
    assert!(rig.checkpoint());
    assert_eq!(remembered(&mut rig), [14, 15, 16, 17, 18, 19]);
    assert_eq!(stored(&mut rig), 6);
    assert_eq!(rig.index().live(SegmentNumber(1)).entries, 6);
    assert!(!rig.index().is_sweep_due(now));
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    assert_eq!(remembered(&mut rig), [14, 15, 16, 17, 18, 19]);
}

#[test]
fn what_is_heard_of_after_the_look_stays() {
    let mut rig = limited(4);
    let now = ended(&mut rig, 0..8);
    assert!(rig.checkpoint());
    let sweep = rig.index().begin_sweep(now).unwrap().expect("too many");
    let looked = sweep.look();
    rig.step(Step::Outcome {
        id: 0,
        committed: false,
    });
    let swept = rig.index().finish_sweep(looked).unwrap();
    assert_eq!(swept.keys.len(), 5);
    rig.index()
        .forget_outcomes(&swept.keys, swept.through_ms)
        .unwrap();
    assert_eq!(remembered(&mut rig), [0, 5, 6, 7]);
    assert!(rig.checkpoint());
    assert_eq!(stored(&mut rig), 4);
}

#[test]
fn a_look_ends_when_the_store_does() {
    let mut rig = limited(4);
    let now = ended(&mut rig, 0..8);
    assert!(rig.checkpoint());
    let sweep = rig.index().begin_sweep(now).unwrap().expect("too many");
    let asked = std::cell::Cell::new(0);
    let no = || {
        asked.set(asked.get() + 1);
        false
    };
    let _useless = sweep.look_while(&no);
    assert!(asked.get() <= 2, "looked at {} outcomes", asked.get());
}
