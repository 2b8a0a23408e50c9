//! The promise to hosts: processors are kept from sleeping only by a broker that is busy, where it may, and unless it was told not to.

use crate::support::broker_process::BrokerProcess;
use crate::support::clients::{connect, producer};
use crate::support::wait::{DEADLINE, within};
use client::Message;
use std::fs::{self, OpenOptions};
use std::time::Instant;

const DEVICE: &str = "/dev/cpu_dma_latency";

fn has_it_open(broker: &BrokerProcess) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("it runs");
    files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.as_os_str() == DEVICE)
}

fn was_refused(broker: &BrokerProcess) -> bool {
    broker.log.text().contains(DEVICE)
}

/// A broker whose disk is memory, so that its batches follow each other closely whatever the disk here.
fn broker(more: &[&str]) -> (tempfile::TempDir, BrokerProcess) {
    let folder = tempfile::TempDir::new_in("/dev/shm").expect("memory is writable");
    // Containers often have 64 MiB of it.
    let small = ["--segment-size", "4MiB"];
    let broker = BrokerProcess::alone(folder.path(), &[&small[..], more].concat());
    broker.wait_for("master.ready");
    (folder, broker)
}

/// Sends one message after the other until this holds, or so many; answers how many.
async fn send(broker: &BrokerProcess, most: usize, until: impl Fn() -> bool) -> usize {
    let connection = connect(&broker.uri()).await;
    let mut producer = producer(&connection, "busy").await;
    let end = Instant::now() + DEADLINE;
    for count in 0..most {
        if until() {
            return count;
        }
        assert!(Instant::now() < end, "{count} messages changed nothing");
        let sent = within("an answer", producer.send(&Message::text("m"))).await;
        sent.expect("the broker stores it");
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_broker_keeps_processors_awake_where_it_may() {
    let may = OpenOptions::new().write(true).open(DEVICE).is_ok();
    let (_folder, eager) = broker(&[]);
    assert!(!has_it_open(&eager), "it is not busy yet");
    let tried = || {
        if may {
            has_it_open(&eager)
        } else {
            was_refused(&eager)
        }
    };
    let needed = send(&eager, usize::MAX, tried).await;
    assert!(needed > 16, "{needed} messages are no hurry");

    let (_folder, told_not_to) = broker(&["--keep-awake", "never"]);
    let many = needed.saturating_mul(10).min(2_000);
    send(&told_not_to, many, || false).await;
    assert!(!has_it_open(&told_not_to) && !was_refused(&told_not_to));
}
