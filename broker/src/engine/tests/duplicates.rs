//! The guard against resent messages, across takeovers.

use super::harness::{Broker, Client, message, queue};
use wire::openwire::Message;

/// A message of one of several producers of a client.
fn message_of(client: &Client, producer: i64, number: i64) -> Message {
    let mut sent = message(&client.name, number, queue("q"), "x");
    for id in [
        sent.producer_id.as_mut(),
        sent.message_id
            .as_mut()
            .and_then(|id| id.producer_id.as_mut()),
    ] {
        id.expect("it has one").value = producer;
    }
    sent
}

#[test]
fn producers_that_share_a_burst_are_all_remembered_by_the_next_master() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    for number in 1..=2 {
        for producer in 1..=3 {
            let sent = message_of(&client, producer, number);
            let _ = client.peer.send(sent.into(), None);
        }
    }
    client.sync();
    assert_eq!(broker.messages("q"), 6);
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    for number in 1..=2 {
        for producer in 1..=3 {
            let again = message_of(&client, producer, number);
            client.send_message(again).expect("answered");
        }
    }
    assert_eq!(broker.messages("q"), 6, "each is stored once");
}

#[test]
fn a_transaction_that_was_overtaken_by_more_than_the_window_is_stored_whole() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let (early, late) = (client.begin(1), client.begin(2));
    for number in 1..=3 {
        client.send_in(&early, "q", &number.to_string());
    }
    for number in 4..=100 {
        client.send_in(&late, "q", &number.to_string());
    }
    client.commit(&late).expect("committed");
    client.commit(&early).expect("committed");
    assert_eq!(broker.messages("q"), 100);
}

#[test]
fn what_is_too_old_to_be_known_is_dropped_only_when_a_client_that_came_back_sends_it() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (1..=100).map(|number| number.to_string()));
    let again = |number| message("a", number, queue("q"), "again");
    client.send_message(again(99)).expect("answered");
    assert_eq!(broker.messages("q"), 100, "known to be a duplicate");
    client.send_message(again(1)).expect("answered");
    assert_eq!(broker.messages("q"), 101, "it may have been late");

    let broker = broker.restart(client);
    let back = |hello: &mut crate::engine::Hello| hello.failover_reconnect = true;
    let mut client = broker.try_client("a", back).expect("connects");
    for number in 1..=100 {
        client.send_message(again(number)).expect("answered");
    }
    assert_eq!(broker.messages("q"), 101, "all of them were stored before");
    client.send_message(again(101)).expect("answered");
    assert_eq!(broker.messages("q"), 102);
}
