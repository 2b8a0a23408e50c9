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
            let _ = client.peer.send(sent, None);
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
