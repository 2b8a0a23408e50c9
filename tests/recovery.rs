//! The promise of quick recovery: a start reads what came after the last checkpoint, not all that is stored.

use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::clients::{connect, consumer, producer, take};
use client::{AckMode, Message};
use rustix::process::Signal;
use std::path::Path;

/// Backlog: 3,000 messages of 8 KiB are some 24 MiB.
const MESSAGES: u64 = 3_000;
const BODY_BYTES: usize = 8 << 10;
/// Small, so that a backlog of seconds has many checkpoints and segments.
const SMALL: [&str; 4] = ["--segment-size", "4MiB", "--checkpoint-size", "2MiB"];
/// What a start may read of a journal of 24 MiB: the tail since a checkpoint that was due every 2 MiB, twice over
/// since one may have been under way.
const MAY_READ: u64 = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_big_backlog_is_recovered_by_reading_little() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &SMALL);
    fill(&broker.uri()).await;
    broker.signal(Signal::TERM);
    assert_eq!(broker.wait_for_exit().code(), Some(0));
    assert_reads_little(folder.path(), "a clean stop").await;
    // The same after a kill, with nothing written since.
    assert_reads_little(folder.path(), "a kill").await;
}

async fn fill(uri: &str) {
    let connection = connect(uri).await;
    let mut producer = producer(&connection, "backlog").await;
    let body = vec![b'x'; BODY_BYTES];
    let mut receipts = Vec::new();
    for _ in 0..MESSAGES {
        let receipt = producer.send_pipelined(&Message::bytes(body.clone())).await;
        receipts.push(receipt.expect("the connection stands"));
    }
    for receipt in receipts {
        receipt.answered().await.expect("stored");
    }
}

/// Starts a broker on the directory, looks at what it read, and kills it.
async fn assert_reads_little(folder: &Path, after: &str) {
    let journal = size_of(&folder.join("data/journal"));
    assert!(
        journal > MESSAGES * BODY_BYTES as u64,
        "{journal} bytes of journal"
    );
    let broker = BrokerProcess::alone(folder, &SMALL);
    let line = broker.wait_for("recovery.finished");
    assert_eq!(line.number("messages"), MESSAGES, "{}", line.raw);
    let read = line.number("bytes");
    assert!(
        read <= MAY_READ,
        "read {read} of {journal} bytes after {after}: {}",
        line.raw
    );
    // The first and so oldest message is there, from deep inside the journal.
    let connection = connect(&broker.uri()).await;
    let (_session, mut consumer) = consumer(&connection, "backlog", AckMode::Client, 1).await;
    assert_eq!(
        take(&mut consumer).await.bytes().expect("bytes").len(),
        BODY_BYTES
    );
}

fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("readable").metadata().expect("readable").len())
        .sum()
}
