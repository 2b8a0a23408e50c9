//! Reading and setting bodies and properties of messages. A broker seldom
//! needs it: to it they are bytes.

use bytes::{BufMut, Bytes};

use super::command::{Message, MessageKind};
use super::cursor::Cursor;
use super::primitive::{Primitive, length};
use super::property_map::PropertyMap;
use super::text::Text;
use crate::error::Error;

/// A length that stands for no text at all.
const NO_TEXT: i32 = -1;

impl Message {
    /// The text of a text message; `None` for null.
    ///
    /// # Errors
    /// It is no text message, is compressed, or its content is broken.
    pub fn text(&self) -> Result<Option<Text>, Error> {
        if self.kind != MessageKind::Text {
            return Err(Error::WrongBody { wanted: "text" });
        }
        if self.compressed {
            return Err(Error::Compressed);
        }
        self.content
            .as_ref()
            .map_or(Ok(None), |content| decode_text(content))
    }

    /// Makes it a text message with this text.
    ///
    /// # Errors
    /// The text exceeds 2 GiB.
    pub fn set_text(&mut self, text: impl Into<Text>) -> Result<(), Error> {
        self.content = Some(encode_text(&text.into())?);
        self.kind = MessageKind::Text;
        self.compressed = false;
        Ok(())
    }

    /// The user's properties.
    ///
    /// # Errors
    /// They are not a primitive map.
    pub fn properties(&self) -> Result<PropertyMap, Error> {
        self.marshalled_properties
            .as_ref()
            .map_or(Ok(PropertyMap::default()), PropertyMap::decode)
    }

    /// One of the user's properties.
    ///
    /// # Errors
    /// They are not a primitive map.
    pub fn property(&self, key: &str) -> Result<Option<Primitive>, Error> {
        self.marshalled_properties
            .as_ref()
            .map_or(Ok(None), |raw| PropertyMap::find(raw, key))
    }

    /// Replaces the user's properties; none at all are `None` on the wire.
    ///
    /// # Errors
    /// A key is too long.
    pub fn set_properties(&mut self, properties: &PropertyMap) -> Result<(), Error> {
        self.marshalled_properties = if properties.is_empty() {
            None
        } else {
            Some(properties.encode()?)
        };
        Ok(())
    }

    /// Sets one property to a string and keeps the others.
    ///
    /// # Errors
    /// The others are not a primitive map, or the key is too long.
    pub fn set_string_property(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let mut properties = self.properties()?;
        properties.insert_string(key, value);
        self.set_properties(&properties)
    }
}

fn decode_text(content: &[u8]) -> Result<Option<Text>, Error> {
    let mut cursor = Cursor::new(content);
    if cursor.i32()? == NO_TEXT {
        return Ok(None);
    }
    let mut cursor = Cursor::new(content);
    let length = cursor.length()?;
    Ok(Some(Text::from_raw(cursor.take(length)?)))
}

fn encode_text(text: &Text) -> Result<Bytes, Error> {
    let raw = text.as_bytes();
    let mut out = Vec::with_capacity(4 + raw.len());
    out.put_slice(&length(raw.len())?);
    out.put_slice(raw);
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let mut message = Message::default();
        assert_eq!(message.text(), Err(Error::WrongBody { wanted: "text" }));
        for text in ["", "Hello", "né\u{1f600}\0"] {
            message.set_text(text).unwrap();
            assert_eq!(message.text().unwrap().unwrap(), text);
        }
        message.set_text("").unwrap();
        assert_eq!(message.content.as_deref(), Some(&[0, 0, 0, 0][..]));
        message.content = Some(Bytes::from_static(&[0xff; 4]));
        assert_eq!(message.text(), Ok(None));
        message.content = None;
        assert_eq!(message.text(), Ok(None));
        message.content = Some(Bytes::from_static(&[0, 0, 0, 9, b'x']));
        assert!(matches!(message.text(), Err(Error::Truncated { .. })));
        message.compressed = true;
        assert_eq!(message.text(), Err(Error::Compressed));
    }

    #[test]
    fn properties_are_added_and_kept() {
        let mut message = Message::default();
        assert!(message.properties().unwrap().is_empty());
        let mut properties = PropertyMap::default();
        properties.insert("n", Primitive::Int(7));
        message.set_properties(&properties).unwrap();
        message
            .set_string_property("dlqDeliveryFailureCause", "too often")
            .unwrap();
        assert_eq!(message.property("n"), Ok(Some(Primitive::Int(7))));
        let cause = message.property("dlqDeliveryFailureCause").unwrap();
        assert_eq!(cause, Some(Primitive::String("too often".into())));
        assert_eq!(message.property("none"), Ok(None));
        message.set_properties(&PropertyMap::default()).unwrap();
        assert_eq!(message.marshalled_properties, None);
    }
}
