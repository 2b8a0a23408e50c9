//! Bad input costs its sender the connection, says so in one line, and costs
//! nobody else anything.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::openwire::{Command, KeepAliveInfo, Offer};

use super::support::{Broker, Client, Log, PATIENCE, connection_info, settings};

const FAILED: &str = "connection.failed";

/// Bytes sent after the handshake, and a word that the log line must have.
fn bad_frames() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut early = vec![0, 1, 0, 1, 23];
    early.resize(70_000, 0);
    vec![
        (
            "negative size",
            vec![0xff, 0xff, 0xff, 0xff, 10],
            "negative",
        ),
        ("huge size", vec![0x7f, 0xff, 0xff, 0xff, 10], "exceeds"),
        ("unknown type", vec![0, 0, 0, 2, 99, 0], "type 99"),
        (
            "too large before ConnectionInfo",
            early,
            "exceeds the limit of 65536",
        ),
        ("empty frame", vec![0, 0, 0, 0], ""),
        ("structure cut short", vec![0, 0, 0, 3, 3, 1, 0], ""),
        (
            "array count beyond the frame",
            vec![0, 0, 0, 6, 5, 0xc0, 255, 1, 1, 1],
            "",
        ),
        (
            "garbage",
            b"\x00\x00\x00\x20the quick brown fox jumps over it".to_vec(),
            "",
        ),
        (
            "command without connection",
            add_session(),
            "before ConnectionInfo",
        ),
        (
            "second WireFormatInfo",
            second_hello(),
            "second WireFormatInfo",
        ),
    ]
}

fn add_session() -> Vec<u8> {
    let info = wire::openwire::SessionInfo {
        session_id: Some(wire::openwire::SessionId {
            connection_id: "nobody".into(),
            value: 1,
        }),
        ..Default::default()
    };
    encoded(&info.into(), tight())
}

fn second_hello() -> Vec<u8> {
    encoded(
        &wire::openwire::WireFormatInfo::offer(&Offer::default()).into(),
        tight(),
    )
}

fn tight() -> wire::openwire::WireFormat {
    wire::openwire::WireFormat {
        version: 12,
        tight: true,
        ..wire::openwire::initial_format()
    }
}

fn encoded(command: &Command, format: wire::openwire::WireFormat) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    wire::openwire::Encoder::new(format)
        .encode(command, &mut bytes)
        .unwrap();
    bytes.to_vec()
}

#[tokio::test]
async fn bad_frames_cost_their_sender_only() {
    let (log, _guard) = Log::catch();
    let broker = Broker::start(settings()).await;
    let mut healthy = Client::connect(broker.address, &Offer::default(), "healthy").await;
    for (number, (what, bytes, word)) in bad_frames().into_iter().enumerate() {
        let mut client = Client::negotiate(broker.address, &Offer::default()).await;
        client.stream.write_all(&bytes).await.unwrap();
        client.expect_end().await;
        let causes = log.wait(FAILED, number + 1).await;
        assert_eq!(causes.len(), number + 1, "{what}: {causes:?}");
        assert!(causes[number].contains(word), "{what}: {causes:?}");
        healthy.ping().await;
    }
}

#[tokio::test]
async fn other_protocols_are_named_as_such() {
    let (log, _guard) = Log::catch();
    let broker = Broker::start(settings()).await;
    for (number, hello) in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"AMQP\0\x01\0\0",
        b"\x16\x03\x01\x02",
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = TcpStream::connect(broker.address).await.unwrap();
        stream.write_all(hello).await.unwrap();
        drain(&mut stream).await;
        let causes = log.wait(FAILED, number + 1).await;
        assert!(
            causes[number].contains("does not speak OpenWire"),
            "{causes:?}"
        );
    }
}

/// Reads until the broker ends the connection.
async fn drain(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("an end");
}

#[tokio::test]
async fn a_frame_that_ends_in_the_middle_is_reported() {
    let (log, _guard) = Log::catch();
    let broker = Broker::start(settings()).await;
    let whole = encoded(&connection_info("cut"), tight());
    for cut in 1..whole.len() {
        let mut client = Client::negotiate(broker.address, &Offer::default()).await;
        client.stream.write_all(&whole[..cut]).await.unwrap();
        client.stream.shutdown().await.unwrap();
        client.expect_end().await;
    }
    let causes = log.wait(FAILED, 1).await;
    assert!(causes[0].contains("inside a frame"), "{causes:?}");
}

#[tokio::test]
async fn a_mute_socket_is_dropped_in_time() {
    let (log, _guard) = Log::catch();
    let mut settings = settings();
    settings.handshake_timeout = Duration::from_millis(50);
    let broker = Broker::start(settings).await;
    let mut mute = TcpStream::connect(broker.address).await.unwrap();
    drain(&mut mute).await;
    let causes = log.wait(FAILED, 1).await;
    assert!(causes[0].contains("no wire format"), "{causes:?}");
}

