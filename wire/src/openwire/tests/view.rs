//! A [`Writer`] that makes JSON of a structure instead of bytes: every field
//! by its declared name, in the shape of the fixtures. It also records the
//! order and kind of the fields, to be compared with ActiveMQ's.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::fixtures::hex;
use crate::error::Error;
use crate::openwire::cache::Cacheable;
use crate::openwire::marshal::{Structure, Writer};
use crate::openwire::{Base, Command, Text, Throwable, WireFormat, type_id};

/// All fields of a structure that its version has.
pub(super) fn view<T: Structure>(value: &T, format: &WireFormat) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let mut view = View::new(*format);
    value.write_fields(&mut view).unwrap();
    view.into_json(value.type_id())
}

/// Names and kinds of the fields in wire order.
pub(super) fn layout<T: Structure>(value: &T, format: &WireFormat) -> Vec<(String, String)> {
    let mut view = View::new(*format);
    value.write_fields(&mut view).unwrap();
    view.fields
        .into_iter()
        .map(|(name, kind, _)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// A type's name as in Java, from its name in capitals.
pub(super) fn java_name(type_id: u8) -> String {
    let (_, name) = type_id::ALL.iter().find(|(id, _)| *id == type_id).unwrap();
    let special = name
        .replace("ACTIVEMQ_", "ActiveMQ_")
        .replace("XA_", "XA-_");
    let camel = |word: &str| match word {
        "ActiveMQ" => "ActiveMQ".to_owned(),
        "XA-" => "XA".to_owned(),
        _ => word[..1].to_owned() + &word[1..].to_lowercase(),
    };
    special.split('_').map(camel).collect()
}

struct View {
    format: WireFormat,
    name: &'static str,
    fields: Vec<(&'static str, &'static str, Value)>,
}

impl View {
    fn new(format: WireFormat) -> Self {
        Self {
            format,
            name: "",
            fields: Vec::new(),
        }
    }

    fn add(&mut self, kind: &'static str, value: Value) -> Result<(), Error> {
        self.fields.push((self.name, kind, value));
        Ok(())
    }

    fn nested_in<T: Structure>(&self, value: Option<&T>) -> Value {
        value.map_or(Value::Null, |value| view(value, &self.format))
    }

    fn into_json(self, type_id: u8) -> Value {
        let mut map = Map::from_iter([("_type".to_owned(), json!(java_name(type_id)))]);
        for (name, _, value) in self.fields {
            assert!(map.insert(name.to_owned(), value).is_none(), "{name} twice");
        }
        Value::Object(map)
    }

    fn throwable_json(&self, value: Option<&Throwable>) -> Value {
        let Some(throwable) = value else {
            return Value::Null;
        };
        let mut json = json!({
            "class": string(Some(&throwable.class_name)),
            "message": string(throwable.message.as_ref()),
        });
        if self.format.stack_traces {
            let element = |e: &crate::openwire::StackElement| {
                let part = |text: &Option<Text>| string(text.as_ref());
                json!([part(&e.class_name), part(&e.method), part(&e.file), e.line])
            };
            json["stack"] = throwable.stack.iter().map(element).collect();
            json["cause"] = self.throwable_json(throwable.cause.as_deref());
        }
        json
    }
}

fn string(text: Option<&Text>) -> Value {
    text.map_or(Value::Null, |text| json!(text.to_str()))
}

impl Writer for View {
    fn version(&self) -> i32 {
        self.format.version
    }

    fn stack_traces(&self) -> bool {
        self.format.stack_traces
    }

    fn field(&mut self, name: &'static str) {
        self.name = name;
    }

    fn base(&mut self, value: &Base) -> Result<(), Error> {
        self.field("command_id");
        self.int(&value.command_id)?;
        self.field("response_required");
        self.bool(&value.response_required)
    }

    fn flag(&mut self, _value: bool) -> Result<(), Error> {
        unreachable!("a view is made of whole fields")
    }

    fn put(&mut self, _raw: &[u8]) {
        unreachable!("a view is made of whole fields")
    }

    fn bool(&mut self, value: &bool) -> Result<(), Error> {
        self.add("bool", json!(value))
    }

    fn byte(&mut self, value: &u8) -> Result<(), Error> {
        self.add("byte", json!(value))
    }

    fn signed(&mut self, value: &i8) -> Result<(), Error> {
        self.add("byte", json!(value))
    }

    fn int(&mut self, value: &i32) -> Result<(), Error> {
        self.add("int", json!(value))
    }

    fn long(&mut self, value: &i64) -> Result<(), Error> {
        self.add("long", json!(value))
    }

    fn utf(&mut self, value: Option<&Text>) -> Result<(), Error> {
        self.add("string", string(value))
    }

    fn bytes(&mut self, value: &Option<Bytes>) -> Result<(), Error> {
        self.add(
            "bytes",
            value.as_ref().map_or(Value::Null, |raw| json!(hex(raw))),
        )
    }

    fn blob(&mut self, value: &Bytes) -> Result<(), Error> {
        self.add("bytes", json!(hex(value)))
    }

    fn magic(&mut self, value: &[u8; 8]) -> Result<(), Error> {
        self.add("constbytes", json!(hex(value)))
    }

    fn object<T: Structure>(&mut self, value: Option<&T>) -> Result<(), Error> {
        let json = self.nested_in(value);
        self.add("nested", json)
    }

    fn cached<T: Cacheable>(&mut self, value: &Option<T>) -> Result<(), Error> {
        let json = self.nested_in(value.as_ref());
        self.add("cached", json)
    }

    fn array<T: Structure>(&mut self, value: &Option<Vec<T>>) -> Result<(), Error> {
        let all = |values: &Vec<T>| {
            values
                .iter()
                .map(|value| self.nested_in(Some(value)))
                .collect()
        };
        let json = value.as_ref().map_or(Value::Null, all);
        self.add("array", json)
    }

    fn throwable(&mut self, value: &Option<Box<Throwable>>) -> Result<(), Error> {
        let json = self.throwable_json(value.as_deref());
        self.add("throwable", json)
    }
}

#[test]
fn java_names() {
    assert_eq!(java_name(type_id::XA_TRANSACTION_ID), "XATransactionId");
    assert_eq!(java_name(type_id::ACTIVEMQ_TEMP_QUEUE), "ActiveMQTempQueue");
    assert_eq!(
        java_name(Command::Null.type_id().wrapping_add(1)),
        "WireFormatInfo"
    );
}
