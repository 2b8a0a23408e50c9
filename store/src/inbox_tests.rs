//! Order, buffers and the lanes of a full journal.

use super::*;
use crate::position::{QueueId, Seq};
use std::time::Duration;

fn message(seq: u64) -> Work {
    let mut work = Work::new();
    work.message(QueueId(1), Seq(seq), None, 0, b"payload");
    work
}

fn removal(seq: u64) -> Work {
    let mut work = Work::new();
    work.removed(QueueId(1), &[Seq(seq)]);
    work
}

fn done(inbox: &Inbox<u64>, chunk: Chunk<u64>) {
    inbox.durable(chunk.bytes());
    inbox.done(chunk);
}

fn ordered(inbox: &Inbox<u64>) -> Chunk<u64> {
    match inbox.next(None) {
        Some(Next::Ordered(chunk)) => chunk,
        _ => panic!("ordered work was due"),
    }
}

fn urgent(inbox: &Inbox<u64>) -> Chunk<u64> {
    match inbox.next(None) {
        Some(Next::Urgent(chunk)) => chunk,
        _ => panic!("urgent work was due"),
    }
}

#[test]
fn what_comes_together_leaves_together_in_order() {
    let inbox = Inbox::new(1 << 20);
    for seq in 1..=3 {
        inbox.submit(&message(seq), Some(seq)).expect("open");
        inbox.submit(&removal(seq), Some(seq + 100)).expect("open");
    }
    inbox.submit(&Work::new(), Some(999)).expect("open");
    let chunk = ordered(&inbox);
    assert_eq!(chunk.tokens, [1, 101, 2, 102, 3, 103, 999]);
    assert_eq!(inbox.pending_bytes(), chunk.bytes());
    done(&inbox, chunk);
    assert_eq!(inbox.pending_bytes(), 0);
}

#[test]
fn a_batch_is_bounded_and_a_unit_of_work_is_never_split() {
    let inbox = Inbox::new(100);
    for seq in 1..=5 {
        inbox.submit(&message(seq), Some(seq)).expect("open");
    }
    let mut big = Work::new();
    for seq in 6..30 {
        big.message(QueueId(1), Seq(seq), None, 0, b"payload");
    }
    inbox.submit(&big, Some(6)).expect("open");
    let mut sizes = Vec::new();
    let mut tokens = Vec::new();
    while inbox.pending_bytes() > 0 {
        let chunk = ordered(&inbox);
        sizes.push(chunk.bytes());
        tokens.extend_from_slice(&chunk.tokens);
        done(&inbox, chunk);
    }
    assert_eq!(tokens, [1, 2, 3, 4, 5, 6]);
    let one = message(1).bytes();
    let per_batch = 100 / one;
    assert_eq!(sizes, [per_batch * one, (5 - per_batch) * one, big.bytes()]);
}

#[test]
fn a_full_journal_lets_acknowledgements_ahead_and_keeps_messages_in_order() {
    let inbox = Inbox::new(100);
    for seq in 1..=6 {
        inbox.submit(&message(seq), Some(seq)).expect("open");
        inbox.submit(&removal(seq), Some(seq + 100)).expect("open");
    }
    let first = ordered(&inbox);
    assert!(inbox.no_room(first), "news");
    inbox.submit(&removal(7), Some(107)).expect("open");
    inbox.submit(&message(7), Some(7)).expect("open");
    let acks = urgent(&inbox);
    assert_eq!(acks.tokens, [101, 102, 103, 104, 105, 106, 107]);
    done(&inbox, acks);

    let mut tokens = Vec::new();
    inbox.try_again();
    let again = ordered(&inbox);
    assert!(!inbox.no_room(again), "known already");
    inbox.try_again();
    while inbox.pending_bytes() > 0 {
        let chunk = ordered(&inbox);
        tokens.extend_from_slice(&chunk.tokens);
        done(&inbox, chunk);
        inbox.had_room();
    }
    assert_eq!(tokens, [1, 2, 3, 4, 5, 6, 7]);
    assert!(!inbox.had_room(), "told once");
}

#[test]
fn urgent_work_without_room_keeps_its_order() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    inbox.submit(&removal(1), Some(101)).expect("open");
    let chunk = ordered(&inbox);
    inbox.no_room(chunk);
    let acks = urgent(&inbox);
    inbox.submit(&removal(2), Some(102)).expect("open");
    inbox.no_room_for_urgent(acks);
    inbox.try_again();
    assert_eq!(ordered(&inbox).tokens, [101, 102, 1]);
}

#[test]
fn a_steady_stream_of_acknowledgements_keeps_nobody_waiting_for_ever() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    let chunk = ordered(&inbox);
    assert!(inbox.no_room(chunk), "news");
    inbox.submit(&removal(7), Some(107)).expect("open");
    inbox.try_again();
    let both = ordered(&inbox);
    assert_eq!(both.tokens, [107, 1], "in time, and behind what goes ahead");
    inbox.submit(&removal(8), Some(108)).expect("open");
    assert!(!inbox.no_room(both), "known already");
    assert_eq!(urgent(&inbox).tokens, [107, 108]);
    inbox.try_again();
    assert_eq!(ordered(&inbox).tokens, [1]);
}

