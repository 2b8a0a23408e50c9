//! Peers that are no brokers, or bad ones: each costs one connection, quickly, with a cause that can be read.

use wire::openwire::{Command, WireFormatInfo};

use crate::connection::Connection;
use crate::error::Error;
use crate::fake_broker::{DEADLINE, FakeBroker, dispatch, impatient, queue, raw_peer, rude_peer};
use crate::options::ConnectOptions;
use crate::session::AckMode;
use crate::uri::BrokerUri;

async fn failure(uri: &BrokerUri) -> Error {
    match tokio::time::timeout(DEADLINE, Connection::connect(uri, &impatient())).await {
        Ok(Err(error)) => error,
        Ok(Ok(_)) => panic!("connected to a bad peer"),
        Err(_) => panic!("still trying"),
    }
}

#[tokio::test]
async fn peers_that_are_no_brokers_are_left() {
    for (bytes, stays, words) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            true,
            "exceeds the limit",
        ),
        (vec![0xff, 0xff, 0xff, 0xff], true, "negative"),
        (vec![0x7f, 0xff, 0xff, 0xff], true, "exceeds the limit"),
        (vec![0, 0, 0, 1, 0], true, "begins with Null"),
        (vec![0, 0, 0, 2, 10, 0], true, "lost"),
        (
            vec![0, 0, 0, 50, 1, 65],
            false,
            "closed before it introduced itself",
        ),
        (Vec::new(), false, "closed before it introduced itself"),
        (Vec::new(), true, "did not introduce itself within 200ms"),
        (
            vec![0, 0, 0, 50, 1],
            true,
            "did not introduce itself within 200ms",
        ),
    ] {
        let error = failure(&raw_peer(bytes.clone(), stays).await).await;
        assert!(error.to_string().contains(words), "{bytes:?}: {error}");
        assert!(error.is_retry(), "{error}");
    }
}

#[tokio::test]
async fn nonsense_after_the_handshake_ends_the_connection() {
    for (bytes, words) in [
        (vec![0x80, 0, 0, 0], "negative"),
        (vec![0x7f, 0, 0, 0, 1], "exceeds the limit"),
        (vec![0, 0, 0, 1, 99], "unknown"),
        (vec![0, 0, 0, 3, 30, 0, 0], "frame ends"),
        (vec![0, 0, 0, 0], "frame ends"),
    ] {
        let error = failure(&rude_peer(bytes.clone()).await).await;
        assert!(error.to_string().contains(words), "{bytes:?}: {error}");
    }
}

#[tokio::test]
async fn a_broker_that_never_accepts_is_left() {
    let broker = FakeBroker::start(|_, _, _| {}).await;
    let error = failure(&broker.uri).await;
    assert!(
        error
            .to_string()
            .contains("did not accept the connection within 200ms"),
        "{error}"
    );
}

#[tokio::test]
async fn null_commands_and_unknown_answers_are_ignored() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.commands.push(Command::Null);
        replies.commands.push(
            wire::openwire::Response {
                correlation_id: 77_777,
                ..Default::default()
            }
            .into(),
        );
        replies.yes(command);
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_overfills_a_mailbox_is_left() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.yes(command);
        if let Command::ConsumerInfo(info) = command {
            replies
                .commands
                .extend((1..=500).map(|number| dispatch(info, number, "m")));
        }
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(AckMode::Client).await.unwrap();
    let _consumer = session.consumer(&queue(), 1).await;
    let cause = tokio::time::timeout(DEADLINE, connection.wait_for_end())
        .await
        .unwrap();
    assert!(
        cause.to_string().contains("more than the prefetch"),
        "{cause}"
    );
}

#[tokio::test]
async fn a_second_negotiation_ends_the_connection() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.yes(command);
        replies.commands.push(WireFormatInfo::default().into());
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let cause = tokio::time::timeout(DEADLINE, connection.wait_for_end())
        .await
        .unwrap();
    assert!(cause.to_string().contains("negotiates twice"), "{cause}");
}

#[tokio::test]
async fn refusals_that_nobody_asked_for_are_kept_in_bounds() {
    let broker = FakeBroker::start(|_, command, replies| {
        for number in 0..100 {
            let exception =
                wire::openwire::Throwable::new("javax.jms.JMSException", number.to_string());
            replies.commands.push(
                wire::openwire::ConnectionError {
                    exception: Some(Box::new(exception)),
                    ..Default::default()
                }
                .into(),
            );
        }
        replies.yes(command);
    })
    .await;
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let refusals = connection.take_refusals();
    assert_eq!(refusals.len(), crate::limits::MAX_KEPT_REFUSALS);
    assert_eq!(
        refusals.last().unwrap().to_string(),
        "javax.jms.JMSException: 99"
    );
}
