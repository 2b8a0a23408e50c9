//! Producers: what waits for an answer, what does not, and what an answer may be.

use std::sync::Mutex;

use wire::openwire::Command;

use crate::connection::Connection;
use crate::error::Error;
use crate::fake_broker::{FakeBroker, queue, yes_to};
use crate::message::{Message, Value};
use crate::options::ConnectOptions;
use crate::session::AckMode;

#[tokio::test]
async fn a_persistent_send_returns_only_with_its_answer() {
    // The second message releases the answer to the first, so that a client that did not wait would be caught.
    let held = Mutex::new(None);
    let broker = FakeBroker::start(move |_, command, replies| match command {
        Command::Message(message) if message.text().unwrap().unwrap() == "1" => {
            *held.lock().unwrap() = Some(yes_to(command));
        }
        Command::Message(_) => {
            replies.yes(command);
            replies.commands.extend(held.lock().unwrap().take());
        }
        other => replies.yes(other),
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut first = session.producer(&queue()).await.unwrap();
    let mut second = session.producer(&queue()).await.unwrap();
    let one = Message::text("1");
    let sending = first.send(&one);
    tokio::pin!(sending);
    let got_through = broker.saw("message", |command| {
        matches!(command, Command::Message(_)).then_some(())
    });
    tokio::select! {
        biased;
        sent = &mut sending => panic!("returned without an answer: {sent:?}"),
        () = got_through => {}
    }
    second.send(&Message::text("2")).await.unwrap();
    sending.await.unwrap();
}

#[tokio::test]
async fn messages_carry_ids_and_what_their_sender_said() {
    let broker = FakeBroker::agreeable().await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    producer
        .send(&Message::text("a").property("k", Value::String("v".into())))
        .await
        .unwrap();
    producer
        .send(&Message::bytes(vec![1, 2]).non_persistent())
        .await
        .unwrap();
    connection.close().await.unwrap();
    let messages: Vec<_> = broker
        .commands()
        .into_iter()
        .filter_map(|command| match command {
            Command::Message(message) => Some(message),
            _ => None,
        })
        .collect();
    let wants: Vec<(bool, bool, i64)> = messages
        .iter()
        .map(|m| {
            (
                m.persistent,
                m.base.response_required,
                m.message_id.as_ref().unwrap().producer_sequence_id,
            )
        })
        .collect();
    assert_eq!(wants, [(true, true, 1), (false, false, 2)]);
    let first = &messages[0];
    assert_eq!(
        first.producer_id,
        first.message_id.as_ref().unwrap().producer_id
    );
    assert_eq!(first.destination, Some(queue()));
    assert_eq!(
        first.property("k").unwrap(),
        Some(Value::String("v".into()))
    );
    assert_eq!(messages[1].content.as_deref(), Some(&[1, 2][..]));
}

#[tokio::test]
async fn pipelined_answers_may_come_in_any_order() {
    let held = Mutex::new(Vec::new());
    let broker = FakeBroker::start(move |_, command, replies| {
        let Command::Message(message) = command else {
            return replies.yes(command);
        };
        let mut held = held.lock().unwrap();
        held.push(yes_to(command));
        if message.text().unwrap().unwrap() == "9" {
            replies.commands.extend(held.drain(..).rev());
        }
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    let mut receipts = Vec::new();
    for number in 0..10 {
        receipts.push(
            producer
                .send_pipelined(&Message::text(number.to_string()))
                .await
                .unwrap(),
        );
    }
    for receipt in receipts {
        receipt.answered().await.unwrap();
    }
}

#[tokio::test]
async fn refusals_reach_the_one_who_asked_and_nobody_else() {
    let broker = FakeBroker::start(|_, command, replies| match command {
        Command::Message(message) if message.text().unwrap().unwrap() == "bad" => {
            replies.no(
                command,
                "javax.jms.ResourceAllocationException",
                "store is full",
            );
        }
        other => replies.yes(other),
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    let bad = producer
        .send_pipelined(&Message::text("bad"))
        .await
        .unwrap();
    producer.send(&Message::text("good")).await.unwrap();
    let error = bad.answered().await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { class, .. } if class.ends_with("ResourceAllocationException")),
        "{error}"
    );
}

#[tokio::test]
async fn a_lost_connection_answers_everybody() {
    let broker = FakeBroker::start(|_, command, replies| match command {
        Command::Message(message) => replies.close = message.text().unwrap().unwrap() == "3",
        other => replies.yes(other),
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    let mut receipts = Vec::new();
    for number in 1..=3 {
        receipts.push(
            producer
                .send_pipelined(&Message::text(number.to_string()))
                .await
                .unwrap(),
        );
    }
    for receipt in receipts {
        let error = receipt.answered().await.unwrap_err();
        assert!(matches!(error, Error::Lost { .. }), "{error}");
        assert!(error.is_retry());
    }
    assert!(
        producer
            .send(&Message::text("4"))
            .await
            .unwrap_err()
            .is_retry()
    );
}

#[tokio::test]
async fn a_message_that_cannot_be_encoded_costs_only_itself() {
    let broker = FakeBroker::agreeable().await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    let mut long = Message::text("x");
    long.correlation_id = Some("c".repeat(70_000));
    let error = producer.send(&long).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error}");
    producer.send(&Message::text("y")).await.unwrap();
}

#[tokio::test]
async fn many_unanswered_messages_arrive_whole_and_in_order() {
    // More than the buffer holds, so that all ways out of it are taken.
    const COUNT: u16 = 2_000;
    const SIZE: usize = crate::limits::MAX_UNWRITTEN_BYTES / 256;
    let broker = FakeBroker::agreeable().await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Auto).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    for number in 1..=COUNT {
        let body = vec![number.to_le_bytes()[0]; SIZE];
        let message = Message::bytes(body).non_persistent();
        producer.send(&message).await.unwrap();
    }
    connection.close().await.unwrap();
    let mut expected = 1_u16;
    for command in broker.commands() {
        let Command::Message(message) = command else {
            continue;
        };
        let id = message.message_id.as_ref().unwrap();
        assert_eq!(id.producer_sequence_id, i64::from(expected));
        let content = message.content.as_ref().unwrap();
        assert_eq!(content[..], vec![expected.to_le_bytes()[0]; SIZE]);
        expected += 1;
    }
    assert_eq!(expected, COUNT + 1);
}
