//! The promise of one master: one that was stopped and replaced wakes up, adds nothing, acknowledges nothing, and goes
//! back to the slaves.

use crate::support::broker_process::BrokerProcess;
use crate::support::clients::{connect, consumer, drain, drain_texts, producer, put, take};
use crate::support::cluster::Cluster;
use crate::support::history::History;
use crate::support::wait::within;
use client::{AckMode, Connection, Consumer, Message, Producer};
use rustix::process::Signal;
use std::path::Path;
use std::sync::Arc;

/// How the lock is taken away from under a living master.
#[derive(Clone, Copy)]
enum Theft {
    Removed,
    Replaced,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_whose_lock_file_was_removed_does_no_harm() {
    wake_a_zombie(Theft::Removed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_whose_lock_file_was_replaced_does_no_harm() {
    wake_a_zombie(Theft::Replaced).await;
}

/// What was going on with the old master.
struct Past {
    _connection: Connection,
    producer: Producer,
    consumer: Consumer,
    _session: client::Session,
}

async fn wake_a_zombie(theft: Theft) {
    let history = Arc::new(History::default());
    let mut cluster = Cluster::start(2, &[], &history);
    let mut past = begin(&cluster.uris()[0]).await;
    cluster.member(0).signal(Signal::STOP);
    steal_lock(&cluster.data(), theft);
    let heir = cluster.add();
    let (master, _) = cluster.wait_for_master();
    let next = connect(&cluster.uris()[master]).await;
    put(&next, "q", &["after"]).await;
    // Into the sleeping master's socket: it finds them when it wakes.
    let receipt = past
        .producer
        .send_pipelined(&Message::text("zombie"))
        .await
        .expect("the socket is open");
    let acknowledging = tokio::spawn(async move { past.consumer.acknowledge().await });
    cluster.member(0).signal(Signal::CONT);
    cluster.member(0).wait_for("master.demoted");
    let answer = within("the zombie's sockets to close", receipt.answered()).await;
    assert!(answer.is_err(), "the zombie answered a send");
    let answer = within("the zombie's sockets to close", acknowledging)
        .await
        .expect("no panic");
    assert!(answer.is_err(), "the zombie answered an acknowledgement");
    assert_history(&next).await;
    assert_back_to_slaves(&mut cluster, master, heir).await;
}

async fn begin(uri: &str) -> Past {
    let connection = connect(uri).await;
    put(&connection, "q", &["1", "2", "3"]).await;
    let producer = producer(&connection, "q").await;
    let (session, mut consumer) = consumer(&connection, "q", AckMode::Client, 10).await;
    assert_eq!(take(&mut consumer).await.text().expect("text"), "1");
    Past {
        _connection: connection,
        producer,
        consumer,
        _session: session,
    }
}

fn steal_lock(data: &Path, theft: Theft) {
    let lock = data.join("lock");
    match theft {
        Theft::Removed => std::fs::remove_file(&lock).expect("the lock file is there"),
        Theft::Replaced => {
            let copy = data.join(".lock.copy");
            std::fs::copy(&lock, &copy).expect("the lock file can be read");
            std::fs::rename(&copy, &lock).expect("the lock file can be replaced");
        }
    }
}

/// All that was promised is there, the acknowledgement did not count, and nothing came from the zombie.
async fn assert_history(next: &Connection) {
    let left = drain(next, "q").await;
    let texts: Vec<String> = left
        .iter()
        .map(|delivery| delivery.text().expect("text"))
        .collect();
    assert_eq!(texts, ["1", "2", "3", "after"]);
    assert!(left[0].is_redelivered(), "the zombie had delivered it");
}

/// The zombie waits like any other, and the next takeover finds a sound store.
async fn assert_back_to_slaves(cluster: &mut Cluster, master: usize, heir: usize) {
    let zombie: &BrokerProcess = cluster.member(0);
    let demoted = zombie
        .log
        .lines()
        .iter()
        .position(|line| line.event() == Some("master.demoted"));
    zombie
        .log
        .wait_for("slave.waiting", demoted.expect("it was demoted"));
    assert!(cluster.member(heir).log.find("master.demoted", 0).is_none());
    cluster.member(master).kill();
    let (last, _) = cluster.wait_for_master();
    let connection = connect(&cluster.uris()[last]).await;
    assert_eq!(drain_texts(&connection, "q").await, Vec::<String>::new());
    put(&connection, "q", &["end"]).await;
    assert_eq!(drain_texts(&connection, "q").await, ["end"]);
}
