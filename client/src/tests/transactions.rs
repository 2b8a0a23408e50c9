//! Transacted sessions: the order of what is written, rollback, doubt.

use wire::openwire::{AckKind, Command, TransactionId, TransactionKind};

use crate::connection::Connection;
use crate::error::Error;
use crate::fake_broker::{FakeBroker, dispatch, queue};
use crate::message::Message;
use crate::options::ConnectOptions;
use crate::session::AckMode;

/// What belongs to transactions, in order, with the transaction's number.
fn story(broker: &FakeBroker) -> Vec<(String, i64)> {
    let number = |id: &Option<TransactionId>| match id {
        Some(TransactionId::Local(id)) => id.value,
        other => panic!("{other:?}"),
    };
    let parts = broker
        .commands()
        .into_iter()
        .filter_map(|command| match command {
            Command::TransactionInfo(info) => Some((
                format!("{:?}", info.kind().unwrap()),
                number(&info.transaction_id),
            )),
            Command::Message(message) => {
                Some(("Message".to_owned(), number(&message.transaction_id)))
            }
            Command::MessageAck(ack) if ack.kind() == Some(AckKind::Standard) => Some((
                format!("Ack {}", ack.message_count),
                number(&ack.transaction_id),
            )),
            _ => None,
        });
    parts.collect()
}

fn told(parts: &[(&str, i64)]) -> Vec<(String, i64)> {
    parts
        .iter()
        .map(|(what, number)| ((*what).to_owned(), *number))
        .collect()
}

#[tokio::test]
async fn a_transaction_is_begun_filled_and_committed_in_order() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.yes(command);
        if let Command::ConsumerInfo(info) = command {
            replies
                .commands
                .extend((1..=2).map(|number| dispatch(info, number, "m")));
        }
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Transacted).await.unwrap();
    let mut consumer = session.consumer(&queue(), 100).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    session.commit().await.unwrap(); // nothing happened yet: nothing is written
    consumer.receive().await.unwrap();
    consumer.receive().await.unwrap();
    producer.send(&Message::text("out")).await.unwrap();
    session.commit().await.unwrap();
    producer.send(&Message::text("again")).await.unwrap();
    session.rollback().await.unwrap();
    let expected = [
        ("Begin", 1),
        ("Message", 1),
        ("Ack 2", 1),
        ("CommitOnePhase", 1),
        ("Begin", 2),
        ("Message", 2),
        ("Rollback", 2),
    ];
    assert_eq!(story(&broker), told(&expected));
}

#[tokio::test]
async fn a_rollback_delivers_again_from_memory_flagged_and_in_order() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.yes(command);
        if let Command::ConsumerInfo(info) = command {
            replies
                .commands
                .extend((1..=3).map(|number| dispatch(info, number, &format!("m{number}"))));
        }
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Transacted).await.unwrap();
    let mut consumer = session.consumer(&queue(), 100).await.unwrap();
    for _ in 0..2 {
        assert!(!consumer.receive().await.unwrap().is_redelivered());
    }
    session.rollback().await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let delivery = consumer.receive().await.unwrap();
        seen.push((delivery.text().unwrap(), delivery.is_redelivered()));
    }
    let expected = [("m1", true), ("m2", true), ("m3", false)];
    assert_eq!(seen, expected.map(|(text, again)| (text.to_owned(), again)));
    session.commit().await.unwrap();
    let acks: Vec<_> = story(&broker)
        .into_iter()
        .filter(|(what, _)| what.starts_with("Ack"))
        .collect();
    assert_eq!(acks, told(&[("Ack 2", 1), ("Ack 3", 2)]));
}

#[tokio::test]
async fn a_commit_without_an_answer_is_in_doubt_and_can_be_settled() {
    let broker = FakeBroker::start(|connection, command, replies| match command {
        Command::TransactionInfo(info) if info.kind() == Some(TransactionKind::CommitOnePhase) => {
            match connection {
                1 => replies.close = true,
                2 => replies.yes(command),
                _ => replies.no(command, "javax.jms.TransactionRolledBackException", "gone"),
            }
        }
        other => replies.yes(other),
    })
    .await;
    let options = ConnectOptions::default();
    let connection = Connection::connect(&broker.uri, &options).await.unwrap();
    let mut session = connection.session(AckMode::Transacted).await.unwrap();
    let mut producer = session.producer(&queue()).await.unwrap();
    producer.send(&Message::text("x")).await.unwrap();
    let error = session.commit().await.unwrap_err();
    let Error::InDoubt { transaction, .. } = error else {
        panic!("{error}")
    };
    for happened in [true, false] {
        let next = Connection::connect(&broker.uri, &options).await.unwrap();
        assert_eq!(next.settle(&transaction).await.unwrap(), happened);
    }
}

#[tokio::test]
async fn a_refused_commit_is_a_rollback() {
    let broker = FakeBroker::start(|_, command, replies| match command {
        Command::TransactionInfo(info) if info.kind() == Some(TransactionKind::CommitOnePhase) => {
            replies.no(
                command,
                "javax.jms.TransactionRolledBackException",
                "a send had failed",
            );
        }
        Command::ConsumerInfo(info) => {
            replies.yes(command);
            replies.commands.push(dispatch(info, 1, "m1"));
        }
        other => replies.yes(other),
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Transacted).await.unwrap();
    let mut consumer = session.consumer(&queue(), 10).await.unwrap();
    consumer.receive().await.unwrap();
    assert!(matches!(
        session.commit().await.unwrap_err(),
        Error::Refused { .. }
    ));
    assert!(consumer.receive().await.unwrap().is_redelivered());
}
