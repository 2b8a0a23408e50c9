//! The promise behind all others here: the checker catches each kind of broken promise, and accuses nobody falsely.
//!
//! Hand-made histories only; no broker runs.

use crate::support::checker::violations;
use crate::support::history::{Event, Incarnation, MessageName, TransactionName};

const TX: TransactionName = TransactionName(1);
const OTHER_TX: TransactionName = TransactionName(2);

fn message(number: u64) -> MessageName {
    MessageName {
        producer: 1,
        number,
    }
}

fn life(consumer: u32, life: u32) -> Incarnation {
    Incarnation { consumer, life }
}

fn asked(number: u64, transaction: Option<TransactionName>) -> Event {
    Event::SendAsked {
        message: message(number),
        queue: 0,
        persistent: true,
        transaction,
    }
}

fn answered(number: u64) -> Event {
    Event::SendAnswered {
        message: message(number),
    }
}

fn opened(by: Incarnation, master: &str) -> Event {
    Event::Opened {
        by,
        queue: 0,
        master: master.to_owned(),
    }
}

fn received(by: Incarnation, number: u64, redelivered: bool) -> Event {
    Event::Received {
        by,
        message: message(number),
        redelivered,
        stored_as: i64::try_from(number).expect("small"),
        intact: true,
    }
}

fn acked(by: Incarnation, numbers: &[u64]) -> Event {
    Event::AckAnswered {
        by,
        messages: numbers.iter().map(|number| message(*number)).collect(),
    }
}

fn drained() -> Event {
    Event::Drained { queue: 0 }
}

fn commit_asked() -> Event {
    Event::CommitAsked { transaction: TX }
}

fn committed() -> Event {
    Event::Committed { transaction: TX }
}

fn assert_caught(promise: u8, words: &str, events: &[Event]) {
    let found = violations(events);
    assert!(
        found
            .iter()
            .any(|violation| violation.promise == promise && violation.what.contains(words)),
        "promise {promise}, `{words}`: {found:?}"
    );
}

fn assert_clean(events: &[Event]) {
    assert_eq!(violations(events), Vec::new());
}

/// Two messages sent, delivered, one across a takeover, and acknowledged.
fn good() -> Vec<Event> {
    vec![
        Event::MasterReady {
            broker: "a".to_owned(),
            epoch: 1,
        },
        opened(life(1, 1), "a"),
        asked(1, None),
        received(life(1, 1), 1, false),
        answered(1),
        asked(2, None),
        Event::MasterReady {
            broker: "b".to_owned(),
            epoch: 2,
        },
        opened(life(1, 2), "b"),
        received(life(1, 2), 1, true),
        acked(life(1, 2), &[1]),
        asked(2, None),
        answered(2),
        received(life(1, 2), 2, true),
        acked(life(1, 2), &[2]),
        drained(),
    ]
}

fn good_transaction() -> Vec<Event> {
    vec![
        opened(life(1, 1), "a"),
        asked(1, Some(TX)),
        asked(2, Some(TX)),
        commit_asked(),
        committed(),
        received(life(1, 1), 1, false),
        received(life(1, 1), 2, false),
        drained(),
    ]
}

#[test]
fn good_histories_are_clean() {
    assert_clean(&[]);
    assert_clean(&good());
    assert_clean(&good_transaction());
}

#[test]
fn a_lost_message_is_caught() {
    let mut events = vec![opened(life(1, 1), "a"), asked(1, None), answered(1)];
    assert_clean(&events); // not drained yet: it may still come
    events.push(drained());
    assert_caught(1, "p1#1 is lost", &events);
}

#[test]
fn an_unanswered_message_may_be_lost() {
    assert_clean(&[asked(1, None), drained()]);
}

#[test]
fn a_lost_transaction_is_caught() {
    assert_caught(
        1,
        "tx1 was committed",
        &[asked(1, Some(TX)), commit_asked(), committed(), drained()],
    );
}

#[test]
fn a_torn_transaction_is_caught_in_doubt_too() {
    let mut events = good_transaction();
    events.retain(|event| *event != received(life(1, 1), 2, false));
    assert_caught(1, "p1#2 is lost", &events);
    events.retain(|event| *event != committed());
    assert_caught(2, "tx1 is torn", &events);
}

#[test]
fn a_transaction_in_doubt_may_be_absent_as_a_whole() {
    assert_clean(&[
        asked(1, Some(TX)),
        asked(2, Some(TX)),
        commit_asked(),
        drained(),
    ]);
}

#[test]
fn a_rolled_back_message_is_caught() {
    let events = [
        opened(life(1, 1), "a"),
        asked(1, Some(TX)),
        commit_asked(),
        Event::RolledBack { transaction: TX },
        received(life(1, 1), 1, false),
    ];
    assert_caught(2, "p1#1 was seen although tx1 was rolled back", &events);
}

#[test]
fn a_repeated_transaction_may_carry_what_the_first_lost() {
    assert_clean(&[
        opened(life(1, 1), "a"),
        asked(1, Some(TX)),
        Event::RolledBack { transaction: TX },
        asked(1, Some(OTHER_TX)),
        Event::CommitAsked {
            transaction: OTHER_TX,
        },
        Event::Committed {
            transaction: OTHER_TX,
        },
        received(life(1, 1), 1, false),
        drained(),
    ]);
}

