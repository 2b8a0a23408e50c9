//! The promise that bad input costs its sender the connection and nobody else anything.
//!
//! After each attack the same good client still gets its answers on the same connection, and memory stays bounded.

use crate::support::broker_process::{BrokerProcess, scratch};
use crate::support::clients::{connect, drain_texts, put};
use crate::support::raw::Raw;
use client::Connection;
use wire::openwire::{
    AckKind, Command, ConsumerId, Destination, Message, MessageAck, MessageId, ObjectId,
    ProducerId, RemoveInfo, SessionId, TransactionId, TransactionInfo, TransactionKind,
};

/// What a crowd of bad peers may add to the broker's memory at its peak.
const MAY_GROW_KIB: u64 = 96 * 1024;

/// A good client that must not notice anything.
struct Witness {
    connection: Connection,
    rounds: u32,
}

impl Witness {
    async fn of(broker: &BrokerProcess) -> Self {
        Self {
            connection: connect(&broker.uri()).await,
            rounds: 0,
        }
    }

    async fn assert_served(&mut self, broker: &mut BrokerProcess) {
        self.rounds += 1;
        let text = format!("round {}", self.rounds);
        put(&self.connection, "witness", &[&text]).await;
        assert_eq!(drain_texts(&self.connection, "witness").await, [text]);
        assert!(broker.is_running());
        assert!(
            !broker.log.text().contains("panicked"),
            "{}",
            broker.log.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_an_introduction_is_cut_off() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let mut witness = Witness::of(&broker).await;
    let mut noise: u32 = 1;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    })
    .take(10_000)
    .collect();
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"CONNECT\naccept-version:1.2\n\n\0".to_vec(),
        vec![0xff; 64],
        vec![0; 64],
        (-1_i32).to_be_bytes().to_vec(),
        i32::MIN.to_be_bytes().to_vec(),
        [&i32::MAX.to_be_bytes()[..], &[1], b"ActiveMQ"].concat(),
        [&100_i32.to_be_bytes()[..], &[1], b"ActiveMX", &[0; 91]].concat(),
        // A property map that claims two thousand million entries.
        [
            &27_i32.to_be_bytes()[..],
            &[1],
            b"ActiveMQ",
            &[0, 0, 0, 12, 1, 0, 0, 0, 4, 127, 255, 255, 255],
            &[0; 5],
        ]
        .concat(),
        random,
    ] {
        let mut raw = Raw::connect(&broker.uri());
        raw.write(&bytes);
        raw.wait_for_close();
    }
    witness.assert_served(&mut broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_after_the_introduction_is_cut_off() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let mut witness = Witness::of(&broker).await;
    let frames: [&[u8]; 9] = [
        &[0x80, 0, 0, 0],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x06, 0x40, 0x00, 0x01],     // one byte more than 100 MiB
        &[0, 0, 0, 1, 200],            // an unknown type
        &[0, 0, 0, 1, 28],             // a message that ends before it begins
        &[0, 0, 0, 3, 22, 0x80, 0xff], // a boolean stream cut short
        &[0, 0, 0, 5, 3, 63, 1, 2, 3], // a boolean stream longer than its frame
        &[0, 0, 0, 6, 5, 0xC0, 0xff, 0, 0, 0],
        &[0, 0, 0, 0], // a frame without a type
    ];
    for (number, bytes) in frames.into_iter().enumerate() {
        let mut raw = Raw::introduced(&broker.uri(), &format!("bad-{number}"));
        raw.write(bytes);
        raw.wait_for_close();
    }
    witness.assert_served(&mut broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cut_of_a_good_frame_is_survived() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let mut witness = Witness::of(&broker).await;
    let mut whole = bytes::BytesMut::new();
    let format = wire::openwire::initial_format();
    let mut encoder = wire::openwire::Encoder::new(wire::openwire::WireFormat {
        version: 12,
        ..format
    });
    encoder
        .encode(&Raw::introduction("cut"), &mut whole)
        .expect("it can be written");
    for cut in (0..whole.len()).step_by(3) {
        let mut raw = Raw::negotiated(&broker.uri());
        raw.write(&whole[..cut]);
        drop(raw);
    }
    witness.assert_served(&mut broker).await;
}

/// Commands that are well-formed and make no sense here.
fn senseless() -> Vec<Command> {
    let mut commands = senseless_messages();
    commands.extend(senseless_acks());
    commands.extend(senseless_transactions());
    let consumer = ObjectId::Consumer(nobodys_consumer());
    let session = ObjectId::Session(SessionId::default());
    commands.extend([
        RemoveInfo::default().into(),
        RemoveInfo {
            object_id: Some(consumer),
            ..Default::default()
        }
        .into(),
        RemoveInfo {
            object_id: Some(session),
            ..Default::default()
        }
        .into(),
        wire::openwire::SessionInfo::default().into(),
        wire::openwire::ConsumerInfo::default().into(),
        wire::openwire::ProducerInfo::default().into(),
        wire::openwire::DestinationInfo::default().into(),
        wire::openwire::MessagePull::default().into(),
        wire::openwire::ConsumerControl::default().into(),
        wire::openwire::ConnectionControl::default().into(),
        wire::openwire::MessageDispatch::default().into(),
        wire::openwire::WireFormatInfo::default().into(),
    ]);
    commands
}

