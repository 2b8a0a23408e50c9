//! The opening of a connection in every version and encoding, and what may
//! come before ConnectionInfo.

use std::time::Duration;

use wire::openwire::{
    Command, ConnectionControl, Destination, Message, Offer, ProducerId, ProducerInfo, RemoveInfo,
    ShutdownInfo,
};

use super::support::{Broker, Client, connection_info, settings};

/// Offers of the live client families and of everything in between.
fn offers() -> Vec<Offer> {
    let mut offers = Vec::new();
    for version in [1, 2, 6, 9, 10, 11, 12, 13] {
        for (tight, cache) in [(true, Some(1024)), (true, None), (false, None)] {
            offers.push(Offer {
                version,
                tight,
                cache,
                stack_traces: true,
                ..Offer::default()
            });
        }
    }
    offers
}

#[tokio::test]
async fn every_version_and_encoding_connects_and_sends() {
    let broker = Broker::start(settings()).await;
    for (number, offer) in offers().iter().enumerate() {
        let name = format!("client-{number}");
        let mut client = Client::connect(broker.address, offer, &name).await;
        assert_eq!(client.agreed.format.version, offer.version.min(12));
        assert_eq!(client.agreed.format.tight, offer.tight);
        assert_eq!(client.agreed.format.cache, None, "we do not offer it");
        let producer = ProducerId {
            connection_id: name.as_str().into(),
            session_id: -1,
            value: 1,
        };
        let info = ProducerInfo {
            producer_id: Some(producer.clone()),
            ..ProducerInfo::default()
        };
        let answer = client.request(info.into()).await;
        assert!(matches!(answer, Command::Response(_)), "{answer:?}");
        let answer = client.request(message(&producer).into()).await;
        assert!(matches!(answer, Command::Response(_)), "{answer:?}");
    }
}

fn message(producer: &ProducerId) -> Message {
    Message {
        producer_id: Some(producer.clone()),
        destination: Some(Destination::queue("HANDSHAKE")),
        message_id: Some(wire::openwire::MessageId {
            producer_id: Some(producer.clone()),
            producer_sequence_id: 1,
            ..Default::default()
        }),
        persistent: true,
        priority: 4,
        ..Message::default()
    }
}

#[tokio::test]
async fn the_broker_says_who_it_is_before_anything_else() {
    let broker = Broker::start(settings()).await;
    let mut client = Client::negotiate(broker.address, &Offer::default()).await;
    let Some(Command::BrokerInfo(info)) = client.receive().await else {
        panic!("no BrokerInfo");
    };
    assert!(info.broker_id.is_some_and(|id| !id.value.is_empty()));
    assert_eq!(info.broker_name.unwrap(), "test");
    assert_eq!(info.peer_broker_infos, None);
    assert_eq!(client.agreed.format.max_frame_size, settings().max_frame);
    assert_eq!(client.agreed.max_inactivity, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_manageable_client_is_told_to_keep_its_uris() {
    let broker = Broker::start(settings()).await;
    let mut client = Client::negotiate(broker.address, &Offer::default()).await;
    let mut info = connection_info("manageable");
    info.base_mut().unwrap().response_required = true;
    client.send(&info).await;
    let (mut control, mut answered) = (None, false);
    while control.is_none() || !answered {
        match client.receive().await.expect("both") {
            Command::ConnectionControl(found) => control = Some(found),
            Command::Response(_) => answered = true,
            _ => {}
        }
    }
    let control = control.unwrap();
    assert_eq!(control.connected_brokers.unwrap(), "");
    assert_eq!(control.reconnect_to.unwrap(), "");
    assert!(!control.rebalance_connection);
}

#[tokio::test]
async fn a_spare_socket_of_failover_may_stay_and_connect_later() {
    let broker = Broker::start(settings()).await;
    let mut spare = Client::negotiate(broker.address, &Offer::default()).await;
    let control = ConnectionControl {
        fault_tolerant: true,
        ..ConnectionControl::default()
    };
    spare.send(&control.into()).await;
    spare.ping().await;
    let answer = spare.request(connection_info("late")).await;
    assert!(matches!(answer, Command::Response(_)), "{answer:?}");
}

#[tokio::test]
async fn a_client_without_a_name_is_told_why_and_dropped() {
    let broker = Broker::start(settings()).await;
    let mut client = Client::negotiate(broker.address, &Offer::default()).await;
    let answer = client.request(connection_info("")).await;
    let Command::ExceptionResponse(response) = answer else {
        panic!("not refused: {answer:?}");
    };
    let exception = response.exception.unwrap();
    assert_eq!(exception.class_name, "javax.jms.InvalidClientIDException");
    client.expect_end().await;
}

#[tokio::test]
async fn a_goodbye_is_answered_and_ends_the_connection() {
    let broker = Broker::start(settings()).await;
    let mut client = Client::connect(broker.address, &Offer::default(), "bye").await;
    let remove = RemoveInfo {
        object_id: Some(wire::openwire::ObjectId::Connection(
            wire::openwire::ConnectionId {
                value: "bye".into(),
            },
        )),
        ..RemoveInfo::default()
    };
    let answer = client.request(remove.into()).await;
    assert!(matches!(answer, Command::Response(_)), "{answer:?}");
    client.send(&ShutdownInfo::default().into()).await;
    client.expect_end().await;
}

#[tokio::test]
async fn both_sides_hear_of_each_other_within_the_agreed_time() {
    let broker = Broker::start(settings()).await;
    let offer = Offer {
        max_inactivity: Duration::from_millis(150),
        initial_delay: Duration::from_millis(1),
        ..Offer::default()
    };
    let mut client = Client::connect(broker.address, &offer, "silent").await;
    assert_eq!(
        client.agreed.max_inactivity,
        Some(Duration::from_millis(150))
    );
    let mut heard = 0;
    while let Some(command) = client.receive().await {
        heard += usize::from(matches!(command, Command::KeepAliveInfo(_)));
    }
    assert!(heard >= 2, "{heard} keep-alives before the end");
}
