//! Consumers: deliveries, acknowledgements of each mode, pulls.

use std::time::Duration;

use wire::openwire::{AckKind, Command, MessageAck, MessageDispatch, ObjectId};

use crate::connection::Connection;
use crate::consumer::Consumer;
use crate::error::Error;
use crate::fake_broker::{FakeBroker, dispatch, queue};
use crate::options::ConnectOptions;
use crate::session::{AckMode, Session};

/// A fake that dispatches `count` messages to each new consumer, the first of them before it answers.
async fn with_messages(count: i64) -> FakeBroker {
    FakeBroker::start(move |_, command, replies| {
        if let Command::ConsumerInfo(info) = command {
            replies.commands.push(dispatch(info, 1, "m1"));
        }
        replies.yes(command);
        if let Command::ConsumerInfo(info) = command {
            replies
                .commands
                .extend((2..=count).map(|number| dispatch(info, number, &format!("m{number}"))));
        }
    })
    .await
}

async fn open(
    broker: &FakeBroker,
    mode: AckMode,
    prefetch: u16,
) -> (Connection, Session, Consumer) {
    let connection = Connection::connect(&broker.uri, &ConnectOptions::default())
        .await
        .unwrap();
    let mut session = connection.session(mode).await.unwrap();
    let consumer = session.consumer(&queue(), prefetch).await.unwrap();
    (connection, session, consumer)
}

fn acks(broker: &FakeBroker) -> Vec<MessageAck> {
    let acks = broker
        .commands()
        .into_iter()
        .filter_map(|command| match command {
            Command::MessageAck(ack) => Some(*ack),
            _ => None,
        });
    acks.collect()
}

/// Kind, first number, last number, count.
fn brief(ack: &MessageAck) -> (AckKind, Option<i64>, i64, i32) {
    let first = ack
        .first_message_id
        .as_ref()
        .map(|id| id.producer_sequence_id);
    (
        ack.kind().unwrap(),
        first,
        ack.last_message_id.as_ref().unwrap().producer_sequence_id,
        ack.message_count,
    )
}

#[tokio::test]
async fn an_automatic_session_acknowledges_what_it_hands_out() {
    let broker = with_messages(3).await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::Auto, 10).await;
    for number in 1..=2 {
        let delivery = consumer.receive().await.unwrap();
        assert_eq!(delivery.text().unwrap(), format!("m{number}"));
        assert_eq!(
            (delivery.broker_sequence(), delivery.is_redelivered()),
            (1_000 + number, false)
        );
    }
    consumer.close().await.unwrap();
    connection.close().await.unwrap();
    let seen: Vec<_> = acks(&broker).iter().map(brief).collect();
    assert_eq!(
        seen,
        [
            (AckKind::Standard, Some(1), 1, 1),
            (AckKind::Standard, Some(2), 2, 1)
        ]
    );
    // The third was never handed out, and the broker is told which was the last.
    let last = broker
        .commands()
        .into_iter()
        .find_map(|command| match command {
            Command::RemoveInfo(remove) => match remove.object_id {
                Some(ObjectId::Consumer(_)) => Some(remove.last_delivered_sequence_id),
                _ => None,
            },
            _ => None,
        });
    assert_eq!(last, Some(1_002));
}

#[tokio::test]
async fn ranges_are_acknowledged_when_half_a_window_is_consumed_and_before_waiting() {
    let broker = with_messages(5).await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::DupsOk, 4).await;
    for number in 1..=5 {
        let delivery = consumer.receive().await.unwrap();
        assert_eq!(delivery.text().unwrap(), format!("m{number}"));
    }
    assert!(consumer.receive_now().await.unwrap().is_none());
    assert!(consumer.receive_now().await.unwrap().is_none());
    connection.close().await.unwrap();
    let acks = acks(&broker);
    assert_eq!(
        acks.iter().map(brief).collect::<Vec<_>>(),
        [
            (AckKind::Standard, Some(1), 2, 2),
            (AckKind::Standard, Some(3), 4, 2),
            (AckKind::Standard, Some(5), 5, 1)
        ]
    );
    assert!(acks.iter().all(|ack| !ack.base.response_required));
}

#[tokio::test]
async fn a_range_is_acknowledged_at_the_end_and_never_what_was_not_handed_out() {
    for by_session in [false, true] {
        let broker = with_messages(5).await;
        let (connection, session, mut consumer) = open(&broker, AckMode::DupsOk, 100).await;
        for _ in 1..=3 {
            consumer.receive().await.unwrap();
        }
        if by_session {
            session.close().await.unwrap();
        } else {
            consumer.close().await.unwrap();
        }
        connection.close().await.unwrap();
        let seen: Vec<_> = acks(&broker).iter().map(brief).collect();
        assert_eq!(seen, [(AckKind::Standard, Some(1), 3, 3)], "{by_session}");
    }
}

