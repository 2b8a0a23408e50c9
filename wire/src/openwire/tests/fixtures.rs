//! The captured facts in `tests/fixtures`, as JSON, and what all tests do
//! with them.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::view::view;
use crate::openwire::{Command, Decoder, Encoder, WireFormat, frame_length};

pub(super) fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap()
}

pub(super) fn unhex(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    let digits: Vec<u8> = hex
        .chars()
        .map(|c| c.to_digit(16).unwrap().try_into().unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

pub(super) fn hex(raw: &[u8]) -> String {
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The format that a vector or a sequence was written in.
pub(super) fn format_of(vector: &Value) -> WireFormat {
    let cache = vector["cache"].as_bool().unwrap();
    WireFormat {
        version: number(vector, "version").try_into().unwrap(),
        tight: vector["tight"].as_bool().unwrap(),
        cache: cache.then(|| number(vector, "cache_size").try_into().unwrap()),
        stack_traces: vector["stack_trace"].as_bool().unwrap(),
        max_frame_size: usize::MAX,
    }
}

/// The frame behind the size prefix, which is checked.
pub(super) fn body(frame: &[u8]) -> Bytes {
    let length = frame_length(frame, frame.len()).unwrap().unwrap();
    assert_eq!(length, frame.len() - 4);
    Bytes::copy_from_slice(&frame[4..])
}

pub(super) fn encode(encoder: &mut Encoder, command: &Command) -> Vec<u8> {
    let mut out = BytesMut::from(&b"before"[..]);
    encoder.encode(command, &mut out).unwrap();
    assert_eq!(&out[..6], b"before");
    out[6..].to_vec()
}

/// Decodes a frame, compares every field with what was captured, and encodes
/// it again to the same bytes.
pub(super) fn check(
    decoder: &mut Decoder,
    encoder: &mut Encoder,
    frame: &Value,
    what: &str,
) -> Command {
    let raw = unhex(text(frame, "hex"));
    let command = decoder
        .decode(body(&raw))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let got = normal(&view(&command, decoder.format()));
    let want = normal(&expand(&frame["fields"]));
    assert_eq!(got, want, "{what}");
    assert_eq!(hex(&encode(encoder, &command)), hex(&raw), "{what}");
    command
}

/// Long responses are abbreviated in the fixture as a count of equal xids.
fn expand(fields: &Value) -> Value {
    let Some(count) = fields.get("count") else {
        return fields.clone();
    };
    let xid = json!({"_type": "XATransactionId", "formatId": 4660,
        "globalTransactionId": "010203", "branchQualifier": "ff00"});
    let data = vec![xid; count.as_u64().unwrap().try_into().unwrap()];
    json!({"_type": "DataArrayResponse", "commandId": 0, "responseRequired": false,
        "correlationId": 0, "data": data})
}

/// Field names without case and underscores, and Java's oddities undone.
pub(super) fn normal(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(fields) => {
            let entry = |(key, value): (&String, &Value)| (normal_name(key), normal(value));
            Value::Object(fields.iter().map(entry).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

pub(super) fn normal_name(name: &str) -> String {
    let name = name.replace('_', "").to_lowercase();
    match name.as_str() {
        "recievedbydfbridge" => "receivedbydfbridge".into(),
        "messagetype" | "transactiontype" => "type".into(),
        _ => name,
    }
}
