//! What the next master finds.

use super::harness::{Broker, texts, until};
use crate::limits::MARK_STEP;
use crate::peer::AckKind;

#[test]
fn nothing_is_lost_and_what_was_acknowledged_stays_away() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..10).map(|n| n.to_string()));
    let consumer = client.consume("q", 5);
    let held = client.expect(&consumer, 5);
    client.ack(&consumer, AckKind::Standard, &held[..3]);
    client.sync();
    let broker = broker.restart(client);
    assert_eq!(broker.messages("q"), 7);
    let mut client = broker.client("a");
    let consumer = client.consume("q", 100);
    let again = client.expect(&consumer, 7);
    assert_eq!(texts(&again), ["3", "4", "5", "6", "7", "8", "9"]);
    assert!(
        again.iter().all(|delivery| delivery.redeliveries == 1),
        "they may have been seen"
    );
}

#[test]
fn what_cannot_have_been_seen_is_not_flagged() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..10).map(|n| n.to_string()));
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    let consumer = client.consume("q", 100);
    let first = client.expect(&consumer, 10);
    assert!(first.iter().all(|delivery| delivery.redeliveries == 0));
    // New ones of the new epoch are not flagged either, though below the mark.
    client.send("q", "new");
    assert_eq!(client.expect(&consumer, 1)[0].redeliveries, 0);
}

#[test]
fn at_most_a_step_is_flagged_in_vain() {
    let count = usize::try_from(MARK_STEP).expect("small") * 3;
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..count).map(|n| n.to_string()));
    let consumer = client.consume("q", 1);
    client.expect(&consumer, 1);
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    let consumer = client.consume("q", i32::MAX);
    let again = client.expect(&consumer, count);
    assert!(
        texts(&again)
            .into_iter()
            .eq((0..count).map(|n| n.to_string()))
    );
    let flagged = again
        .iter()
        .filter(|delivery| delivery.redeliveries > 0)
        .count();
    assert!(
        (1..=count / 2).contains(&flagged),
        "{flagged} of {count} are flagged"
    );
    assert!(
        again[..flagged]
            .iter()
            .all(|delivery| delivery.redeliveries == 1)
    );
}

#[test]
fn a_long_drain_keeps_the_mark_ahead() {
    let count = usize::try_from(MARK_STEP).expect("small") * 4;
    let broker = Broker::start();
    let mut client = broker.client("a");
    let consumer = client.consume("q", 100);
    client.send_all("q", (0..count / 2).map(|n| n.to_string()));
    let mut got = Vec::new();
    let mut sent = count / 2;
    until("all messages", || {
        let batch = client.received(&consumer);
        if !batch.is_empty() {
            client.ack(&consumer, AckKind::Standard, &batch);
            got.extend(texts(&batch));
        }
        if sent < count {
            client.post("q", &sent.to_string());
            sent += 1;
        }
        (got.len() == count).then_some(())
    });
    assert!(got.into_iter().eq((0..count).map(|n| n.to_string())));
    client.sync();
    assert_eq!(broker.messages("q"), 0);
    let broker = broker.restart(client);
    assert_eq!(broker.messages("q"), 0);
}

#[test]
fn what_is_not_persistent_is_gone() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let _ = client.throw("q", "light");
    client.send("q", "kept");
    let _ = client.throw("q", "light");
    client.sync();
    assert_eq!(broker.messages("q"), 3);
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    let consumer = client.consume("q", 100);
    assert_eq!(texts(&client.expect(&consumer, 1)), ["kept"]);
    assert_eq!(broker.messages("q"), 1);
}

#[test]
fn broker_sequences_rise_over_takeovers_and_clients_of_the_old_master_do_nothing() {
    let broker = Broker::start();
    let mut old = broker.client("a");
    old.send("q", "1");
    broker.engine.close();
    let _ = old.post("q", "2");
    let consumer = old.consume("q", 0);
    old.peer.pull(&consumer, 0);
    assert!(old.others().is_empty(), "nothing is said any more");
    let broker = broker.restart(old);
    let mut client = broker.client("a");
    client.send("q", "3");
    let consumer = client.consume("q", 10);
    let got = client.expect(&consumer, 2);
    assert_eq!(texts(&got), ["1", "3"]);
    let sequence = super::harness::broker_sequence;
    assert!(sequence(&got[0]) >> 40 < sequence(&got[1]) >> 40);
}