#[test]
fn an_answer_does_not_overtake_the_acknowledgement_that_it_is_for() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    inbox.submit(&removal(9), Some(109)).expect("open");
    inbox.submit(&Work::new(), Some(209)).expect("open");
    let chunk = ordered(&inbox);
    inbox.no_room(chunk);
    let acks = urgent(&inbox);
    inbox.no_room_for_urgent(acks);
    // Both are tried again after a while, and the message's time has come first.
    locked(&inbox.state).retry_at = Some(Instant::now());
    assert_eq!(ordered(&inbox).tokens, [109, 1, 209]);
}

#[test]
fn close_drains_and_refuses_then_stops() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    inbox.close();
    assert!(matches!(
        inbox.submit(&message(2), Some(2)),
        Err(Error::Closed)
    ));
    assert_eq!(ordered(&inbox).tokens, [1]);
    assert!(matches!(inbox.next(None), Some(Next::Stop)));
}

#[test]
fn a_failure_elsewhere_comes_before_everything() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    inbox.fail(Error::Poisoned);
    assert!(matches!(
        inbox.next(None),
        Some(Next::Failed(Error::Poisoned))
    ));
    inbox.shut();
    assert_eq!(inbox.pending_bytes(), 0);
    assert!(matches!(inbox.next(None), Some(Next::Stop)));
}

#[test]
fn a_sleeping_committer_is_woken_by_the_first_submit() {
    let inbox = Inbox::new(1 << 20);
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| ordered(&inbox).tokens);
        until_gathering(&inbox);
        inbox.submit(&message(1), Some(1)).expect("open");
        let mut tokens = taken.join().expect("no panic");
        tokens.extend(if inbox.pending_bytes() > 0 {
            Vec::new()
        } else {
            vec![0]
        });
        assert_eq!(tokens, [1]);
    });
}

#[test]
fn staying_awake_ends_when_something_comes_or_the_time_is_over() {
    let inbox = Inbox::new(1 << 20);
    assert!(!inbox.stay_awake(Duration::from_micros(100)));
    std::thread::scope(|scope| {
        let awake = scope.spawn(|| inbox.stay_awake(Duration::from_secs(600)));
        inbox.submit(&message(1), Some(1)).expect("open");
        assert!(awake.join().expect("no panic"));
    });
    assert_eq!(ordered(&inbox).tokens, [1]);
}

fn patience(units: usize, millis: u64) -> Patience {
    let time = Duration::from_millis(millis);
    Patience {
        units,
        time,
        longest: 2 * time,
    }
}

fn until_gathering(inbox: &Inbox<u64>) {
    let started = Instant::now();
    while !locked(&inbox.state).sleeping {
        assert!(started.elapsed().as_secs() < 30, "it does not gather");
        std::thread::yield_now();
    }
}

#[test]
fn gathering_ends_as_soon_as_all_expected_are_there() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    std::thread::scope(|scope| {
        let gathering = scope.spawn(|| inbox.gather(patience(3, 600_000)));
        until_gathering(&inbox);
        inbox.submit(&message(2), Some(2)).expect("open");
        assert!(locked(&inbox.state).sleeping, "only 2 of 3 are there");
        inbox.submit(&message(3), Some(3)).expect("open");
        assert_eq!(gathering.join().expect("no panic"), Some(3));
    });
    assert_eq!(ordered(&inbox).tokens, [1, 2, 3]);
}

#[test]
fn gathering_ends_with_its_time() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&message(1), Some(1)).expect("open");
    assert_eq!(inbox.gather(patience(5, 1)), Some(1));
    assert_eq!(ordered(&inbox).tokens, [1]);
}

#[test]
fn gathering_goes_on_while_they_keep_coming() {
    let inbox = Inbox::new(1 << 20);
    let patience = patience(5, 1_000);
    std::thread::scope(|scope| {
        let began = Instant::now();
        let gathering = scope.spawn(|| inbox.gather(patience));
        until_gathering(&inbox);
        // In the last quarter of the pause.
        while began.elapsed() < patience.time * 4 / 5 {
            std::thread::yield_now();
        }
        inbox.submit(&message(1), Some(1)).expect("open");
        let in_time = began.elapsed() < patience.time;
        assert!(in_time, "this thread stood still for 0.2 s");
        assert_eq!(gathering.join().expect("no panic"), Some(1));
        let took = began.elapsed();
        assert!(took >= patience.time * 5 / 4, "{took:?}");
    });
}

#[test]
fn gathering_says_when_something_else_ended_it() {
    let inbox = Inbox::new(64);
    std::thread::scope(|scope| {
        let gathering = scope.spawn(|| inbox.gather(patience(1_000, 600_000)));
        until_gathering(&inbox);
        // More than one batch holds.
        for n in 1..=64 {
            inbox.submit(&message(n), Some(n)).expect("open");
        }
        assert_eq!(gathering.join().expect("no panic"), None);
    });
}