fn nobodys_consumer() -> ConsumerId {
    ConsumerId {
        connection_id: "nobody".into(),
        session_id: 1,
        value: 1,
    }
}

fn nobodys_producer() -> ProducerId {
    ProducerId {
        connection_id: "nobody".into(),
        value: 1,
        session_id: 1,
    }
}

fn senseless_messages() -> Vec<Command> {
    let nameless = Some(Destination::queue(""));
    let named = Some(Destination::queue("q"));
    vec![
        Message::default().into(),
        Message {
            persistent: true,
            destination: nameless,
            ..Default::default()
        }
        .into(),
        Message {
            producer_id: Some(nobodys_producer()),
            destination: named,
            ..Default::default()
        }
        .into(),
    ]
}

fn senseless_acks() -> Vec<Command> {
    let id = MessageId {
        producer_id: Some(nobodys_producer()),
        producer_sequence_id: i64::MIN,
        ..Default::default()
    };
    let reversed = MessageAck {
        consumer_id: Some(nobodys_consumer()),
        destination: Some(Destination::queue("q")),
        ack_type: AckKind::Standard.into(),
        first_message_id: Some(id.clone()),
        last_message_id: Some(id),
        message_count: i32::MIN,
        ..Default::default()
    };
    let kindless = MessageAck {
        consumer_id: Some(nobodys_consumer()),
        ack_type: 99,
        ..Default::default()
    };
    vec![
        MessageAck::default().into(),
        reversed.into(),
        kindless.into(),
    ]
}

fn senseless_transactions() -> Vec<Command> {
    let id = Some(TransactionId::Local(Default::default()));
    let commit = TransactionKind::CommitOnePhase.into();
    vec![
        TransactionInfo::default().into(),
        TransactionInfo {
            transaction_type: commit,
            ..Default::default()
        }
        .into(),
        TransactionInfo {
            transaction_id: id,
            transaction_type: 77,
            ..Default::default()
        }
        .into(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_commands_are_refused_or_cut_off() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let mut witness = Witness::of(&broker).await;
    for (number, command) in senseless().into_iter().enumerate() {
        let name = command.name();
        let mut raw = Raw::introduced(&broker.uri(), &format!("senseless-{number}"));
        raw.send(command);
        // Whatever it thought of it, a broker that still serves this peer answers; one that does not closes.
        let mut flush = wire::openwire::FlushCommand::default();
        (flush.base.command_id, flush.base.response_required) = (9_999, true);
        raw.send(flush.into());
        loop {
            match raw.command() {
                None => break,
                Some(answer) if answer.correlation_id() == Some(9_999) => break,
                Some(_) => {}
            }
        }
        assert!(broker.is_running(), "{name}");
    }
    witness.assert_served(&mut broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_keep_nobody_out() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let mut witness = Witness::of(&broker).await;
    // More than wait at once, each stopping in the middle of its introduction.
    let start = [&90_i32.to_be_bytes()[..], &[1], b"ActiveMQ"].concat();
    let (_, before) = broker.memory_kib();
    let mut silent = Vec::new();
    for number in 0..700_usize {
        let mut raw = Raw::connect(&broker.uri());
        raw.write(&start[..number % start.len()]);
        silent.push(raw);
    }
    witness.assert_served(&mut broker).await;
    // A newcomer gets in, although all the others were first.
    let mut newcomer = Witness::of(&broker).await;
    newcomer.assert_served(&mut broker).await;
    let (_, peak) = broker.memory_kib();
    assert!(
        peak < before + MAY_GROW_KIB,
        "{before} KiB before, {peak} KiB at the peak"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_only_announced_cost_nothing() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &[]);
    let mut witness = Witness::of(&broker).await;
    let (_, before) = broker.memory_kib();
    let mut peers = Vec::new();
    for number in 0..100 {
        let mut raw = Raw::introduced(&broker.uri(), &format!("boaster-{number}"));
        // 90 MiB are announced; one block of them comes.
        raw.write(&(90_i32 << 20).to_be_bytes());
        raw.write(&[28; 4096]);
        peers.push(raw);
    }
    witness.assert_served(&mut broker).await;
    let (_, peak) = broker.memory_kib();
    let limit = before + MAY_GROW_KIB + 100 * 1024; // up to a megabyte for each frame that has begun
    assert!(peak < limit, "{before} KiB before, {peak} KiB at the peak");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_beyond_the_limit_are_refused_and_said_so() {
    let folder = scratch();
    let mut broker = BrokerProcess::alone(folder.path(), &["--max-connections", "3"]);
    let mut witness = Witness::of(&broker).await;
    let uri = broker.uri();
    let held = [Raw::introduced(&uri, "one"), Raw::introduced(&uri, "two")];
    let mut fourth = Raw::negotiated(&uri);
    fourth.send(Raw::introduction("three"));
    loop {
        match fourth.command() {
            None | Some(Command::ExceptionResponse(_)) => break,
            Some(Command::Response(_)) => panic!("a fourth client was accepted"),
            Some(_) => {}
        }
    }
    broker.wait_for("connection.refused");
    witness.assert_served(&mut broker).await;
    drop(held);
    // With a place free again the next one gets in.
    Witness::of(&broker).await.assert_served(&mut broker).await;
}
