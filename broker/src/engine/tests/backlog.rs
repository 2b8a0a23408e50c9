//! More than memory takes: paging, and who waits for whom.

use super::harness::{Broker, Client, texts, until};
use crate::limits::{PEER_IN_FLIGHT_BYTES, READY_FLOOR_BYTES};
use crate::peer::{AckKind, Admission};

fn numbered(range: std::ops::Range<usize>, size: usize) -> impl Iterator<Item = String> {
    range.map(move |n| format!("{n:08}{}", "x".repeat(size)))
}

/// Consumes until so many have come; returns their numbers.
fn drain(client: &mut Client, consumer: &wire::openwire::ConsumerId, count: usize) -> Vec<usize> {
    let mut got = Vec::new();
    until("the backlog", || {
        let batch = client.received(consumer);
        if !batch.is_empty() {
            client.ack(consumer, AckKind::Standard, &batch);
            got.extend(
                texts(&batch)
                    .iter()
                    .map(|text| text[..8].parse().unwrap_or(usize::MAX)),
            );
        }
        (got.len() >= count).then_some(())
    });
    client.sync();
    assert!(
        client.received(consumer).is_empty(),
        "no more than was sent"
    );
    got
}

#[test]
fn a_backlog_beyond_memory_is_paged_in_order() {
    let broker = Broker::start_with(|settings| settings.memory_limit = 100_000);
    let mut client = broker.client("a");
    let count = 1_000;
    for start in (0..count).step_by(100) {
        client.send_all("q", numbered(start..start + 100, 1_000));
    }
    let used = broker.engine.usage().memory_bytes;
    assert!(
        used < READY_FLOOR_BYTES + 5_000,
        "{used} bytes for a queue that nobody reads"
    );
    let consumer = client.consume("q", 50);
    // More comes while the backlog is read.
    client.send_all("q", numbered(count..count + 100, 1_000));
    let got = drain(&mut client, &consumer, count + 100);
    assert!(got.into_iter().eq(0..count + 100));
    assert_eq!(broker.messages("q"), 0);
    assert_eq!(broker.engine.usage().memory_bytes, 0);
    client.send("q", "after");
    assert_eq!(texts(&client.expect(&consumer, 1)), ["after"]);
}

#[test]
fn many_queues_that_nobody_reads_leave_half_of_the_memory() {
    let broker = Broker::start_with(|settings| settings.memory_limit = 100_000);
    let mut client = broker.client("a");
    for queue in 0..50 {
        client.send_all(&format!("q{queue}"), numbered(0..5, 1_000));
    }
    let used = broker.engine.usage().memory_bytes;
    assert!((25_000..60_000).contains(&used), "{used} bytes");
    for queue in [0, 49] {
        let name = format!("q{queue}");
        let consumer = client.consume(&name, 50);
        let got = drain(&mut client, &consumer, 5);
        assert!(got.into_iter().eq(0..5), "{name}");
    }
}

#[test]
fn a_backlog_is_shared_and_survives_consumers_that_come_and_go() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", numbered(0..600, 1_000));
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    let early = client.consume("q", 100);
    client.expect(&early, 100);
    client.peer.remove_consumer(&early, -1);
    let consumer = client.consume("q", 100);
    let got = drain(&mut client, &consumer, 600);
    assert!(got.into_iter().eq(0..600));
}

#[test]
fn unstored_messages_behind_a_backlog_wait_for_it() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", numbered(0..400, 1_000));
    for text in numbered(400..420, 10) {
        let _ = client.throw("q", &text);
    }
    client.send_all("q", numbered(420..430, 10));
    let consumer = client.consume("q", 10);
    let got = drain(&mut client, &consumer, 430);
    assert!(got.into_iter().eq(0..430));
}

#[test]
fn senders_of_unstored_messages_wait_while_consumers_go_on() {
    let broker = Broker::start_with(|settings| settings.memory_limit = 1 << 20);
    let mut producer = broker.client("p");
    let mut sent = 0;
    let text = "x".repeat(100_000);
    while producer.throw("q", &format!("{sent:08}{text}")) == Admission::Go {
        sent += 1;
        assert!(sent < 200, "somebody must be told to wait");
    }
    sent += 1;
    producer.peer.flush_touched();
    let usage = broker.engine.usage();
    assert!(
        usage.memory_bytes < 1_300_000,
        "{} bytes in memory",
        usage.memory_bytes
    );
    assert!(usage.in_flight_bytes >= PEER_IN_FLIGHT_BYTES && usage.in_flight_bytes < 5 << 20);
    // Others are not in the way: stored messages flow through.
    let mut other = broker.client("o");
    let stored = other.consume("stored", 10);
    other.send("stored", "y");
    other.expect(&stored, 1);
    // Consuming makes room, for the waiting ones first.
    let mut client = broker.client("c");
    let consumer = client.consume("q", 5);
    let got = drain(&mut client, &consumer, sent);
    assert!(got.into_iter().eq(0..sent));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let waited = runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(20), producer.peer.room()).await
    });
    assert!(waited.is_ok(), "there is room again");
    assert_eq!(broker.engine.usage().in_flight_bytes, 0);
}

#[test]
fn what_waited_for_memory_is_not_lost_with_its_sender() {
    let broker = Broker::start_with(|settings| settings.memory_limit = 100_000);
    let mut producer = broker.client("p");
    for text in numbered(0..50, 10_000) {
        let _ = producer.throw("q", &text);
    }
    producer.close(-1);
    let mut client = broker.client("c");
    let consumer = client.consume("q", 10);
    let got = drain(&mut client, &consumer, 50);
    assert!(got.into_iter().eq(0..50));
}

#[test]
fn a_full_store_makes_producers_wait_and_consumers_go_on() {
    let broker = Broker::start_with(|settings| {
        settings.store.segment_bytes = 256 << 10;
        settings.store.first_segment_bytes = 256 << 10;
        settings.store.checkpoint_bytes = 256 << 10;
        settings.store.journal_limit_bytes = Some(8 * (256 << 10));
    });
    let mut producer = broker.client("p");
    let mut sent = 0;
    let text = "x".repeat(10_000);
    while !broker.engine.usage().store.full {
        let admission = post(&mut producer, &format!("{sent:08}{text}"));
        sent += 1;
        assert!(sent < 5_000, "the store has a limit");
        if admission == Admission::Wait {
            until("full, or room", || {
                let usage = broker.engine.usage();
                let room = usage.in_flight_bytes < PEER_IN_FLIGHT_BYTES;
                (usage.store.full || room).then_some(())
            });
        }
    }
    let mut client = broker.client("c");
    let consumer = client.consume("q", 20);
    let got = drain(&mut client, &consumer, sent);
    assert!(
        got.into_iter().eq(0..sent),
        "every waiting message came through in order"
    );
    until("all answered", || {
        (broker.engine.usage().in_flight_bytes == 0).then_some(())
    });
}

fn post(producer: &mut Client, text: &str) -> Admission {
    producer.produced += 1;
    let message = super::harness::message(
        &producer.name,
        producer.produced,
        super::harness::queue("q"),
        text,
    );
    let admission = producer.peer.send(message.into(), None);
    producer.peer.flush_touched();
    admission
}