#[tokio::test]
async fn a_burst_for_several_consumers_reaches_each_in_order() {
    let infos = std::sync::Mutex::new(Vec::new());
    let broker = FakeBroker::start(move |_, command, replies| {
        replies.yes(command);
        let Command::ConsumerInfo(info) = command else {
            return;
        };
        let mut infos = infos.lock().unwrap();
        infos.push(info.clone());
        if infos.len() == 2 {
            let turns = (1..=40).map(|number: i64| {
                let info = &infos[usize::from(number % 3 == 0)];
                dispatch(info, number, "m")
            });
            replies.commands.extend(turns);
        }
    })
    .await;
    let (connection, mut session, mut one) = open(&broker, AckMode::DupsOk, 100).await;
    let mut two = session.consumer(&queue(), 100).await.unwrap();
    let (others, thirds): (Vec<i64>, Vec<i64>) = (1..=40).partition(|number| number % 3 != 0);
    for (consumer, expected) in [(&mut one, others), (&mut two, thirds)] {
        for number in expected {
            let delivery = consumer.receive().await.unwrap();
            assert_eq!(delivery.producer_sequence(), number);
        }
        assert!(consumer.take_at_hand().unwrap().is_none());
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_client_session_acknowledges_ranges_and_waits_for_the_answer() {
    let broker = with_messages(6).await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::Client, 100).await;
    for _ in 0..6 {
        consumer.receive().await.unwrap();
    }
    consumer.acknowledge().await.unwrap();
    consumer.acknowledge().await.unwrap();
    connection.close().await.unwrap();
    let acks = acks(&broker);
    assert_eq!(
        acks.iter().map(brief).collect::<Vec<_>>(),
        [(AckKind::Standard, Some(1), 6, 6)]
    );
    assert!(acks[0].base.response_required);
}

#[tokio::test]
async fn half_a_window_is_reported() {
    let broker = with_messages(5).await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::Client, 4).await;
    for _ in 0..5 {
        consumer.receive().await.unwrap();
    }
    consumer.acknowledge().await.unwrap();
    connection.close().await.unwrap();
    let seen: Vec<_> = acks(&broker).iter().map(brief).collect();
    assert_eq!(
        seen,
        [
            (AckKind::Delivered, Some(1), 2, 2),
            (AckKind::Delivered, Some(3), 4, 2),
            (AckKind::Standard, Some(1), 5, 5)
        ]
    );
}

#[tokio::test]
async fn an_individual_session_acknowledges_any_one() {
    let broker = with_messages(3).await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::Individual, 10).await;
    let first = consumer.receive().await.unwrap();
    let second = consumer.receive().await.unwrap();
    consumer.acknowledge_one(&second).await.unwrap();
    consumer.give_up(&first, "cannot read it").await.unwrap();
    connection.close().await.unwrap();
    let acks = acks(&broker);
    let seen: Vec<_> = acks.iter().map(brief).collect();
    assert_eq!(
        seen,
        [
            (AckKind::Individual, None, 2, 1),
            (AckKind::Poison, Some(1), 1, 1)
        ]
    );
    assert_eq!(
        acks[1]
            .poison_cause
            .as_ref()
            .unwrap()
            .message
            .as_ref()
            .unwrap(),
        &"cannot read it"
    );
}

#[tokio::test]
async fn calls_that_do_not_fit_the_session_are_misuse() {
    let broker = with_messages(1).await;
    let (_connection, mut session, mut consumer) = open(&broker, AckMode::DupsOk, 10).await;
    let delivery = consumer.receive().await.unwrap();
    for error in [
        consumer.acknowledge().await.unwrap_err(),
        consumer.acknowledge_one(&delivery).await.unwrap_err(),
        consumer.give_up(&delivery, "no").await.unwrap_err(),
        session.commit().await.unwrap_err(),
        session.rollback().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Misuse { .. }), "{error}");
    }
}

#[tokio::test]
async fn without_prefetch_each_message_is_asked_for() {
    let broker = FakeBroker::start(|_, command, replies| match command {
        Command::MessagePull(pull) if pull.timeout == 0 => {
            let info = wire::openwire::ConsumerInfo {
                consumer_id: pull.consumer_id.clone(),
                destination: pull.destination.clone(),
                ..Default::default()
            };
            replies.commands.push(dispatch(&info, 1, "m1"));
        }
        Command::MessagePull(pull) => replies.commands.push(
            MessageDispatch {
                consumer_id: pull.consumer_id.clone(),
                ..Default::default()
            }
            .into(),
        ),
        other => replies.yes(other),
    })
    .await;
    let (_connection, _session, mut consumer) = open(&broker, AckMode::Auto, 0).await;
    assert!(consumer.receive_now().await.unwrap().is_none());
    assert!(
        consumer
            .receive_within(Duration::from_millis(20))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(consumer.receive().await.unwrap().text().unwrap(), "m1");
    let timeouts: Vec<i64> = broker
        .commands()
        .iter()
        .filter_map(|command| match command {
            Command::MessagePull(pull) => Some(pull.timeout),
            _ => None,
        })
        .collect();
    assert_eq!(timeouts, [-1, 20, 0]);
}

#[tokio::test]
async fn nothing_is_handed_out_after_the_connection_is_lost() {
    let broker = FakeBroker::start(|_, command, replies| {
        replies.yes(command);
        if let Command::ConsumerInfo(info) = command {
            replies
                .commands
                .extend((1..=5).map(|number| dispatch(info, number, "m")));
            replies.close = true;
        }
    })
    .await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::Client, 10).await;
    connection.wait_for_end().await;
    let error = consumer.receive().await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}

#[tokio::test]
async fn waiting_ends_with_time_or_with_the_connection() {
    let broker = FakeBroker::agreeable().await;
    let (connection, _session, mut consumer) = open(&broker, AckMode::Auto, 10).await;
    assert!(
        consumer
            .receive_within(Duration::from_millis(20))
            .await
            .unwrap()
            .is_none()
    );
    let waiting = tokio::spawn(async move { consumer.receive().await });
    drop(connection);
    assert!(waiting.await.unwrap().is_err());
}
