//! Poison and expiry.

use super::harness::{Broker, ack_of, message, queue, texts};
use crate::peer::AckKind;
use std::sync::atomic::Ordering;
use wire::openwire::Primitive;

const DLQ: &str = "ActiveMQ.DLQ";

#[test]
fn poison_goes_to_the_dead_letter_queue_with_its_cause() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let mut sent = message("p", 1, queue("q"), "bad");
    sent.expiration = i64::MAX;
    client.send_message(sent).expect("sent");
    let consumer = client.consume("q", 10);
    let held = client.expect(&consumer, 1);
    let id = held[0].message.message_id.clone();
    let mut ack = ack_of(&consumer, AckKind::Poison, id.clone(), id.clone(), 1);
    ack.cause = Some("java.lang.Throwable: Delivery[7] exceeds redelivery policy limit".to_owned());
    client.peer.ack(ack, None);
    client.sync();
    assert_eq!((broker.messages("q"), broker.messages(DLQ)), (0, 1));
    let broker = broker.restart(client);
    assert_eq!((broker.messages("q"), broker.messages(DLQ)), (0, 1));
    let mut client = broker.client("a");
    let consumer = client.consume(DLQ, 10);
    let dead = client.expect(&consumer, 1);
    let letter = &dead[0].message;
    assert_eq!(texts(&dead), ["bad"]);
    assert_eq!(letter.message_id, id, "the same message");
    assert_eq!(letter.expiration, 0);
    assert_eq!(letter.destination, Some(queue(DLQ)));
    assert_eq!(letter.original_destination, Some(queue("q")));
    let cause = letter
        .property("dlqDeliveryFailureCause")
        .expect("readable");
    let words = "java.lang.Throwable: Delivery[7] exceeds redelivery policy limit";
    assert_eq!(cause, Some(Primitive::String(words.into())));
    // Poison in the dead letter queue itself ends there.
    client.ack(&consumer, AckKind::Poison, &dead);
    client.sync();
    assert_eq!(broker.messages(DLQ), 0);
}

#[test]
fn expired_messages_are_not_delivered_and_persistent_ones_kept() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    for (number, persistent) in [(1, true), (2, false)] {
        let mut sent = message("p", number, queue("q"), "old");
        sent.persistent = persistent;
        sent.expiration = 1_000_500;
        client.send_message(sent).expect("sent");
    }
    client.send("q", "fresh");
    broker.time.store(1_001_000, Ordering::SeqCst);
    let consumer = client.consume("q", 10);
    assert_eq!(texts(&client.expect(&consumer, 1)), ["fresh"]);
    assert_eq!((broker.messages("q"), broker.messages(DLQ)), (1, 1));
    let consumer = client.consume(DLQ, 10);
    assert_eq!(texts(&client.expect(&consumer, 1)), ["old"]);
}

#[test]
fn a_client_that_finds_a_message_expired_says_so() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send("q", "late");
    let consumer = client.consume("q", 10);
    let held = client.expect(&consumer, 1);
    client.ack(&consumer, AckKind::Expired, &held);
    client.sync();
    assert_eq!((broker.messages("q"), broker.messages(DLQ)), (0, 1));
}

#[test]
fn expired_messages_that_nobody_asks_for_are_found() {
    let broker = Broker::start_with(|settings| {
        settings.expiry_period = std::time::Duration::from_millis(5);
    });
    let mut client = broker.client("a");
    let mut sent = message("p", 1, queue("q"), "old");
    sent.expiration = 1_000_500;
    client.send_message(sent).expect("sent");
    broker.time.store(1_001_000, Ordering::SeqCst);
    super::harness::until("the search", || (broker.messages(DLQ) == 1).then_some(()));
    assert_eq!(broker.messages("q"), 0);
}