#[tokio::test]
async fn half_open_sockets_do_not_keep_clients_out() {
    let (log, _guard) = Log::catch();
    let mut settings = settings();
    settings.max_waiting = 4;
    let broker = Broker::start(settings).await;
    let mut held = Vec::new();
    for number in 0..50 {
        held.push(TcpStream::connect(broker.address).await.unwrap());
        if number % 10 == 0 {
            let name = format!("client-{number}");
            Client::connect(broker.address, &Offer::default(), &name)
                .await
                .ping()
                .await;
        }
    }
    // All but the last few were dropped; the log says so without a flood.
    for stream in &mut held[..40] {
        drain(stream).await;
    }
    let causes = log.wait("connection.refused", 1).await;
    assert!(causes.len() <= 3, "{} lines", causes.len());
    assert!(causes[0].contains("too many sockets"), "{causes:?}");
}

#[tokio::test]
async fn clients_beyond_the_limit_are_refused_until_one_leaves() {
    let (log, _guard) = Log::catch();
    let mut settings = settings();
    settings.max_connections = 1;
    let broker = Broker::start(settings).await;
    let first = Client::connect(broker.address, &Offer::default(), "first").await;
    let mut second = Client::negotiate(broker.address, &Offer::default()).await;
    second.send(&connection_info("second")).await;
    second.expect_end().await;
    let causes = log.wait("connection.refused", 1).await;
    assert!(causes[0].contains("all 1 places"), "{causes:?}");
    drop(first);
    // The place is free once the broker has seen the end of the first.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the place never came free"
        );
        let mut third = Client::negotiate(broker.address, &Offer::default()).await;
        let mut hello = connection_info("third");
        hello.base_mut().unwrap().response_required = true;
        third.send(&hello).await;
        let mut answered = false;
        while let Some(command) = third.receive().await {
            if matches!(command, Command::Response(_)) {
                answered = true;
                break;
            }
        }
        if answered {
            return;
        }
    }
}

#[tokio::test]
async fn random_bytes_never_hurt_anyone_else() {
    let broker = Broker::start(settings()).await;
    let mut healthy = Client::connect(broker.address, &Offer::default(), "healthy").await;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..100 {
        let mut client = Client::negotiate(broker.address, &Offer::default()).await;
        let mut bytes = vec![0, 0, 0, 60];
        for _ in 0..60 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.push(state.to_be_bytes()[0]);
        }
        client.stream.write_all(&bytes).await.unwrap();
        client.stream.shutdown().await.unwrap();
        client.expect_end().await;
    }
    healthy.ping().await;
}

#[tokio::test]
async fn a_large_frame_arrives_in_pieces() {
    let broker = Broker::start(settings()).await;
    let mut client = Client::connect(broker.address, &Offer::default(), "large").await;
    let producer = wire::openwire::ProducerId {
        connection_id: "large".into(),
        session_id: -1,
        value: 1,
    };
    let info = wire::openwire::ProducerInfo {
        producer_id: Some(producer.clone()),
        ..Default::default()
    };
    client.request(info.into()).await;
    let message = wire::openwire::Message {
        message_id: Some(wire::openwire::MessageId {
            producer_id: Some(producer.clone()),
            producer_sequence_id: 1,
            ..Default::default()
        }),
        producer_id: Some(producer),
        destination: Some(wire::openwire::Destination::queue("LARGE")),
        content: Some(vec![7; 900_000].into()),
        persistent: true,
        ..Default::default()
    };
    let answer = client.request(message.into()).await;
    assert!(matches!(answer, Command::Response(_)), "{answer:?}");
    client.send(&KeepAliveInfo::default().into()).await;
    client.ping().await;
}

/// All on one thread, whose read buffer they share.
#[tokio::test]
async fn frames_that_arrive_in_pieces_are_not_mixed_up_between_connections() {
    let broker = Broker::start(settings()).await;
    let mut clients = Vec::new();
    for name in ["first", "second", "third"] {
        clients.push(Client::connect(broker.address, &Offer::default(), name).await);
    }
    let mut rests = Vec::new();
    for (number, client) in (0..).zip(&mut clients) {
        let mut ping = Command::KeepAliveInfo(KeepAliveInfo::default());
        let base = ping.base_mut().unwrap();
        (base.command_id, base.response_required) = (700 + number, true);
        let mut frame = client.frame(&ping);
        rests.push(frame.split_off(5 + frame.len() % 3));
        client.stream.write_all(&frame).await.unwrap();
    }
    // Whole ones of a fourth go through in between, so that the pieces were read.
    let mut between = Client::connect(broker.address, &Offer::default(), "between").await;
    between.ping().await;
    for (number, (client, rest)) in (0..).zip(clients.iter_mut().zip(&rests)) {
        client.stream.write_all(rest).await.unwrap();
        let echo = client.receive().await.expect("the ping's echo");
        assert_eq!(echo.command_id(), 700 + number, "{echo:?}");
    }
}
