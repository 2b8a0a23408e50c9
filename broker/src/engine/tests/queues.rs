//! Order, windows, turns, refusals.

use super::harness::{Broker, broker_sequence, message, queue, text, texts};
use crate::outgoing::Outgoing;
use crate::peer::{AckKind, Admission};
use wire::openwire::{Destination, ProducerId, SessionId};

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn messages_come_in_order_and_only_as_many_as_the_window_takes() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let consumer = client.consume("q", 3);
    client.send_all("q", numbers(0..5));
    let first = client.expect(&consumer, 3);
    assert_eq!(texts(&first), ["0", "1", "2"]);
    assert!(first.iter().all(|delivery| delivery.redeliveries == 0));
    assert!(
        first
            .windows(2)
            .all(|w| broker_sequence(&w[0]) < broker_sequence(&w[1]))
    );
    assert!(
        broker_sequence(&first[0]) > 1 << 40,
        "above everything of earlier epochs"
    );
    client.ack(&consumer, AckKind::Standard, &first[..1]);
    assert_eq!(texts(&client.expect(&consumer, 1)), ["3"]);
    client.ack(&consumer, AckKind::Standard, &first[1..]);
    assert_eq!(texts(&client.expect(&consumer, 1)), ["4"]);
    assert_eq!(broker.messages("q"), 2);
}

#[test]
fn what_is_not_persistent_keeps_its_place_among_what_is() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let consumer = client.consume("q", 100);
    for n in 0..20 {
        if n % 3 == 0 {
            client.post("q", &n.to_string());
        } else {
            assert_eq!(client.throw("q", &n.to_string()), Admission::Go);
        }
        // Each burst is applied on its own, while the one before may be on its way to the disk.
        client.peer.flush_touched();
    }
    assert_eq!(texts(&client.expect(&consumer, 20)), numbers(0..20));
}

#[test]
fn consumers_take_turns_by_priority_and_exclusive_ones_take_all() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let one = client.consume("q", 10);
    let two = client.consume("q", 10);
    client.send_all("q", numbers(0..4));
    assert_eq!(texts(&client.expect(&one, 2)), ["0", "2"]);
    assert_eq!(texts(&client.expect(&two, 2)), ["1", "3"]);
    let mut spec = client.spec(queue("q"), 2);
    spec.priority = 5;
    let high = client.add(spec);
    client.send_all("q", numbers(4..7));
    assert_eq!(texts(&client.expect(&high, 2)), ["4", "5"]);
    let mut spec = client.spec(queue("q"), 1);
    spec.exclusive = true;
    let alone = client.add(spec);
    client.expect(&one, 1);
    client.send_all("q", numbers(7..9));
    assert_eq!(texts(&client.expect(&alone, 1)), ["7"]);
    assert!(client.received(&one).is_empty() && client.received(&two).is_empty());
    client.peer.remove_consumer(&alone, -1);
    client.sync();
    let rest = client.received(&one).len() + client.received(&two).len();
    assert_eq!(rest, 2, "without it the others go on");
}

#[test]
fn adding_again_is_nothing_and_unknown_sessions_are_refused() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let spec = client.spec(queue("q"), 10);
    let consumer = client.add(spec.clone());
    client.peer.add_consumer(spec).expect("again");
    client.send("q", "x");
    client.expect(&consumer, 1);
    let mut spec = client.spec(queue("q"), 10);
    spec.id.session_id = 7;
    let refusal = client.peer.add_consumer(spec).expect_err("unknown session");
    assert_eq!(refusal.class, "java.lang.IllegalStateException");
    let producer = ProducerId {
        connection_id: "a".into(),
        value: 1,
        session_id: 7,
    };
    let refusal = client
        .peer
        .add_producer(producer, None, 0)
        .expect_err("unknown session");
    assert_eq!(
        refusal.message,
        "Cannot add a producer to a session that had not been registered: a:7"
    );
    let session = SessionId {
        connection_id: "a".into(),
        value: 1,
    };
    client.peer.remove_session(&session, -1);
    assert_eq!(broker.engine.queues()[0].consumers, 0);
}