#[test]
fn a_message_seen_before_its_commit_is_caught() {
    let events = [
        opened(life(1, 1), "a"),
        asked(1, Some(TX)),
        received(life(1, 1), 1, false),
        commit_asked(),
        committed(),
    ];
    assert_caught(2, "before tx1 was committed", &events);
}

#[test]
fn an_acknowledged_message_that_returns_is_caught() {
    let mut events = good();
    events.push(opened(life(2, 1), "b"));
    events.push(received(life(2, 1), 1, true));
    assert_caught(3, "p1#1 came back to c2.1", &events);
}

#[test]
fn a_message_consumed_in_a_committed_transaction_that_returns_is_caught() {
    let events = [
        opened(life(1, 1), "a"),
        asked(1, None),
        received(life(1, 1), 1, false),
        Event::ConsumedIn {
            transaction: TX,
            by: life(1, 1),
            messages: vec![message(1)],
        },
        commit_asked(),
        committed(),
        opened(life(2, 1), "a"),
        received(life(2, 1), 1, true),
    ];
    assert_caught(3, "p1#1 came back", &events);
}

#[test]
fn a_late_read_from_a_dead_master_is_no_return() {
    let mut events = vec![
        opened(life(2, 1), "a"),
        asked(1, None),
        answered(1),
        opened(life(1, 1), "b"),
        received(life(1, 1), 1, true),
        acked(life(1, 1), &[1]),
        received(life(2, 1), 1, false),
    ];
    assert_clean(&events);
    events[0] = opened(life(2, 1), "b");
    events.swap(0, 3);
    assert_caught(3, "p1#1 came back to c2.1", &events);
}

#[test]
fn a_missing_redelivered_flag_is_caught() {
    let mut events = good();
    events[8] = received(life(1, 2), 1, false);
    assert_caught(
        3,
        "p1#1 was delivered to c1.2 (event 8) without the redelivered flag",
        &events,
    );
    // Flagged in vain once, then not flagged: the counter was lost.
    events[3] = received(life(1, 1), 1, true);
    assert_caught(3, "without the redelivered flag", &events);
}

#[test]
fn a_message_stored_twice_is_caught() {
    let mut events = good();
    events[8] = Event::Received {
        by: life(1, 2),
        message: message(1),
        redelivered: true,
        stored_as: 77,
        intact: true,
    };
    assert_caught(4, "p1#1 is stored twice", &events);
}

#[test]
fn broken_order_is_caught() {
    let mut events = vec![opened(life(1, 1), "a"), asked(1, None), asked(2, None)];
    events.extend([
        received(life(1, 1), 2, false),
        received(life(1, 1), 1, false),
    ]);
    assert_caught(5, "p1#1 (event 4) was seen by c1.1 after p1#2", &events);
}

#[test]
fn broken_order_under_the_flag_is_caught_for_an_only_consumer() {
    let mut events = vec![opened(life(1, 1), "a"), asked(1, None), asked(2, None)];
    events.extend([received(life(1, 1), 2, true), received(life(1, 1), 1, true)]);
    assert_caught(5, "by the only consumer", &events);
    // With a second consumer it may have been there in between.
    events.insert(0, opened(life(2, 1), "a"));
    assert_clean(&events);
}

#[test]
fn order_is_per_producer() {
    let other = MessageName {
        producer: 2,
        number: 1,
    };
    assert_clean(&[
        opened(life(1, 1), "a"),
        asked(5, None),
        Event::SendAsked {
            message: other,
            queue: 0,
            persistent: true,
            transaction: None,
        },
        received(life(1, 1), 5, false),
        Event::Received {
            by: life(1, 1),
            message: other,
            redelivered: false,
            stored_as: 9,
            intact: true,
        },
    ]);
}

#[test]
fn two_masters_of_one_epoch_are_caught() {
    let mut events = good();
    events.push(Event::MasterReady {
        broker: "a".to_owned(),
        epoch: 2,
    });
    assert_caught(6, "a became master with epoch 2", &events);
}

#[test]
fn messages_from_nowhere_damaged_or_refused_are_caught() {
    assert_caught(0, "never sent", &[received(life(1, 1), 1, false)]);
    let mut events = good();
    events[3] = Event::Received {
        by: life(1, 1),
        message: message(1),
        redelivered: false,
        stored_as: 1,
        intact: false,
    };
    assert_caught(0, "arrived damaged", &events);
    let refused = [
        asked(1, None),
        Event::SendRefused {
            message: message(1),
        },
        received(life(1, 1), 1, false),
    ];
    assert_caught(0, "was refused", &refused);
}

#[test]
fn a_non_persistent_message_may_be_lost_but_not_doubled() {
    let send = Event::SendAsked {
        message: message(1),
        queue: 0,
        persistent: false,
        transaction: None,
    };
    assert_clean(&[send.clone(), answered(1), drained()]);
    let twice = [
        send,
        received(life(1, 1), 1, false),
        received(life(1, 1), 1, false),
    ];
    assert_caught(3, "without the redelivered flag", &twice);
}
