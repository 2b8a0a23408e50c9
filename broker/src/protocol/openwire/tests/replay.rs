//! What a real Java client sent, played again to a live broker: every frame
//! that ActiveMQ sent back must come from here as well.
//!
//! The frames of the client are decoded in the captured format and sent in the
//! negotiated one, since the cache that the capture used is not offered here.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;
use wire::openwire::{Command, Decoder, Offer, WireFormat, WireFormatInfo, initial_format};

use super::support::{Broker, Client, PATIENCE, settings};

fn fixture(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../wire/tests/fixtures")
        .join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn captured(name: &str) -> Value {
    match name {
        "basic" => fixture("openwire-vectors.json")["capture_basic"].take(),
        name => fixture("openwire-captures.json")[name].take(),
    }
}

fn format(negotiated: &Value) -> WireFormat {
    let number = |key: &str| negotiated[key].as_i64().unwrap();
    let cache = negotiated["cache"].as_bool().unwrap();
    WireFormat {
        version: number("version").try_into().unwrap(),
        tight: negotiated["tight"].as_bool().unwrap(),
        cache: cache.then(|| number("cacheSize").try_into().unwrap()),
        stack_traces: negotiated["stack"].as_bool().unwrap(),
        max_frame_size: usize::MAX,
    }
}

/// The frame without its size prefix.
fn frame(hex: &str) -> Bytes {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (8..hex.len()).step_by(2).map(byte).collect()
}

/// One captured connection, played.
struct Playing {
    client: Client,
    /// Decoders of the captured directions.
    said: Decoder,
    heard: Decoder,
    /// Received from our broker and not yet found in the capture.
    received: Vec<Command>,
}

impl Playing {
    /// Waits until our broker has said what ActiveMQ said.
    async fn expect(&mut self, expected: &Command) {
        loop {
            let found = self.received.iter().position(|have| alike(have, expected));
            if let Some(at) = found {
                self.received.remove(at);
                return;
            }
            let more = timeout(PATIENCE, self.client.receive()).await;
            match more {
                Ok(Some(command)) => self.received.push(command),
                _ => panic!("never came: {expected:?}\nbut: {:?}", self.received),
            }
        }
    }
}

/// Whether two brokers mean the same.
fn alike(ours: &Command, theirs: &Command) -> bool {
    if ours.name() != theirs.name() || ours.correlation_id() != theirs.correlation_id() {
        return false;
    }
    let (Command::MessageDispatch(ours), Command::MessageDispatch(theirs)) = (ours, theirs) else {
        return true;
    };
    if ours.consumer_id != theirs.consumer_id || ours.destination != theirs.destination {
        return false;
    }
    match (&ours.message, &theirs.message) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            let advisory = theirs
                .message_type
                .as_ref()
                .is_some_and(|kind| *kind == "Advisory");
            let payload = ours.content == theirs.content && ours.kind == theirs.kind;
            payload && (advisory || ours.message_id == theirs.message_id)
        }
        _ => false,
    }
}

async fn replay(name: &str) {
    let capture = captured(name);
    let broker = Broker::start(settings()).await;
    let mut playing: HashMap<String, Playing> = HashMap::new();
    for step in capture["frames"].as_array().unwrap() {
        if let Some(note) = step["note"].as_str() {
            if let Some(connection) = note
                .strip_prefix("EOF ")
                .and_then(|n| n.strip_suffix(" C>B"))
            {
                playing.remove(connection);
            }
            continue;
        }
        let connection = step["conn"].as_str().unwrap_or("1");
        let hex = step["hex"].as_str().unwrap();
        let from_client = step["dir"] == "C>B";
        if hex[8..10] == *"01" {
            if from_client {
                let negotiated = &capture["negotiated"][connection];
                let opened = open(&broker, hex, format(negotiated)).await;
                playing.insert(connection.to_owned(), opened);
            }
            continue;
        }
        let Some(current) = playing.get_mut(connection) else {
            continue;
        };
        if from_client {
            let command = current.said.decode(frame(hex)).unwrap();
            current.client.send(&command).await;
        } else {
            let command = current.heard.decode(frame(hex)).unwrap();
            current.expect(&command).await;
        }
    }
}

async fn open(broker: &Broker, hello: &str, format: WireFormat) -> Playing {
    let hello = Decoder::new(initial_format()).decode(frame(hello)).unwrap();
    let Command::WireFormatInfo(mine) = hello else {
        panic!("no WireFormatInfo: {hello:?}");
    };
    Playing {
        client: Client::open(broker.address, mine).await,
        said: Decoder::new(format),
        heard: Decoder::new(format),
        received: Vec::new(),
    }
}

#[tokio::test]
async fn the_basic_client_is_served_as_by_activemq() {
    replay("basic").await;
    replay("basicloose").await;
}

#[tokio::test]
async fn a_client_that_fails_over_is_served_as_by_activemq() {
    replay("failover").await;
}

#[tokio::test]
async fn pulls_and_producer_windows_are_served_as_by_activemq() {
    replay("pull").await;
    replay("window").await;
    replay("bodies").await;
}

#[test]
fn the_offer_has_what_java_insists_on() {
    let offer = WireFormatInfo::offer(&Offer::default());
    let properties = offer.properties().unwrap();
    for key in [
        "MaxInactivityDurationInitalDelay",
        "MaxInactivityDurationInitialDelay",
    ] {
        assert!(properties.get(key).is_some(), "{key}");
    }
    assert_eq!(offer.version, 12);
}
