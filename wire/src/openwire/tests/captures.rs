//! Whole conversations between real clients, brokers and bridges.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::Value;

use super::fixtures::{check, list, load, text};
use crate::openwire::{
    Command, Decoder, Encoder, WireFormat, WireFormatInfo, initial_format, negotiate,
};

/// Frames in all captures, `capture_basic` aside.
const FRAMES: usize = 646;

/// The format of a connection, as the capturing proxy worked it out.
pub(super) fn negotiated(capture: &Value, connection: &str) -> WireFormat {
    let facts = &capture["negotiated"][connection];
    let number = |key: &str| facts[key].as_i64().unwrap();
    let flag = |key: &str| facts[key].as_bool().unwrap();
    WireFormat {
        version: number("version").try_into().unwrap(),
        tight: flag("tight"),
        cache: flag("cache").then(|| number("cacheSize").try_into().unwrap()),
        stack_traces: flag("stack"),
        max_frame_size: usize::MAX,
    }
}

/// Frames with their connection and direction; the rest are remarks.
pub(super) fn frames(capture: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let frames = list(capture, "frames")
        .iter()
        .filter(|frame| frame.get("hex").is_some());
    frames.map(|frame| (text(frame, "conn"), text(frame, "dir"), frame))
}

/// Checks every frame; returns how many, and the handshakes per connection.
fn replay(capture: &Value, name: &str) -> (usize, HashMap<String, Vec<WireFormatInfo>>) {
    let mut ends = HashMap::new();
    let mut handshakes: HashMap<String, Vec<WireFormatInfo>> = HashMap::new();
    let mut count = 0;
    for (connection, direction, frame) in frames(capture) {
        count += 1;
        let what = format!("{name} frame {count} {}", frame["fields"]["_type"]);
        if frame["fields"]["_type"] == "WireFormatInfo" {
            let format = initial_format();
            let command = check(
                &mut Decoder::new(format),
                &mut Encoder::new(format),
                frame,
                &what,
            );
            let Command::WireFormatInfo(info) = command else {
                panic!("{what}")
            };
            handshakes
                .entry(connection.to_owned())
                .or_default()
                .push(info);
            continue;
        }
        let (decoder, encoder) = ends.entry((connection, direction)).or_insert_with(|| {
            let format = negotiated(capture, connection);
            (Decoder::new(format), Encoder::new(format))
        });
        check(decoder, encoder, frame, &what);
    }
    (count, handshakes)
}

#[test]
fn the_basic_conversation() {
    let facts = load("openwire-vectors.json");
    let (count, _) = replay(&facts["capture_basic"], "basic");
    assert_eq!(count, 24);
}

#[test]
fn every_conversation() {
    let facts = load("openwire-captures.json");
    let captures = facts.as_object().unwrap();
    assert_eq!(captures.len(), 15);
    let frames: usize = captures
        .iter()
        .map(|(name, capture)| replay(capture, name).0)
        .sum();
    assert_eq!(frames, FRAMES);
}

#[test]
fn negotiation_comes_to_what_the_two_sides_did() {
    let facts = load("openwire-captures.json");
    let mut compared = 0;
    for (name, capture) in facts.as_object().unwrap() {
        for (connection, infos) in replay(capture, name).1 {
            let [first, second] = &infos[..] else {
                continue;
            };
            for (mine, theirs) in [(first, second), (second, first)] {
                let agreed = negotiate(mine, theirs).unwrap();
                let want = negotiated(capture, &connection);
                assert_eq!(
                    WireFormat {
                        max_frame_size: usize::MAX,
                        ..agreed.format
                    },
                    want
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= 30, "only {compared} handshakes");
}

/// Bodies may be slices of the frame or copies: the command is the same.
#[test]
fn slices_and_copies_are_the_same() {
    let facts = load("openwire-captures.json");
    let mut ends = HashMap::new();
    for (connection, direction, frame) in frames(&facts["bodies"]) {
        if frame["fields"]["_type"] == "WireFormatInfo" {
            continue;
        }
        let raw = super::fixtures::unhex(text(frame, "hex"));
        let format = negotiated(&facts["bodies"], connection);
        let (sharing, copying) = ends
            .entry((connection, direction))
            .or_insert_with(|| (Decoder::new(format), Decoder::new(format)));
        let shared = sharing.decode(Bytes::copy_from_slice(&raw[4..])).unwrap();
        assert_eq!(copying.decode_slice(&raw[4..]).unwrap(), shared);
    }
}
