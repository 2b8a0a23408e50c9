//! Local transactions: whole or not at all, in memory and spilled.

use super::harness::{Broker, message, queue, temporary, texts};
use crate::limits::{PEER_STAGED_BYTES, PEER_STAGED_SHARE_BYTES, TRANSACTION_MEMORY};
use crate::outgoing::Reply;
use crate::peer::{AckKind, Admission};
use wire::openwire::{Destination, TransactionId, XaTransactionId};

#[test]
fn nothing_is_seen_before_the_commit_and_all_after_it() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let one = client.consume("one", 10);
    let two = client.consume("two", 10);
    let tx = client.begin(1);
    client.send_in(&tx, "one", "1");
    client.send_in(&tx, "two", "2");
    client.send_in(&tx, "one", "3");
    client.expect(&one, 0);
    client.expect(&two, 0);
    assert_eq!(client.commit(&tx), Ok(Reply::Ok));
    assert_eq!(texts(&client.expect(&one, 2)), ["1", "3"]);
    assert_eq!(texts(&client.expect(&two, 1)), ["2"]);
    let broker = broker.restart(client);
    assert_eq!((broker.messages("one"), broker.messages("two")), (2, 1));
}

#[test]
fn a_rollback_leaves_messages_with_their_consumer() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..4).map(|n| n.to_string()));
    let consumer = client.consume("q", 2);
    let held = client.expect(&consumer, 2);
    let tx = client.begin(1);
    client.send_in(&tx, "q", "never");
    client.ack_in(Some(&tx), &consumer, AckKind::Standard, &held);
    let more = client.expect(&consumer, 2);
    assert_eq!(
        texts(&more),
        ["2", "3"],
        "what is acknowledged makes room in the window"
    );
    assert_eq!(client.rollback(&tx), Ok(Reply::Ok));
    client.expect(&consumer, 0);
    assert_eq!(broker.messages("q"), 4);
    // The client redelivers from its own memory and acknowledges again.
    let tx = client.begin(2);
    client.ack_in(Some(&tx), &consumer, AckKind::Standard, &held);
    client.commit(&tx).expect("commits");
    assert_eq!(broker.messages("q"), 2);
    client.peer.remove_consumer(&consumer, -2);
    let consumer = client.consume("q", 10);
    assert_eq!(texts(&client.expect(&consumer, 2)), ["2", "3"]);
}

#[test]
fn a_consumer_that_is_gone_gets_nothing_back() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send("q", "x");
    let consumer = client.consume("q", 1);
    let held = client.expect(&consumer, 1);
    let tx = client.begin(1);
    client.ack_in(Some(&tx), &consumer, AckKind::Standard, &held);
    client.peer.remove_consumer(&consumer, -1);
    let other = client.consume("q", 1);
    client.expect(&other, 0);
    client.rollback(&tx).expect("rolls back");
    assert_eq!(client.expect(&other, 1)[0].redeliveries, 1);
}

#[test]
fn a_lost_connection_rolls_back() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send("q", "kept");
    let consumer = client.consume("q", 1);
    let held = client.expect(&consumer, 1);
    let tx = client.begin(1);
    client.send_in(&tx, "q", "gone");
    client.ack_in(Some(&tx), &consumer, AckKind::Standard, &held);
    drop(client);
    let mut client = broker.client("b");
    let consumer = client.consume("q", 10);
    let again = client.expect(&consumer, 1);
    assert_eq!(
        (texts(&again)[0].as_str(), again[0].redeliveries),
        ("kept", 1)
    );
    assert_eq!(
        broker.engine.usage().memory_bytes,
        again[0].message.content.as_ref().map_or(0, |c| c.len()) + crate::limits::MESSAGE_OVERHEAD
    );
}

