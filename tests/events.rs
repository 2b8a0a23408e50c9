//! The promise to monitors: the events in the README's table are those that brokers emit, no more and no fewer.
//!
//! Each scenario makes some of them happen; together they must make all of them.

use crate::full_store;
use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::clients::{connect, producer, put};
use crate::support::cluster::Cluster;
use crate::support::history::History;
use crate::support::log::Log;
use crate::support::raw::Raw;
use crate::surroundings::damaged_directory;
use client::Message;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

type Names = BTreeSet<String>;

#[test]
fn the_readme_names_the_events_that_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).expect("the README is there");
    let (_, section) = readme
        .split_once("\n## Events")
        .expect("the README has a section on events");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: Names = rows.map(str::to_owned).collect();
    let known: Names = broker::EVENTS
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(listed, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_emitted_and_no_other() {
    let mut seen = Names::new();
    life_of_a_pair(&mut seen);
    bad_clients(&mut seen);
    full(&mut seen).await;
    slow(&mut seen).await;
    // It drives a runtime of its own.
    tokio::task::block_in_place(|| damaged(&mut seen));
    long_recovery(&mut seen).await;
    let known: Names = broker::EVENTS
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(seen, known);
}

fn note(seen: &mut Names, log: &Log) {
    seen.extend(
        log.lines()
            .iter()
            .filter_map(|line| line.event().map(str::to_owned)),
    );
}

/// Start, wait, lose, stop.
fn life_of_a_pair(seen: &mut Names) {
    let history = Arc::new(History::default());
    let mut cluster = Cluster::start(2, &[], &history);
    std::fs::remove_file(cluster.data().join("lock")).expect("the lock file is there");
    cluster.member(0).wait_for("master.demoted");
    cluster.wait_for_master();
    cluster.member(1).signal(Signal::TERM);
    cluster.member(1).wait_for_exit();
    for index in 0..2 {
        note(seen, &cluster.member(index).log);
    }
}

fn bad_clients(seen: &mut Names) {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &["--max-connections", "1"]);
    let _only = Raw::introduced(&broker.uri(), "only");
    let mut second = Raw::negotiated(&broker.uri());
    second.send(Raw::introduction("second"));
    broker.wait_for("connection.refused");
    let mut garbage = Raw::connect(&broker.uri());
    garbage.write(b"GET / HTTP/1.0\r\n\r\n");
    broker.wait_for("connection.failed");
    note(seen, &broker.log);
}

async fn full(seen: &mut Names) {
    let folder = scratch();
    let broker = full_store::small_broker(folder.path());
    let (_sending, receipts) = full_store::fill(&broker).await;
    full_store::empty(&broker, receipts.len()).await;
    broker.wait_for("store.room");
    note(seen, &broker.log);
}

/// A disk that takes half a second for every write.
async fn slow(seen: &mut Names) {
    let folder = scratch();
    let broker = BrokerProcess::alone(folder.path(), &["--sync-delay", "500ms"]);
    let connection = connect(&broker.uri()).await;
    put(&connection, "slow", &["kept"]).await;
    let line = broker.wait_for("store.slow");
    assert!(line.number("ms") >= 500, "{}", line.raw);
    assert!(!line.raw.contains("\"ms\":\""), "a string: {}", line.raw);
    note(seen, &broker.log);
}

fn damaged(seen: &mut Names) {
    let folder = scratch();
    damaged_directory(folder.path());
    let mut broker = BrokerProcess::start(
        "damaged",
        &folder.path().join("data"),
        "tcp://127.0.0.1:0",
        &[],
    );
    broker.wait_for_exit();
    note(seen, &broker.log);
}

/// A recovery that reports every batch: as if each took longer than people wait for news.
async fn long_recovery(seen: &mut Names) {
    let folder = scratch();
    // Nothing is checkpointed, so all of it is replayed.
    let never = ["--checkpoint-size", "1GiB", "--recovery-progress", "0"];
    let mut broker = BrokerProcess::alone(folder.path(), &never);
    write_a_batch(&broker).await;
    broker.kill();
    let broker = BrokerProcess::alone(folder.path(), &never);
    let batches = broker.wait_for("recovery.finished").number("batches");
    assert!(batches > 0, "nothing was replayed");
    let told = broker
        .log
        .lines()
        .iter()
        .filter(|line| line.event() == Some("recovery.progress"))
        .count();
    assert_eq!(told as u64, batches, "once for each batch");
    note(seen, &broker.log);
}

async fn write_a_batch(broker: &BrokerProcess) {
    let connection = connect(&broker.uri()).await;
    let mut producer = producer(&connection, "q").await;
    producer.send(&Message::text("x")).await.expect("stored");
}
