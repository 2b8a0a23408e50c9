//! Short ways to what most tests need of a client.

use super::wait::{DEADLINE, within};
use client::{
    AckMode, ConnectOptions, Connection, Consumer, Delivery, Message, Producer, Reconnect, Session,
};
use std::time::Duration;
use wire::openwire::Destination;

/// A way to these addresses that does not give up before the test does.
pub(crate) fn reconnect(uris: &[String]) -> Reconnect {
    let uris = uris
        .iter()
        .map(|uri| uri.parse().expect("a test address is valid"))
        .collect();
    Reconnect::new(uris, ConnectOptions::default(), Some(DEADLINE)).expect("there are addresses")
}

/// A connection to a broker that is up or coming up.
pub(crate) async fn connect(uri: &str) -> Connection {
    let mut way = reconnect(&[uri.to_owned()]);
    within("a connection", way.connect())
        .await
        .expect("the broker accepts")
}

/// A producer with a session of its own.
pub(crate) async fn producer(connection: &Connection, queue: &str) -> Producer {
    let mut session = connection
        .session(AckMode::Auto)
        .await
        .expect("a session opens");
    let made = session.producer(&Destination::queue(queue)).await;
    made.expect("a producer opens")
}

/// A session and its consumer.
pub(crate) async fn consumer(
    connection: &Connection,
    queue: &str,
    mode: AckMode,
    prefetch: u16,
) -> (Session, Consumer) {
    let mut session = connection.session(mode).await.expect("a session opens");
    let made = session.consumer(&Destination::queue(queue), prefetch).await;
    (session, made.expect("a consumer opens"))
}

/// Sends texts, each answered.
pub(crate) async fn put(connection: &Connection, queue: &str, texts: &[&str]) {
    let mut producer = producer(connection, queue).await;
    for text in texts {
        let sent = within("an answer to a send", producer.send(&Message::text(*text))).await;
        sent.expect("the broker stores it");
    }
}

/// The next delivery, which must come.
pub(crate) async fn take(consumer: &mut Consumer) -> Delivery {
    within("a delivery", consumer.receive())
        .await
        .expect("a delivery comes")
}

/// The next deliveries as text and number of earlier deliveries.
pub(crate) async fn take_many(consumer: &mut Consumer, count: usize) -> Vec<(String, i32)> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let delivery = take(consumer).await;
        taken.push((delivery.text().expect("text"), delivery.redeliveries()));
    }
    taken
}

/// Whatever is left in the queue, consumed; ends when the broker says that there is nothing.
pub(crate) async fn drain(connection: &Connection, queue: &str) -> Vec<Delivery> {
    let (_session, mut consumer) = consumer(connection, queue, AckMode::Client, 0).await;
    let mut all = Vec::new();
    while let Some(delivery) = consumer
        .receive_within(LEFT)
        .await
        .expect("the broker answers a pull")
    {
        all.push(delivery);
        consumer
            .acknowledge()
            .await
            .expect("the broker takes the acknowledgement");
    }
    consumer.close().await.expect("the consumer closes");
    all
}

/// The texts of `drain`.
pub(crate) async fn drain_texts(connection: &Connection, queue: &str) -> Vec<String> {
    let all = drain(connection, queue).await;
    all.iter()
        .map(|delivery| delivery.text().expect("text"))
        .collect()
}

/// What the broker is given to find what it has stored.
const LEFT: Duration = Duration::from_millis(300);