#[test]
fn a_commit_asked_twice_is_answered_alike() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let tx = client.begin(1);
    client.send_in(&tx, "q", "x");
    client.commit(&tx).expect("commits");
    assert_eq!(client.commit(&tx), Ok(Reply::Ok));
    let broker = broker.restart(client);
    let mut client = broker
        .try_client("a", |hello| hello.failover_reconnect = true)
        .expect("connects");
    assert_eq!(client.commit(&tx), Ok(Reply::Ok));
    // All of it again, as a client in doubt would replay it.
    client.produced = 0;
    let again = client.begin(1);
    client.send_in(&again, "q", "x");
    assert_eq!(client.commit(&again), Ok(Reply::Ok));
    assert_eq!(broker.messages("q"), 1);
    let unknown = client.transaction(77);
    let refusal = client.commit(&unknown).expect_err("never begun");
    assert_eq!(
        refusal.message,
        "Transaction 'TX:a:77' has not been started."
    );
    assert!(client.rollback(&unknown).is_err());
    assert_eq!(broker.engine.usage().in_flight_bytes, 0);
}

#[test]
fn duplicates_within_transactions_are_dropped() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send("q", "1");
    let tx = client.begin(1);
    client.produced = 0;
    client.send_in(&tx, "q", "1");
    client.send_in(&tx, "q", "2");
    client.commit(&tx).expect("commits");
    assert_eq!(broker.messages("q"), 2);
    // Rolled back and sent again under the same numbers: that is no duplicate.
    let tx = client.begin(2);
    client.send_in(&tx, "q", "3");
    client.rollback(&tx).expect("rolls back");
    client.produced -= 1;
    client.send("q", "3");
    assert_eq!(broker.messages("q"), 3);
}

#[test]
fn what_failed_within_fails_the_commit() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let tx = client.begin(1);
    client.send_in(&tx, "q", "x");
    let mut bad = message("a", 99, queue("a,b"), "y");
    bad.transaction_id = Some(tx.clone());
    assert_eq!(client.peer.send(bad.into(), None), Admission::Go);
    assert_eq!(client.errors().len(), 1);
    let refusal = client.commit(&tx).expect_err("a send of it had failed");
    assert_eq!(refusal.class, "javax.jms.TransactionRolledBackException");
    client.send("q", "1");
    let consumer = client.consume("q", 1);
    let held = client.expect(&consumer, 1);
    client.ack(&consumer, AckKind::Standard, &held);
    let tx = client.begin(2);
    client.ack_in(Some(&tx), &consumer, AckKind::Standard, &held);
    assert!(
        client.commit(&tx).is_err(),
        "it acknowledged what it does not hold"
    );
    let xa = TransactionId::Xa(XaTransactionId::default());
    assert!(client.peer.begin(xa).is_err());
}

/// Sends more in one transaction than it may keep in memory.
fn send_much(client: &mut super::harness::Client, tx: &TransactionId) -> usize {
    let text = "x".repeat(2_000);
    let count = TRANSACTION_MEMORY / 2_000 * 3;
    for n in 0..count {
        client.produced += 1;
        let mut sent = message(
            &client.name,
            client.produced,
            queue("q"),
            &format!("{n} {text}"),
        );
        sent.transaction_id = Some(tx.clone());
        let _ = client.peer.send(sent.into(), None);
    }
    count
}

#[test]
fn a_big_transaction_spills_and_stays_whole() {
    let broker = Broker::start();
    let mut other = broker.client("b");
    let consumer = other.consume("q", 1_000);
    let mut client = broker.client("a");
    let tx = client.begin(1);
    let count = send_much(&mut client, &tx);
    let memory = broker.engine.usage().memory_bytes;
    assert!(
        memory <= TRANSACTION_MEMORY + 20_000,
        "{memory} bytes in memory"
    );
    other.send("q", "between");
    assert_eq!(texts(&other.expect(&consumer, 1)), ["between"]);
    client.commit(&tx).expect("commits");
    client.send("q", "after");
    let got = texts(&other.expect(&consumer, count + 1));
    let numbers: Vec<_> = got
        .iter()
        .map(|text| text.split(' ').next().unwrap_or_default())
        .collect();
    let mut expected: Vec<String> = (0..count).map(|n| n.to_string()).collect();
    expected.push("after".to_owned());
    assert_eq!(numbers, expected, "in order, spilled or not");
    assert_eq!(client.commit(&tx), Ok(Reply::Ok));
    let broker = broker.restart((client, other));
    assert_eq!(broker.messages("q"), count as u64 + 2);
}