#[test]
fn what_is_not_supported_is_said() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    for to in [Destination::topic("t"), queue("a,b"), queue("a.*")] {
        let spec = client.spec(to.clone(), 1);
        assert!(client.peer.add_consumer(spec).is_err(), "{to}");
        assert!(client.send_message(message("p", 1, to, "x")).is_err());
    }
    let mut spec = client.spec(queue("q"), 1);
    spec.selector = Some("a = 1".into());
    let refusal = client.peer.add_consumer(spec).expect_err("selectors");
    assert_eq!(refusal.class, "javax.jms.InvalidSelectorException");
    let mut nowhere = message("p", 1, queue("q"), "x");
    nowhere.destination = None;
    let _ = client.peer.send(nowhere.into(), None);
    assert_eq!(
        client.errors().len(),
        1,
        "without an answer it is an asynchronous error"
    );
}

#[test]
fn a_resent_message_is_answered_and_stored_once() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let consumer = client.consume("q", 10);
    for _ in 0..3 {
        client
            .send_message(message("p", 1, queue("q"), "once"))
            .expect("answered");
    }
    client
        .send_message(message("p", 2, queue("q"), "next"))
        .expect("answered");
    assert_eq!(texts(&client.expect(&consumer, 2)), ["once", "next"]);
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    client
        .send_message(message("p", 1, queue("q"), "once"))
        .expect("answered");
    let mut bridge = broker
        .try_client("b", |hello| hello.network = true)
        .expect("connects");
    bridge
        .send_message(message("p", 1, queue("q"), "bridged"))
        .expect("answered");
    assert_eq!(
        broker.messages("q"),
        3,
        "bridges carry ids of others and are not checked"
    );
}

#[test]
fn producer_windows_open_again() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let producer = ProducerId {
        connection_id: "a".into(),
        value: 1,
        session_id: 1,
    };
    client
        .peer
        .add_producer(producer, Some(queue("q")), 5_000)
        .expect("a producer");
    let sent = message("a", 1, queue("q"), "12");
    let size = i32::try_from(sent.flow_size()).expect("small");
    let _ = client.peer.send(sent.into(), None);
    assert_eq!(client.throw("q", "34"), Admission::Go);
    client.sync();
    let acks = client
        .others()
        .into_iter()
        .filter(|item| matches!(item, Outgoing::ProducerAck { size: acked, .. } if *acked == size));
    assert_eq!(acks.count(), 2);
}

#[test]
fn a_full_outbox_is_not_served_and_goes_on_when_it_has_room() {
    let broker = Broker::start();
    let mut producer = broker.client("p");
    let mut slow = broker.client("slow");
    let consumer = slow.consume("q", 1_000);
    let big = "x".repeat(100_000);
    for _ in 0..30 {
        producer.send("q", &big);
    }
    let held = slow.outbox.load();
    assert!(
        held < 1_400_000,
        "{held} bytes wait for a client that does not read"
    );
    let mut got = Vec::new();
    super::harness::until("all messages", || {
        got.append(&mut slow.received(&consumer));
        (got.len() == 30).then_some(())
    });
    assert!(got.iter().all(|delivery| text(delivery).len() == big.len()));
}

#[test]
fn a_client_takes_over_from_its_own_dead_socket_but_not_from_others() {
    let broker = Broker::start();
    let mut old = broker.client("a");
    let consumer = old.consume("q", 10);
    old.send("q", "x");
    assert_eq!(old.expect(&consumer, 1)[0].redeliveries, 0);
    let refusal = broker.try_client("b", |hello| hello.client_id = Some("a".into()));
    let refusal = refusal.err().expect("the client id is taken");
    assert_eq!(
        refusal.message,
        "Broker: test - Client: a already connected from tcp://127.0.0.1:1"
    );
    assert!(
        broker
            .try_client("c", |hello| hello.client_id = None)
            .is_err()
    );
    let mut new = broker.client("a");
    assert!(old.was_evicted());
    let consumer = new.consume("q", 10);
    assert_eq!(new.expect(&consumer, 1)[0].redeliveries, 1);
    old.peer.flush_touched();
    drop(old);
    new.sync();
    assert_eq!(
        broker.engine.usage().connections,
        1,
        "the old one does not take the new one along"
    );
    new.close(-2);
    assert_eq!(broker.engine.usage().connections, 0);
}
