//! What a hostile frame can make the decoder allocate: bounded by the frame's
//! own size, whatever its counts and lengths claim. Allocations are counted
//! per thread, so these tests may run beside each other.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use serde_json::Value;
use wire::openwire::{
    BrokerInfo, Command, ConsumerInfo, DataArrayResponse, Decoder, Destination, Encoder, Message,
    MessageDispatch, MessageKind, PropertyMap, WireFormat, type_id,
};

/// Reserved on the word of a count alone: 64 elements of the largest kind.
const CONSTANT: u64 = 32 * 1024;

/// The most that one byte of a frame can become. The densest case is an array
/// of ids without text: ten bits each on the wire, 80 bytes in memory, and as
/// the vector doubles up to three times that at its peak.
const PER_BYTE: u64 = 192;

fn vectors() -> Vec<(WireFormat, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openwire-vectors.json");
    let facts: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vector = |fact: &Value| {
        let format = WireFormat {
            version: fact["version"].as_i64().unwrap().try_into().unwrap(),
            tight: fact["tight"].as_bool().unwrap(),
            cache: None,
            stack_traces: fact["stack_trace"].as_bool().unwrap(),
            max_frame_size: usize::MAX,
        };
        (format, unhex(&fact["hex"].as_str().unwrap()[8..]))
    };
    facts["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(vector)
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn check(format: WireFormat, frame: &[u8]) {
    let mut decoder = Decoder::new(format);
    let spent = measure(|| drop(decoder.decode_slice(frame)));
    let bound = CONSTANT + PER_BYTE * frame.len() as u64;
    assert!(
        spent.bytes_max <= bound,
        "{} bytes of {}",
        spent.bytes_max,
        frame.len()
    );
}

#[test]
fn lies_at_every_position_of_every_vector() {
    for (format, frame) in vectors() {
        let step = frame.len() / 500 + 1;
        for at in (0..frame.len()).step_by(step) {
            for lie in [
                &[0x7f, 0xff, 0xff, 0xff][..],
                &[0x7f, 0xff],
                &[0, 0xff],
                &[1],
                &[0xff],
            ] {
                let mut frame = frame.clone();
                let end = frame.len().min(at + lie.len());
                frame[at..end].copy_from_slice(&lie[..end - at]);
                check(format, &frame);
            }
        }
    }
}

/// The densest arrays there are: structures whose fields are all absent.
#[test]
fn dense_arrays() {
    // A quarter of it fills the boolean stream with the larger elements.
    const COUNT: usize = 20_000;
    let format = WireFormat {
        version: 12,
        tight: true,
        cache: None,
        stack_traces: true,
        max_frame_size: usize::MAX,
    };
    let dispatch = MessageDispatch {
        message: Some(Arc::default()),
        ..MessageDispatch::default()
    };
    let elements: [Command; 4] = [
        dispatch.into(),
        Message::default().into(),
        ConsumerInfo::default().into(),
        BrokerInfo::default().into(),
    ];
    for element in elements {
        let data = Some(vec![element; COUNT / 4]);
        let response = DataArrayResponse {
            data,
            ..DataArrayResponse::default()
        };
        let mut out = BytesMut::new();
        Encoder::new(format)
            .encode(&response.into(), &mut out)
            .unwrap();
        assert!(Decoder::new(format).decode_slice(&out[4..]).is_ok());
        check(format, &out[4..]);
    }

    // Ids without text: one byte and two bits each, which no encoder of ours
    // writes. The bits: no answer wanted, an array, then present and null.
    let bits = (2 + 2 * COUNT).div_ceil(8);
    let mut frame = vec![type_id::DATA_ARRAY_RESPONSE, 0x80];
    frame.extend(u16::try_from(bits).unwrap().to_be_bytes());
    frame.push(0x56);
    frame.resize(4 + bits, 0x55);
    frame.extend([0; 8]);
    frame.extend(u16::try_from(COUNT).unwrap().to_be_bytes());
    frame.resize(frame.len() + COUNT, type_id::CONNECTION_ID);
    assert!(Decoder::new(format).decode_slice(&frame).is_ok());
    check(format, &frame);
}

#[test]
fn lying_maps() {
    for raw in [
        &[0x7f, 0xff, 0xff, 0xff][..],
        &[0, 0, 0, 1, 0, 0, 12, 0, 0, 0xff, 0xff],
    ] {
        let raw = Bytes::copy_from_slice(raw);
        let spent = measure(|| assert!(PropertyMap::decode(&raw).is_err()));
        assert!(spent.bytes_max < CONSTANT, "{} bytes", spent.bytes_max);
    }
}

/// No allocation per message once the buffers have grown.
#[test]
fn encoding_allocates_nothing_in_steady_state() {
    let mut message = Message {
        kind: MessageKind::Bytes,
        ..Message::default()
    };
    message.destination = Some(Destination::queue("TEST.QUEUE"));
    message.content = Some(Bytes::from(vec![7; 1024]));
    let command = Command::from(message);
    for (format, _) in vectors()
        .into_iter()
        .filter(|(format, _)| format.version == 12)
    {
        let mut encoder = Encoder::new(format);
        let mut out = BytesMut::with_capacity(64 * 1024);
        encoder.encode(&command, &mut out).unwrap();
        let spent = measure(|| {
            for _ in 0..10 {
                out.clear();
                encoder.encode(&command, &mut out).unwrap();
            }
        });
        assert_eq!(spent.count_total, 0);
    }
}