#[test]
fn a_big_transaction_that_is_rolled_back_or_cut_off_leaves_nothing() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let consumer = client.consume("q", 1_000);
    let tx = client.begin(1);
    send_much(&mut client, &tx);
    client.rollback(&tx).expect("rolls back");
    client.send("q", "1");
    assert_eq!(texts(&client.expect(&consumer, 1)), ["1"]);
    let tx = client.begin(2);
    send_much(&mut client, &tx);
    client.sync();
    // The master ends with the transaction open.
    let broker = broker.restart(client);
    assert_eq!(broker.messages("q"), 1);
    let mut client = broker.client("a");
    let consumer = client.consume("q", 1_000);
    client.send("q", "2");
    assert_eq!(texts(&client.expect(&consumer, 2)), ["1", "2"]);
    assert_eq!(broker.engine.usage().in_flight_bytes, 0);
}

/// Sends a message of this size in a transaction and does not wait.
fn send_sized(
    client: &mut super::harness::Client,
    tx: &TransactionId,
    to: Destination,
    size: usize,
) {
    client.produced += 1;
    let text = "x".repeat(size);
    let mut sent = message(&client.name, client.produced, to, &text);
    sent.transaction_id = Some(tx.clone());
    let _ = client.peer.send(sent.into(), None);
}

#[test]
fn many_transactions_of_one_connection_share_one_budget() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let open: Vec<_> = (1..=40).map(|number| client.begin(number)).collect();
    // Each stays below what one transaction may keep in memory.
    for tx in &open {
        for _ in 0..10 {
            send_sized(&mut client, tx, queue("q"), 2_000);
        }
    }
    client.sync();
    let memory = broker.engine.usage().memory_bytes;
    assert!(
        memory <= PEER_STAGED_BYTES + 20_000,
        "{memory} bytes in memory"
    );
    for tx in &open[1..] {
        client.commit(tx).expect("commits");
    }
    client.rollback(&open[0]).expect("rolls back");
    assert_eq!(broker.messages("q"), 390);
    assert!(broker.engine.memory.has_room_for_transactions());
    let broker = broker.restart(client);
    assert_eq!(broker.messages("q"), 390);
}

#[test]
fn transactions_of_all_connections_share_the_memory_and_nobody_starves() {
    let limit = 100_000;
    let broker = Broker::start_with(|settings| settings.memory_limit = limit);
    let mut clients: Vec<_> = (0..10)
        .map(|n| broker.client(&format!("client-{n}")))
        .collect();
    let open: Vec<_> = clients.iter_mut().map(|client| client.begin(1)).collect();
    for (client, tx) in clients.iter_mut().zip(&open) {
        for _ in 0..6 {
            send_sized(client, tx, queue("q"), 2_000);
        }
        client.sync();
    }
    let memory = broker.engine.usage().memory_bytes;
    let allowed = limit / 2 + 10 * PEER_STAGED_SHARE_BYTES;
    assert!(memory <= allowed + 5_000, "{memory} bytes in memory");
    for (client, tx) in clients.iter_mut().zip(&open) {
        client.commit(tx).expect("commits");
    }
    assert_eq!(broker.messages("q"), 60);
}

#[test]
fn what_cannot_wait_in_the_store_is_refused_and_does_not_stay_in_memory() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let replies = temporary("a:1");
    client
        .peer
        .add_temporary(replies.clone())
        .expect("a temporary queue");
    let open: Vec<_> = (1..=8).map(|number| client.begin(number)).collect();
    for tx in &open {
        for _ in 0..10 {
            send_sized(&mut client, tx, replies.clone(), 4_000);
        }
    }
    client.sync();
    assert!(!client.errors().is_empty());
    let memory = broker.engine.usage().memory_bytes;
    assert!(memory <= PEER_STAGED_BYTES, "{memory} bytes in memory");
    client.commit(&open[0]).expect("it fitted");
    assert!(client.commit(&open[7]).is_err(), "a send of it was refused");
    for tx in &open[1..7] {
        let _ = client.commit(tx);
    }
    assert!(broker.engine.memory.has_room_for_transactions());
}
