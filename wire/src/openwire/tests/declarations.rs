//! The declared fields of every structure in every version, compared with what
//! ActiveMQ's generated marshallers have.

use super::fixtures::{list, load, normal_name};
use super::random;
use super::view::{java_name, layout};
use crate::openwire::marshal::Structure;
use crate::openwire::{Command, WireFormat, initial_format, type_id};

fn kind_of(java: &str) -> &str {
    match java {
        "bytearray" | "bytesequence" => "bytes",
        other => other,
    }
}

#[test]
fn every_structure_of_every_version_has_the_fields_of_activemq() {
    let facts = load("openwire-fields.json");
    let mut compared = 0;
    for (version, structures) in facts["versions"].as_object().unwrap() {
        let format = WireFormat {
            version: version.parse().unwrap(),
            ..initial_format()
        };
        for (name, fact) in structures.as_object().unwrap() {
            let id: u8 = fact["type_id"].as_u64().unwrap().try_into().unwrap();
            assert_eq!(java_name(id), *name);
            let want: Vec<(String, String)> = list(fact, "fields")
                .iter()
                .map(|field| (field[0].as_str().unwrap(), field[1].as_str().unwrap()))
                .map(|(name, kind)| (normal_name(name), kind_of(kind).to_owned()))
                .collect();
            let value = random::command_of(id, &[], &format);
            let got: Vec<(String, String)> = layout(&value, &format)
                .into_iter()
                .map(|(name, kind)| (normal_name(&name), kind))
                .collect();
            assert_eq!(got, want, "{name} in version {version}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12 * 57 - 11 - 2 * 2 - 1);
}

#[test]
fn types_exist_in_the_versions_of_activemq() {
    let facts = load("openwire-fields.json");
    for (version, structures) in facts["versions"].as_object().unwrap() {
        let version: i32 = version.parse().unwrap();
        for id in 0..=u8::MAX {
            let known = structures
                .as_object()
                .unwrap()
                .values()
                .any(|s| s["type_id"] == id);
            let ours = type_id::since(id).is_some_and(|since| since <= version);
            assert_eq!(ours, known, "type {id} in version {version}");
        }
    }
}

/// 57 structures: what the brief of this crate is about.
#[test]
fn every_type_id_is_read_as_itself() {
    assert_eq!(type_id::ALL.len(), 57);
    let format = WireFormat {
        version: 12,
        ..initial_format()
    };
    for (id, name) in type_id::ALL {
        let value: Command = random::command_of(*id, &[], &format);
        assert_eq!(value.type_id(), *id, "{name}");
        assert!(!value.name().is_empty());
    }
}

#[test]
fn absent_fields_have_the_defaults_of_java() {
    let format = WireFormat {
        version: 1,
        ..initial_format()
    };
    let Command::ConnectionInfo(info) = random::command_of(type_id::CONNECTION_INFO, &[], &format)
    else {
        panic!("not a ConnectionInfo");
    };
    assert!(info.client_master);
    let Command::RemoveInfo(info) = random::command_of(type_id::REMOVE_INFO, &[], &format) else {
        panic!("not a RemoveInfo");
    };
    assert_eq!(info.last_delivered_sequence_id, -2);
}
