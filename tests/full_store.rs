//! The promise of bounds: at the limit of the store producers wait, consumers go on, space comes back, nothing is lost.

use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::clients::{connect, consumer, producer, take};
use crate::support::wait::within;
use client::{AckMode, Connection, Consumer, Message, Receipt};
use std::path::Path;

/// Room for some thousand messages of the test's size.
const LIMITS: [&str; 6] = [
    "--store-limit",
    "16MiB",
    "--segment-size",
    "1MiB",
    "--checkpoint-size",
    "1MiB",
];
/// More than fits.
const MESSAGES: usize = 3_000;
const BODY_BYTES: usize = 8 << 10;

/// Sends more than fits, without waiting for answers; the last ones stay unanswered.
pub(crate) async fn fill(broker: &BrokerProcess) -> (Connection, Vec<Receipt>) {
    let connection = connect(&broker.uri()).await;
    let mut producer = producer(&connection, "full").await;
    let mut receipts = Vec::new();
    for number in 0..MESSAGES {
        let mut body = number.to_string().into_bytes();
        body.resize(BODY_BYTES, b' ');
        let sent =
            tokio::time::timeout(PATIENCE, producer.send_pipelined(&Message::bytes(body))).await;
        match sent {
            Ok(receipt) => receipts.push(receipt.expect("the connection stands")),
            // The broker has stopped reading from us: it is as full as can be.
            Err(_) => break,
        }
    }
    broker.wait_for("store.full");
    (connection, receipts)
}

/// A broker that may get full.
pub(crate) fn small_broker(folder: &Path) -> BrokerProcess {
    BrokerProcess::alone(folder, &LIMITS)
}

/// When a producer is taken to be held back.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Consumes this many messages in the order in which they were sent.
pub(crate) async fn empty(broker: &BrokerProcess, count: usize) {
    let receiving = connect(&broker.uri()).await;
    let (_session, mut consumer) = consumer(&receiving, "full", AckMode::Client, 50).await;
    for expected in 0..count {
        let bytes = take(&mut consumer).await.bytes().expect("bytes");
        let text = std::str::from_utf8(&bytes)
            .expect("digits")
            .trim_end()
            .to_owned();
        assert_eq!(text, expected.to_string());
        if expected % 20 == 19 {
            acknowledge(&mut consumer).await;
        }
    }
    acknowledge(&mut consumer).await;
}

async fn acknowledge(consumer: &mut Consumer) {
    let answer = within(
        "a full store to take an acknowledgement",
        consumer.acknowledge(),
    )
    .await;
    answer.expect("acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_holds_producers_back_and_loses_nothing() {
    let folder = scratch();
    let mut broker = small_broker(folder.path());
    let (_sending, receipts) = fill(&broker).await;
    assert!(broker.is_running());
    empty(&broker, receipts.len()).await;
    for receipt in receipts {
        within("the answer to a send that had to wait", receipt.answered())
            .await
            .expect("stored");
    }
    broker.wait_for("store.room");
}
