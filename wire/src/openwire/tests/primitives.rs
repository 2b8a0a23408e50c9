//! Primitive maps against ActiveMQ's bytes, against themselves, and against
//! hostile ones.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::fixtures::{format_of, hex, list, load, text, unhex};
use crate::Error;
use crate::limits::MAX_PRIMITIVE_DEPTH;
use crate::openwire::{Command, Decoder, Message, Primitive, PropertyMap, Text};

fn map_json(map: &PropertyMap) -> Value {
    let entry = |(key, value): (&Text, &Primitive)| (key.to_string(), primitive_json(value));
    Value::Object(map.iter().map(entry).collect::<Map<_, _>>())
}

fn primitive_json(value: &Primitive) -> Value {
    match value {
        Primitive::Null => Value::Null,
        Primitive::Bool(value) => json!(value),
        Primitive::Byte(value) => json!(value),
        Primitive::Char(value) => json!(String::from_utf16_lossy(&[*value])),
        Primitive::Short(value) => json!(value),
        Primitive::Int(value) => json!(value),
        Primitive::Long(value) => json!(value),
        Primitive::Double(value) => json!(value),
        Primitive::Float(value) => json!(value),
        Primitive::String(value) => json!(value.to_str()),
        Primitive::Bytes(value) => json!(hex(value)),
        Primitive::Map(value) => map_json(value),
        Primitive::List(values) => values.iter().map(primitive_json).collect(),
    }
}

#[test]
fn maps_of_activemq() {
    let facts = load("openwire-vectors.json");
    let maps = list(&facts, "primitive_maps");
    assert_eq!(maps.len(), 3);
    for fact in maps {
        let raw = Bytes::from(unhex(text(fact, "hex")));
        let map = PropertyMap::decode(&raw).unwrap();
        let want = if fact["value"].is_null() {
            json!({})
        } else {
            fact["value"].clone()
        };
        assert_eq!(map_json(&map), want, "{}", text(fact, "name"));
        if !fact["value"].is_null() {
            assert_eq!(hex(&map.encode().unwrap()), text(fact, "hex"));
        }
        for (key, value) in map.iter() {
            let found = PropertyMap::find(&raw, &key.to_str()).unwrap();
            assert_eq!(found.as_ref(), Some(value), "{key}");
        }
        assert_eq!(PropertyMap::find(&raw, "absent"), Ok(None));
    }
}

#[test]
fn properties_within_golden_vectors() {
    let facts = load("openwire-vectors.json");
    let mut seen = 0;
    for vector in list(&facts, "vectors") {
        let Some(want) = vector.get("decoded_properties") else {
            continue;
        };
        let raw = Bytes::from(unhex(text(vector, "hex"))).slice(4..);
        let properties = match Decoder::new(format_of(vector)).decode(raw).unwrap() {
            Command::WireFormatInfo(info) => info.properties(),
            Command::Message(message) => message.properties(),
            other => panic!("{} has no properties", other.name()),
        };
        assert_eq!(&map_json(&properties.unwrap()), want);
        seen += 1;
    }
    assert_eq!(seen, 25);
}

/// Java writes 8190 characters as a string and 8191 as a big string.
#[test]
fn long_strings_change_their_type() {
    for (units, character, head) in [
        (8190, "x", "091ffe"),
        (8191, "x", "0d00001fff"),
        (8190, "é", "093ffc"),
        (8191, "é", "0d00003ffe"),
    ] {
        let value = Primitive::String(character.repeat(units).into());
        let raw = Primitive::encode_stream(std::slice::from_ref(&value)).unwrap();
        assert_eq!(hex(&raw[..head.len() / 2]), head, "{units} of {character}");
        assert_eq!(Primitive::decode_stream(&raw), Ok(vec![value]));
    }
}

#[test]
fn hostile_maps_are_refused() {
    let nested = |depth: usize| {
        let mut raw = vec![0, 0, 0, 1, 0, 0];
        raw.extend([12, 0, 0, 0, 1].repeat(depth));
        raw.push(0);
        Bytes::from(raw)
    };
    assert!(PropertyMap::decode(&nested(MAX_PRIMITIVE_DEPTH)).is_ok());
    let too_deep = Err(Error::TooDeep {
        limit: MAX_PRIMITIVE_DEPTH,
    });
    assert_eq!(
        PropertyMap::decode(&nested(MAX_PRIMITIVE_DEPTH + 1)),
        too_deep
    );
    assert_eq!(PropertyMap::decode(&nested(100_000)), too_deep);
    for hostile in [
        "7fffffff",
        "fffffffe",
        "00000001",
        "00000001 0000 0a 7fffffff",
        "00000001 0000 0a ffffffff",
        "00000001 0000 0d 80000000",
        "00000001 0000 0c 7fffffff 00",
        "00000001 0000 0b 7fffffff 00",
        "00000001 0000 0e",
        "00000001 ffff 00",
    ] {
        let raw = Bytes::from(unhex(&hostile.replace(' ', "")));
        assert!(PropertyMap::decode(&raw).is_err(), "{hostile}");
        assert!(PropertyMap::find(&raw, "x").is_err(), "{hostile}");
        let message = Message {
            marshalled_properties: Some(raw),
            ..Message::default()
        };
        assert!(message.property("x").is_err(), "{hostile}");
    }
}

fn primitive() -> impl Strategy<Value = Primitive> {
    let leaf = prop_oneof![
        Just(Primitive::Null),
        any::<bool>().prop_map(Primitive::Bool),
        any::<i8>().prop_map(Primitive::Byte),
        any::<u16>().prop_map(Primitive::Char),
        any::<i16>().prop_map(Primitive::Short),
        any::<i32>().prop_map(Primitive::Int),
        any::<i64>().prop_map(Primitive::Long),
        (-1e300..1e300).prop_map(Primitive::Double),
        (-1e30f32..1e30).prop_map(Primitive::Float),
        any::<String>().prop_map(|text| Primitive::String(text.into())),
        any::<Vec<u8>>().prop_map(|raw| Primitive::Bytes(raw.into())),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Primitive::List),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(to_map),
        ]
    })
}

fn to_map(entries: std::collections::BTreeMap<String, Primitive>) -> Primitive {
    let mut map = PropertyMap::default();
    entries
        .into_iter()
        .for_each(|(key, value)| map.insert(key, value));
    Primitive::Map(map)
}

proptest! {
    #[test]
    fn any_values_round_trip(values in prop::collection::vec(primitive(), 0..6)) {
        let mut map = PropertyMap::default();
        for (i, value) in values.iter().enumerate() {
            map.insert(format!("k{i}"), value.clone());
        }
        let raw = map.encode().unwrap();
        prop_assert_eq!(&PropertyMap::decode(&raw).unwrap(), &map);
        for (i, value) in values.iter().enumerate() {
            let found = PropertyMap::find(&raw, &format!("k{i}")).unwrap();
            prop_assert_eq!(found.as_ref(), Some(value));
        }
        let stream = Primitive::encode_stream(&values).unwrap();
        prop_assert_eq!(Primitive::decode_stream(&stream).unwrap(), values);
        for cut in 0..raw.len() {
            let cut = raw.slice(..cut);
            prop_assert!(cut.is_empty() || PropertyMap::decode(&cut).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(raw in any::<Vec<u8>>(), count in 0u8..9) {
        let raw = Bytes::from([vec![0, 0, 0, count], raw].concat());
        let _ = PropertyMap::decode(&raw);
        let _ = PropertyMap::find(&raw, "x");
        let _ = Primitive::decode_stream(&raw);
    }
}
