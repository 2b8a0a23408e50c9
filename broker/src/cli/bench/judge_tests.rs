//! Planted faults, each of which a judge must find, and harmless things that it must forgive.

use super::*;
use crate::cli::bench::body::Stamp;
use crate::cli::bench::clock::Moment;

const RUN: u16 = 7;

fn message(producer: u16, sequence: u64) -> Option<Identity> {
    Some(Identity {
        run: RUN,
        producer,
        sequence,
        sent: Stamp::of(Moment(0)),
    })
}

fn judge(deliveries: &[(u16, u64, bool)]) -> Judge {
    let mut judge = Judge::new(Jurisdiction::Run(RUN));
    for &(producer, sequence, flagged) in deliveries {
        judge.take(message(producer, sequence), flagged);
    }
    judge
}

fn sent(next: u64) -> Sent {
    Sent {
        next,
        unsure: BTreeSet::new(),
    }
}

/// Deliveries 0 to 9 of two producers, interleaved, without a fault.
fn good() -> Vec<(u16, u64, bool)> {
    let both = |sequence| [(0, sequence, false), (1, sequence, false)];
    (0..10).flat_map(both).collect()
}

#[test]
fn a_faultless_queue_is_found_so() {
    let counts = conclude(vec![judge(&good())], RUN, &[sent(10), sent(10)]);
    assert!(!counts.is_broken());
    assert_eq!(
        counts,
        Counts {
            received: 20,
            ..Counts::default()
        }
    );
}

#[test]
fn a_lost_message_is_missed() {
    for gone in [0, 7, 19] {
        let mut deliveries = good();
        deliveries.remove(gone);
        let counts = conclude(vec![judge(&deliveries)], RUN, &[sent(10), sent(10)]);
        assert_eq!((counts.lost, counts.is_broken()), (1, true));
    }
    let counts = conclude(vec![judge(&[])], RUN, &[sent(10), sent(3)]);
    assert_eq!(counts.lost, 13);
}

#[test]
fn an_unconfirmed_message_may_be_there_or_not() {
    let unsure = Sent {
        next: 10,
        unsure: BTreeSet::from([3, 9]),
    };
    for extra in [None, Some((0, 9, false))] {
        let mut deliveries: Vec<_> = (0..9).map(|sequence| (0, sequence, false)).collect();
        deliveries.remove(3);
        deliveries.extend(extra);
        let counts = conclude(vec![judge(&deliveries)], RUN, std::slice::from_ref(&unsure));
        assert_eq!(counts.lost, 0);
    }
}

#[test]
fn a_repetition_is_forgiven_only_with_its_flag() {
    let mut deliveries = good();
    deliveries.push((1, 4, false));
    let counts = conclude(vec![judge(&deliveries)], RUN, &[sent(10), sent(10)]);
    assert_eq!((counts.duplicates, counts.redelivered), (1, 0));
    assert_eq!(counts.out_of_order, 0, "one fault is counted once");
    deliveries.pop();
    deliveries.push((1, 4, true));
    let counts = conclude(vec![judge(&deliveries)], RUN, &[sent(10), sent(10)]);
    assert_eq!((counts.duplicates, counts.redelivered), (0, 1));
    assert!(!counts.is_broken());
}

#[test]
fn a_repetition_at_another_consumer_is_found() {
    for (flagged, duplicates) in [(false, 1), (true, 0)] {
        for turned in [false, true] {
            let mut judges = vec![judge(&good()), judge(&[(0, 5, flagged)])];
            if turned {
                judges.reverse();
            }
            let counts = conclude(judges, RUN, &[sent(10), sent(10)]);
            assert_eq!((counts.duplicates, counts.lost), (duplicates, 0));
        }
    }
}

#[test]
fn two_consumers_share_a_queue_without_a_fault() {
    let (even, odd): (Vec<_>, Vec<_>) = good().into_iter().partition(|one| one.1 % 2 == 0);
    let counts = conclude(vec![judge(&even), judge(&odd)], RUN, &[sent(10), sent(10)]);
    assert_eq!((counts.received, counts.is_broken()), (20, false));
}

#[test]
fn a_message_that_is_overtaken_is_out_of_order() {
    let mut deliveries = good();
    deliveries.swap(4, 6);
    let counts = conclude(vec![judge(&deliveries)], RUN, &[sent(10), sent(10)]);
    assert_eq!((counts.out_of_order, counts.lost), (1, 0));
    // With its flag it may be late.
    let counts = conclude(vec![judge(&[(0, 1, false), (0, 0, true)])], RUN, &[sent(2)]);
    assert_eq!(counts.out_of_order, 0);
}

#[test]
fn what_others_left_is_foreign() {
    let mut judge = Judge::new(Jurisdiction::Run(RUN));
    let other = message(0, 0).map(|identity| Identity {
        run: RUN + 1,
        ..identity
    });
    assert_eq!(judge.take(None, false), Verdict::Foreign);
    assert_eq!(judge.take(other, false), Verdict::Foreign);
    assert_eq!(judge.take(message(0, 0), false), Verdict::New);
    assert_eq!(judge.take(other, false), Verdict::Foreign);
    let counts = conclude(vec![judge], RUN, &[sent(1)]);
    assert_eq!((counts.received, counts.foreign, counts.lost), (1, 3, 0));
}

#[test]
fn a_drain_judges_all_runs_apart() {
    let mut judge = Judge::new(Jurisdiction::All);
    for run in [1, 2] {
        for sequence in [5, 6] {
            let identity = message(0, sequence).map(|identity| Identity { run, ..identity });
            assert_eq!(judge.take(identity, false), Verdict::New);
        }
    }
    let counts = conclude(vec![judge], RUN, &[]);
    assert_eq!((counts.received, counts.is_broken()), (4, false));
}
