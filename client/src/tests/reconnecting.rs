//! Reconnection: who we are on the next connection, and that a message is recognised there.

use std::time::Duration;

use wire::openwire::{Command, TransactionKind};

use crate::error::Error;
use crate::fake_broker::{FakeBroker, queue};
use crate::message::Message;
use crate::options::ConnectOptions;
use crate::reconnect::Reconnect;
use crate::resender::{Attempt, Resender};
use crate::uri::BrokerUri;

fn way(uris: Vec<BrokerUri>) -> Reconnect {
    Reconnect::new(
        uris,
        ConnectOptions::default(),
        Some(Duration::from_secs(20)),
    )
    .unwrap()
}

/// Nobody listens there.
fn nobody() -> BrokerUri {
    "tcp://127.0.0.1:1".parse().unwrap()
}

#[tokio::test]
async fn addresses_are_tried_in_turn_and_the_last_good_one_first() {
    let broker = FakeBroker::agreeable().await;
    let mut way = way(vec![nobody(), broker.uri.clone()]);
    for _ in 0..2 {
        let connection = way.connect().await.unwrap();
        assert_eq!(connection.uri(), broker.uri.to_string());
    }
    assert_eq!(way.connections(), 2);
}

#[tokio::test]
async fn giving_up_says_how_hard_it_was_tried() {
    let mut way = Reconnect::new(
        vec![nobody()],
        ConnectOptions::default(),
        Some(Duration::from_millis(30)),
    )
    .unwrap();
    let error = way.connect().await.unwrap_err();
    let Error::GaveUp { attempts, .. } = &error else {
        panic!("{error}")
    };
    assert!(*attempts >= 2, "{error}");
    assert!(Reconnect::new(Vec::new(), ConnectOptions::default(), None).is_err());
}

#[tokio::test]
async fn a_refusal_ends_the_search() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.no(command, "java.lang.SecurityException", "no")
    })
    .await;
    let error = way(vec![broker.uri.clone()]).connect().await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn an_unanswered_message_is_sent_again_under_the_same_name() {
    // The first two connections die with the message unanswered.
    let broker = FakeBroker::start(|connection, command, replies| match command {
        Command::Message(_) if connection <= 2 => replies.close = true,
        other => replies.yes(other),
    })
    .await;
    let mut sender = Resender::new(way(vec![broker.uri.clone()]), queue());
    let sent = sender.send(&Message::text("a")).await.unwrap();
    assert_eq!((sent.sequence, sent.repeats), (1, 2));
    let sent = sender.send(&Message::text("b")).await.unwrap();
    assert_eq!((sent.sequence, sent.repeats), (2, 0));
    sender.close().await.unwrap();
    let (mut messages, mut introductions) = (Vec::new(), Vec::new());
    for command in broker.commands() {
        match command {
            Command::Message(message) => messages.push(message.message_id.clone().unwrap()),
            Command::ConnectionInfo(info) => introductions.push(info),
            _ => {}
        }
    }
    assert!(messages[0] == messages[1] && messages[1] == messages[2] && messages[2] != messages[3]);
    let comes_back: Vec<bool> = introductions
        .iter()
        .map(|info| info.failover_reconnect)
        .collect();
    assert_eq!(comes_back, [false, true, true]);
    assert!(
        introductions
            .iter()
            .all(|info| info.connection_id == introductions[0].connection_id)
    );
    assert!(introductions.iter().all(|info| info.fault_tolerant));
}

#[tokio::test]
async fn a_commit_in_doubt_is_asked_for_until_it_is_known() {
    let broker = FakeBroker::start(|connection, command, replies| match command {
        Command::TransactionInfo(info) if info.kind() == Some(TransactionKind::CommitOnePhase) => {
            if connection <= 2 {
                replies.close = true;
            } else {
                replies.yes(command);
            }
        }
        other => replies.yes(other),
    })
    .await;
    let mut sender = Resender::transacted(way(vec![broker.uri.clone()]), queue());
    let first = sender.reserve(2);
    let attempt = sender
        .try_transaction(&[Message::text("a"), Message::text("b")], first)
        .await
        .unwrap();
    assert!(matches!(attempt, Attempt::Committed));
    let commits: Vec<_> = broker
        .commands()
        .into_iter()
        .filter_map(|command| match command {
            Command::TransactionInfo(info)
                if info.kind() == Some(TransactionKind::CommitOnePhase) =>
            {
                info.transaction_id
            }
            _ => None,
        })
        .collect();
    assert_eq!(commits.len(), 3);
    assert!(commits.iter().all(|id| *id == commits[0]));
    // The next transaction gets a number that was never used, although the connection is another one.
    let first = sender.reserve(1);
    sender
        .try_transaction(&[Message::text("c")], first)
        .await
        .unwrap();
    let last = broker
        .commands()
        .into_iter()
        .rev()
        .find_map(|command| match command {
            Command::TransactionInfo(info) => info.transaction_id,
            _ => None,
        });
    assert_ne!(last.as_ref(), Some(&commits[0]));
}

#[tokio::test]
async fn a_transaction_that_was_lost_before_its_commit_is_rolled_back() {
    let broker = FakeBroker::start(|connection, command, replies| match command {
        Command::TransactionInfo(info)
            if connection == 2 && info.kind() == Some(TransactionKind::CommitOnePhase) =>
        {
            replies.no(
                command,
                "javax.jms.TransactionRolledBackException",
                "unknown",
            );
        }
        Command::TransactionInfo(info)
            if connection == 1 && info.kind() == Some(TransactionKind::CommitOnePhase) =>
        {
            replies.close = true;
        }
        other => replies.yes(other),
    })
    .await;
    let mut sender = Resender::transacted(way(vec![broker.uri.clone()]), queue());
    let first = sender.reserve(1);
    let attempt = sender
        .try_transaction(&[Message::text("a")], first)
        .await
        .unwrap();
    assert!(matches!(attempt, Attempt::RolledBack { .. }));
}
