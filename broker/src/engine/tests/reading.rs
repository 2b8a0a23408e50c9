//! The unusual ways to read: browsers and pulls.

use super::harness::{Broker, Client, queue, texts, until};
use crate::peer::AckKind;
use wire::openwire::ConsumerId;

fn browser(client: &mut Client, prefetch: i32) -> ConsumerId {
    let mut spec = client.spec(queue("q"), prefetch);
    spec.browser = true;
    client.add(spec)
}

#[test]
fn a_browser_sees_all_takes_nothing_and_is_told_the_end() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..3).map(|n| n.to_string()));
    let _ = client.throw("q", "3");
    client.send("q", "4");
    let consumer = client.consume("q", 2);
    client.expect(&consumer, 2);
    let browser = browser(&mut client, 500);
    client.expect_nothing(&browser);
    let seen = client.received(&browser);
    assert_eq!(texts(&seen), ["0", "1", "2", "3", "4"]);
    client.ack(&browser, AckKind::Standard, &seen);
    client.sync();
    assert_eq!(broker.messages("q"), 5);
    client.peer.remove_consumer(&browser, -1);
}

#[test]
fn a_browser_of_much_goes_by_its_window() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..500).map(|n| n.to_string()));
    let browser = browser(&mut client, 20);
    let mut got = Vec::new();
    let mut ended = 0;
    until("the end", || {
        let batch = client.received(&browser);
        assert!(batch.len() <= 20);
        if !batch.is_empty() {
            client.ack(&browser, AckKind::Standard, &batch);
            got.extend(texts(&batch));
        }
        ended += client.nothings(&browser);
        (ended > 0 && got.len() == 500).then_some(())
    });
    assert_eq!(ended, 1);
    assert!(got.into_iter().eq((0..500).map(|n| n.to_string())));
}

#[test]
fn an_empty_queue_is_browsed_to_its_end_at_once() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let browser = browser(&mut client, 10);
    client.expect_nothing(&browser);
    client.expect(&browser, 0);
}

#[test]
fn a_browser_without_window_pulls() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send_all("q", (0..2).map(|n| n.to_string()));
    let browser = browser(&mut client, 0);
    client.expect(&browser, 0);
    for n in 0..2 {
        client.peer.pull(&browser, -1);
        assert_eq!(texts(&client.expect(&browser, 1)), [n.to_string()]);
    }
    for _ in 0..2 {
        client.peer.pull(&browser, -1);
        client.expect_nothing(&browser);
    }
}

#[test]
fn a_pull_gets_one_message_or_is_told_that_there_is_none() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    let consumer = client.consume("q", 0);
    client.peer.pull(&consumer, -1);
    client.expect_nothing(&consumer);
    client.peer.pull(&consumer, 20);
    client.expect_nothing(&consumer);
    client.send_all("q", (0..3).map(|n| n.to_string()));
    client.expect(&consumer, 0);
    client.peer.pull(&consumer, -1);
    let held = client.expect(&consumer, 1);
    assert_eq!(texts(&held), ["0"]);
    client.peer.pull(&consumer, 60_000);
    assert_eq!(
        texts(&client.expect(&consumer, 1)),
        ["1"],
        "though it holds another one"
    );
    client.ack(&consumer, AckKind::Standard, &held);
    client.peer.pull(&consumer, 0);
    client.expect(&consumer, 1);
    client.peer.pull(&consumer, 0);
    client.expect(&consumer, 0);
    client.send("q", "3");
    assert_eq!(
        texts(&client.expect(&consumer, 1)),
        ["3"],
        "a waiting pull is served"
    );
    assert!(
        client.others().is_empty(),
        "a pull that waits for ever is never told nothing"
    );
}

#[test]
fn a_pull_waits_for_what_is_in_the_store_only() {
    let broker = Broker::start();
    let mut client = broker.client("a");
    client.send("q", "x");
    let broker = broker.restart(client);
    let mut client = broker.client("a");
    let consumer = client.consume("q", 0);
    client.peer.pull(&consumer, -1);
    assert_eq!(texts(&client.expect(&consumer, 1)), ["x"]);
    assert!(client.others().is_empty());
}
