//! The promise of redelivery: what may have been seen comes back flagged and in order, what was acknowledged does not,
//! and what was given up goes to the dead letter queue.

use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::clients::{connect, consumer, drain, drain_texts, put, take, take_many};
use crate::support::cluster::Cluster;
use crate::support::history::History;
use crate::support::wait;
use client::{AckMode, Message, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::openwire::Destination;

fn texts(expected: &[(&str, i32)]) -> Vec<(String, i32)> {
    expected
        .iter()
        .map(|(text, before)| ((*text).to_owned(), *before))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_consumer_gives_back_in_order_and_flagged() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let sender = connect(&broker.uri()).await;
    put(&sender, "q", &["1", "2", "3", "4"]).await;
    let victim = connect(&broker.uri()).await;
    let (_session, mut first) = consumer(&victim, "q", AckMode::Client, 10).await;
    assert_eq!(take_many(&mut first, 2).await, texts(&[("1", 0), ("2", 0)]));
    drop(victim); // without a word: all that was sent to it may have been seen
    let (_session, mut second) = consumer(&sender, "q", AckMode::Client, 10).await;
    let again = take_many(&mut second, 4).await;
    assert_eq!(again, texts(&[("1", 1), ("2", 1), ("3", 1), ("4", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_consumer_flags_only_what_it_saw() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let connection = connect(&broker.uri()).await;
    put(&connection, "q", &["1", "2", "3"]).await;
    let (_session, mut first) = consumer(&connection, "q", AckMode::Client, 10).await;
    assert_eq!(take_many(&mut first, 1).await, texts(&[("1", 0)]));
    first.close().await.expect("it closes");
    let (_session, mut second) = consumer(&connection, "q", AckMode::Client, 10).await;
    assert_eq!(
        take_many(&mut second, 3).await,
        texts(&[("1", 1), ("2", 0), ("3", 0)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_message_stays_away_whoever_asks() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let connection = connect(&broker.uri()).await;
    put(&connection, "q", &["1", "2", "3"]).await;
    let (_session, mut first) = consumer(&connection, "q", AckMode::Individual, 10).await;
    take(&mut first).await;
    let second = take(&mut first).await;
    first
        .acknowledge_one(&second)
        .await
        .expect("it is acknowledged");
    first.close().await.expect("it closes");
    assert_eq!(drain_texts(&connection, "q").await, ["1", "3"]);
    assert_eq!(drain_texts(&connection, "q").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_message_counts_its_deliveries() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let sender = connect(&broker.uri()).await;
    put(&sender, "q", &["1", "2"]).await;
    let connection = connect(&broker.uri()).await;
    let (mut session, mut first) = consumer(&connection, "q", AckMode::Transacted, 10).await;
    assert_eq!(take_many(&mut first, 1).await, texts(&[("1", 0)]));
    session.rollback().await.expect("it rolls back");
    assert_eq!(take_many(&mut first, 2).await, texts(&[("1", 1), ("2", 0)]));
    session.commit().await.expect("it commits");
    drop(connection);
    assert_eq!(drain_texts(&sender, "q").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_is_undone_with_its_connection() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let sender = connect(&broker.uri()).await;
    put(&sender, "q", &["in"]).await;
    let connection = connect(&broker.uri()).await;
    let (mut session, mut taker) = consumer(&connection, "q", AckMode::Transacted, 10).await;
    assert_eq!(take_many(&mut taker, 1).await, texts(&[("in", 0)]));
    let mut producer = session
        .producer(&Destination::queue("out"))
        .await
        .expect("a producer");
    producer
        .send(&Message::text("never"))
        .await
        .expect("it leaves");
    drop((producer, taker, session, connection));
    let (_session, mut next) = consumer(&sender, "q", AckMode::Client, 10).await;
    assert_eq!(take_many(&mut next, 1).await, texts(&[("in", 1)]));
    assert_eq!(drain_texts(&sender, "out").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_given_up_goes_to_the_dead_letter_queue() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let connection = connect(&broker.uri()).await;
    put(&connection, "q", &["bad", "good"]).await;
    let (_session, mut first) = consumer(&connection, "q", AckMode::Individual, 10).await;
    let bad = take(&mut first).await;
    first
        .give_up(&bad, "cannot read it")
        .await
        .expect("it is given up");
    first.close().await.expect("it closes");
    assert_eq!(drain_texts(&connection, "q").await, ["good"]);
    let dead = drain(&connection, "ActiveMQ.DLQ").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].text().expect("text"), "bad");
    let cause = dead[0]
        .property("dlqDeliveryFailureCause")
        .expect("readable");
    let Some(Value::String(cause)) = cause else {
        panic!("{cause:?}")
    };
    assert_eq!(cause.to_str(), "java.lang.Throwable: cannot read it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_message_is_not_delivered() {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &[]);
    let connection = connect(&broker.uri()).await;
    let mut producer = crate::support::clients::producer(&connection, "q").await;
    let mut short = Message::text("short");
    short.time_to_live = Some(Duration::from_millis(1));
    producer.send(&short).await.expect("stored");
    producer.send(&Message::text("long")).await.expect("stored");
    let sent = Instant::now();
    wait::until_true("the first to expire", || {
        sent.elapsed() > Duration::from_millis(20)
    });
    assert_eq!(
        drain_texts(&connection, "q")
            .await
            .last()
            .map(String::as_str),
        Some("long")
    );
    let (_session, mut dead) = consumer(&connection, "ActiveMQ.DLQ", AckMode::Client, 10).await;
    assert_eq!(take(&mut dead).await.text().expect("text"), "short");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_flags_what_was_delivered_and_keeps_what_was_acknowledged_away() {
    let history = Arc::new(History::default());
    let mut cluster = Cluster::start(2, &[], &history);
    let uris = cluster.uris();
    let connection = connect(&uris[0]).await;
    put(&connection, "q", &["1", "2", "3", "4"]).await;
    let (_session, mut first) = consumer(&connection, "q", AckMode::Client, 10).await;
    take_many(&mut first, 2).await;
    first.acknowledge().await.expect("it is acknowledged");
    take_many(&mut first, 1).await;
    cluster.member(0).kill();
    cluster.wait_for_master();
    let next = connect(&uris[1]).await;
    let (_session, mut second) = consumer(&next, "q", AckMode::Client, 10).await;
    let again = take_many(&mut second, 2).await;
    assert_eq!(
        again
            .iter()
            .map(|(text, _)| text.as_str())
            .collect::<Vec<_>>(),
        ["3", "4"]
    );
    assert!(again.iter().all(|(_, before)| *before > 0), "{again:?}");
}
