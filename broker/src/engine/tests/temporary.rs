//! Temporary queues and their advisories.

use super::harness::{Broker, Client, message, queue, temporary, texts};
use crate::outgoing::Delivery;
use wire::openwire::{ConsumerId, DataStructure, Destination, SessionId};

const TOPICS: &str = "ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic";

fn listen(client: &mut Client) -> ConsumerId {
    let mut spec = client.spec(Destination::topic(TOPICS), 1_000);
    spec.id.session_id = -1;
    spec.no_local = true;
    client.add(spec)
}

/// What an advisory says: destination and operation.
fn said(delivery: &Delivery) -> (String, u8) {
    match delivery.message.data_structure.as_deref() {
        Some(DataStructure::DestinationInfo(info)) => {
            let name = info.destination.as_ref().map(ToString::to_string);
            (name.unwrap_or_default(), info.operation_type)
        }
        other => panic!("not an advisory: {other:?}"),
    }
}

#[test]
fn request_and_reply() {
    let broker = Broker::start();
    let mut requester = broker.client("r");
    let mut replier = broker.client("s");
    let at_home = listen(&mut requester);
    let abroad = listen(&mut replier);
    let requests = replier.consume("requests", 10);
    requester
        .peer
        .add_temporary(temporary("r:1"))
        .expect("made");
    requester
        .peer
        .add_temporary(temporary("r:1"))
        .expect("again");
    for (client, consumer) in [(&mut requester, &at_home), (&mut replier, &abroad)] {
        let told = client.expect(consumer, 1);
        assert_eq!(said(&told[0]), ("temp-queue://r:1".to_owned(), 0));
        assert_eq!(
            told[0].destination,
            Destination::topic("ActiveMQ.Advisory.TempQueue")
        );
        assert_eq!(told[0].message.message_type, Some("Advisory".into()));
        assert!(
            told[0]
                .message
                .property("originBrokerId")
                .expect("a map")
                .is_some()
        );
    }
    let reply = requester.spec(temporary("r:1"), 10);
    let reply = requester.add(reply);
    let mut request = message("r", 1, queue("requests"), "?");
    request.reply_to = Some(temporary("r:1"));
    requester.send_message(request).expect("sent");
    let got = replier.expect(&requests, 1);
    let to = got[0].message.reply_to.clone().expect("where to");
    replier
        .send_message(message("s", 1, to, "!"))
        .expect("replied");
    assert_eq!(texts(&requester.expect(&reply, 1)), ["!"]);
    let refusal = requester
        .peer
        .remove_temporary(temporary("r:1"))
        .expect_err("consumed");
    assert!(
        refusal
            .message
            .starts_with("Destination still has an active subscription")
    );
    requester.peer.remove_consumer(&reply, -1);
    requester
        .peer
        .remove_temporary(temporary("r:1"))
        .expect("removed");
    assert_eq!(
        said(&replier.expect(&abroad, 1)[0]),
        ("temp-queue://r:1".to_owned(), 1)
    );
    let refusal = replier.send_message(message("s", 2, temporary("r:1"), "!"));
    assert_eq!(
        refusal.expect_err("gone").message,
        "The destination temp-queue://r:1 does not exist."
    );
    assert_eq!(
        broker.engine.usage().memory_bytes,
        crate::limits::MESSAGE_OVERHEAD + got[0].message.content.as_ref().map_or(0, |c| c.len())
    );
}

#[test]
fn only_the_owner_consumes_and_all_ends_with_it() {
    let broker = Broker::start();
    let mut owner = broker.client("o");
    owner.peer.add_temporary(temporary("o:1")).expect("made");
    let mut other = broker.client("x");
    let abroad = listen(&mut other);
    let told = other.expect(&abroad, 1);
    assert_eq!(
        told[0].message.target_consumer_id.as_ref(),
        Some(&abroad),
        "what exists is told"
    );
    let spec = other.spec(temporary("o:1"), 1);
    let refusal = other.peer.add_consumer(spec).expect_err("somebody else's");
    assert_eq!(
        refusal.message,
        "Cannot subscribe to remote temporary destination: temp-queue://o:1"
    );
    assert!(other.peer.add_temporary(temporary("o:1")).is_err());
    assert!(other.peer.remove_temporary(temporary("o:1")).is_err());
    other
        .send_message(message("x", 1, temporary("o:1"), "waits"))
        .expect("anyone may send");
    drop(owner);
    assert_eq!(said(&other.expect(&abroad, 1)[0]).1, 1);
    assert!(
        other
            .send_message(message("x", 2, temporary("o:1"), "y"))
            .is_err()
    );
    assert_eq!(broker.engine.usage().memory_bytes, 0);
    // After a failover the owner makes it again.
    let mut owner = broker.client("o");
    owner
        .peer
        .add_temporary(temporary("o:1"))
        .expect("made again");
    other
        .send_message(message("x", 3, temporary("o:1"), "z"))
        .expect("sent");
}

#[test]
fn nothing_of_a_temporary_queue_is_stored() {
    let broker = Broker::start();
    let mut client = broker.client("o");
    client.peer.add_temporary(temporary("o:1")).expect("made");
    let written = broker.engine.usage().store.bytes_written;
    for number in 1..10 {
        client
            .send_message(message("o", number, temporary("o:1"), "x"))
            .expect("sent");
    }
    assert_eq!(broker.engine.usage().store.bytes_written, written);
    let broker = broker.restart(client);
    assert!(broker.engine.queues().is_empty());
}

#[test]
fn other_advisories_are_accepted_and_silent() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let spec = client.spec(Destination::topic("ActiveMQ.Advisory.Consumer.>"), 10);
    let silent = client.add(spec);
    client.peer.add_temporary(temporary("a:1")).expect("made");
    client.expect(&silent, 0);
    let session = SessionId {
        connection_id: "a".into(),
        value: 1,
    };
    client.peer.remove_session(&session, -1);
}