#[test]
fn a_close_does_not_wait_for_company() {
    let inbox = Inbox::<u64>::new(1 << 20);
    std::thread::scope(|scope| {
        let gathering = scope.spawn(|| inbox.gather(patience(5, 600_000)));
        until_gathering(&inbox);
        inbox.close();
        assert_eq!(gathering.join().expect("no panic"), None);
    });
    assert_eq!(inbox.gather(patience(5, 600_000)), None);
    assert!(matches!(inbox.next(None), Some(Next::Stop)));
}

#[test]
fn what_nobody_waits_for_goes_with_what_somebody_waits_for() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&removal(1), None).expect("open");
    inbox.submit(&removal(2), None).expect("open");
    let until = locked(&inbox.state).unawaited_until.expect("it is known");
    let before = until.checked_sub(Duration::from_nanos(1)).expect("later");
    assert!(!locked(&inbox.state).is_filled(before));
    assert!(locked(&inbox.state).is_filled(until), "at the latest");
    inbox.submit(&message(3), Some(3)).expect("open");
    assert!(locked(&inbox.state).is_filled(before), "now it is awaited");
    let chunk = ordered(&inbox);
    assert_eq!(chunk.tokens, [3]);
    assert_eq!(chunk.bytes(), inbox.pending_bytes());
    assert_eq!(locked(&inbox.state).unawaited_until, None);
}

#[test]
fn alone_it_goes_when_its_time_has_come() {
    let inbox = Inbox::<u64>::new(1 << 20);
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| ordered(&inbox));
        until_gathering(&inbox);
        inbox.submit(&removal(1), None).expect("open");
        let submitted = Instant::now();
        while !locked(&inbox.state).filling.is_empty() {
            if submitted.elapsed().as_secs() > 30 {
                inbox.close();
                panic!("nobody was told");
            }
            std::thread::yield_now();
        }
        assert!(!taken.join().expect("no panic").is_empty());
    });
}

#[test]
fn only_the_first_that_nobody_waits_for_wakes_anyone() {
    let inbox = Inbox::new(1 << 20);
    inbox.submit(&removal(1), None).expect("open");
    let late = Instant::now() + Duration::from_secs(600);
    locked(&inbox.state).unawaited_until = Some(late);
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| ordered(&inbox));
        until_gathering(&inbox);
        inbox.submit(&removal(2), None).expect("open");
        assert!(locked(&inbox.state).sleeping, "it has time");
        inbox.submit(&message(3), Some(3)).expect("open");
        let chunk = taken.join().expect("no panic");
        assert_eq!(chunk.tokens, [3]);
    });
}

#[test]
fn who_wakes_up_in_time_is_not_woken_for_what_nobody_waits_for() {
    let is_woken = |wakes_at: Option<Instant>, token: Option<u64>| {
        let inbox = Inbox::new(1 << 20);
        let mut state = locked(&inbox.state);
        (state.sleeping, state.wakes_at) = (true, wakes_at);
        drop(state);
        inbox.submit(&removal(1), token).expect("open");
        !locked(&inbox.state).sleeping
    };
    let (soon, late) = (Instant::now(), Instant::now() + Duration::from_secs(600));
    assert!(!is_woken(Some(soon), None));
    assert!(is_woken(Some(late), None));
    assert!(is_woken(None, None), "it sleeps without a limit");
    assert!(is_woken(Some(soon), Some(1)), "somebody waits");
}

#[test]
fn who_is_busy_sleeps_in_naps_and_takes_what_nobody_waits_for_after_one() {
    let inbox = Inbox::<u64>::new(1 << 20);
    let far = Instant::now() + Duration::from_secs(600);
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| inbox.next(Some(far)).is_some());
        until_gathering(&inbox);
        let wakes_at = locked(&inbox.state).wakes_at;
        inbox.submit(&removal(1), None).expect("open");
        assert!(taken.join().expect("no panic"));
        assert!(wakes_at <= Some(Instant::now() + limits::UNAWAITED_WAIT));
        assert!(Instant::now() < far);
    });
}

#[test]
fn a_close_takes_along_what_nobody_waits_for() {
    let inbox = Inbox::<u64>::new(1 << 20);
    inbox.submit(&removal(1), None).expect("open");
    locked(&inbox.state).unawaited_until = Some(Instant::now() + Duration::from_secs(600));
    inbox.close();
    assert!(!ordered(&inbox).is_empty());
    assert!(matches!(inbox.next(None), Some(Next::Stop)));
}

#[test]
fn waiting_ends_at_its_time_and_work_comes_first() {
    let inbox: Inbox<u64> = Inbox::new(1 << 20);
    let soon = || Some(Instant::now() + Duration::from_millis(2));
    let end = soon();
    assert!(inbox.next(end).is_none());
    assert!(end <= Some(Instant::now()), "not before");
    assert!(inbox.next(Some(Instant::now())).is_none());
    inbox.submit(&message(1), Some(1)).expect("open");
    match inbox.next(Some(Instant::now())) {
        Some(Next::Ordered(chunk)) => assert_eq!(chunk.tokens, [1]),
        _ => panic!("work is due whatever the time"),
    }
}
