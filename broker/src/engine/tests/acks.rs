//! Every kind of acknowledgement, and what comes back with which count.

use super::harness::{Broker, Client, ack_of, broker_sequence, texts};
use crate::outgoing::Delivery;
use crate::peer::AckKind;
use wire::openwire::ConsumerId;

/// A client with a consumer that holds so many messages.
fn holding(broker: &Broker, count: usize, prefetch: i32) -> (Client, ConsumerId, Vec<Delivery>) {
    let mut client = broker.client("a");
    client.send_all("q", (0..count).map(|n| n.to_string()));
    let consumer = client.consume("q", prefetch);
    let window = usize::try_from(prefetch).expect("positive").min(count);
    let held = client.expect(&consumer, window);
    (client, consumer, held)
}

#[test]
fn ranges_singles_and_open_ranges() {
    let broker = Broker::start();
    let (mut client, consumer, held) = holding(&broker, 8, 100);
    client.ack(&consumer, AckKind::Standard, &held[2..4]);
    let last = held[1].message.message_id.clone();
    client
        .peer
        .ack(ack_of(&consumer, AckKind::Standard, None, last, 2), None);
    let middle = held[6].message.message_id.clone();
    client.peer.ack(
        ack_of(&consumer, AckKind::Individual, None, middle, 1),
        None,
    );
    client.sync();
    assert_eq!(broker.messages("q"), 3);
    client.peer.remove_consumer(&consumer, -1);
    let consumer = client.consume("q", 100);
    assert_eq!(texts(&client.expect(&consumer, 3)), ["4", "5", "7"]);
    assert!(client.errors().is_empty());
}

#[test]
fn delivered_widens_the_window_and_standard_shrinks_it() {
    let broker = Broker::start();
    let (mut client, consumer, held) = holding(&broker, 20, 4);
    client.ack(&consumer, AckKind::Delivered, &held[..2]);
    let mut all = held.clone();
    all.extend(client.expect(&consumer, 2));
    client.ack(&consumer, AckKind::Delivered, &all[..4]);
    all.extend(client.expect(&consumer, 2));
    client.ack(&consumer, AckKind::Redelivered, &all[..4]);
    client.expect(&consumer, 0);
    client.ack(&consumer, AckKind::Standard, &all[..4]);
    client.expect(&consumer, 0);
    client.ack(&consumer, AckKind::Standard, &all[4..5]);
    client.expect(&consumer, 1);
    assert_eq!(broker.messages("q"), 15);
}

#[test]
fn unmatched_acknowledgements_are_errors_unless_nothing_was_dispatched() {
    let broker = Broker::start();
    let (mut client, consumer, held) = holding(&broker, 2, 1);
    client.ack(&consumer, AckKind::Standard, &held);
    client.expect(&consumer, 1);
    client.ack(&consumer, AckKind::Standard, &held);
    client.sync();
    let errors = client.errors();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]
            .message
            .starts_with("Unmatched acknowledge: Standard of 1 messages from a:1:1:1")
    );
    let idle = client.consume("other", 1);
    client.ack(&idle, AckKind::Standard, &held);
    client.sync();
    assert!(client.errors().is_empty());
    assert_eq!(broker.messages("q"), 1);
}

/// Closes a consumer that held five with this last delivered one, and returns
/// the counts with which they come again.
fn counts_after(last_delivered: impl Fn(&[Delivery]) -> i64) -> Vec<u32> {
    let broker = Broker::start();
    let (mut client, consumer, held) = holding(&broker, 5, 100);
    client
        .peer
        .remove_consumer(&consumer, last_delivered(&held));
    let consumer = client.consume("q", 100);
    let again = client.expect(&consumer, 5);
    assert_eq!(texts(&again), ["0", "1", "2", "3", "4"], "in the old order");
    again.iter().map(|delivery| delivery.redeliveries).collect()
}

#[test]
fn the_last_delivered_rule() {
    assert_eq!(counts_after(|_| -2), [1, 1, 1, 1, 1]);
    assert_eq!(counts_after(|_| -1), [0, 0, 0, 0, 0]);
    assert_eq!(
        counts_after(|held| broker_sequence(&held[1])),
        [1, 1, 0, 0, 0]
    );
    assert_eq!(counts_after(|_| 4_711), [0, 0, 0, 0, 0]);
}

#[test]
fn a_lost_connection_returns_everything_to_others_in_order() {
    let broker = Broker::start();
    let (client, _, _) = holding(&broker, 10, 4);
    let mut other = broker.client("b");
    let consumer = other.consume("q", 100);
    assert_eq!(
        texts(&other.expect(&consumer, 6)),
        ["4", "5", "6", "7", "8", "9"]
    );
    drop(client);
    let back = other.expect(&consumer, 4);
    assert_eq!(texts(&back), ["0", "1", "2", "3"]);
    assert!(back.iter().all(|delivery| delivery.redeliveries == 1));
}

#[test]
fn counts_are_kept_over_a_takeover() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send("q", "x");
    for count in 0..3 {
        let consumer = client.consume("q", 1);
        assert_eq!(client.expect(&consumer, 1)[0].redeliveries, count);
        client.peer.remove_consumer(&consumer, -2);
    }
    client.sync();
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    let consumer = client.consume("q", 1);
    assert_eq!(client.expect(&consumer, 1)[0].redeliveries, 3);
}

#[test]
fn acknowledgements_after_a_failover_match_what_still_waits() {
    let broker = Broker::start();
    let (client, _, held) = holding(&broker, 4, 100);
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    // Replayed with prefetch 0, then the old acknowledgements, then the window.
    let consumer = client.consume("q", 0);
    client.ack(&consumer, AckKind::Standard, &held[..2]);
    client.peer.flush_touched();
    super::harness::until("the stale acknowledgement", || {
        (broker.messages("q") == 2).then_some(())
    });
    client.peer.set_prefetch(&consumer, 10);
    let again = client.expect(&consumer, 2);
    assert_eq!(texts(&again), ["2", "3"]);
    assert!(again.iter().all(|delivery| delivery.redeliveries >= 1));
    assert!(client.errors().is_empty());
    let broker = broker.restart(client);
    assert_eq!(broker.messages("q"), 2, "and they stay away");
}
