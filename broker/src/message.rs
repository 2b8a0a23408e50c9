//! What the engine needs to know of a message: its stored form, its size in
//! memory, whose it is. Body and properties stay the bytes they came as.
//!
//! Stored form: one version byte, then wire's own stored form. The version
//! byte rises when a reader of today could not read what is written.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use wire::openwire::{Command, Decoder, Message, MessageId, ProducerId, stored_format};

use crate::limits::MESSAGE_OVERHEAD;
use crate::outgoing::Refusal;

/// Version of the stored form.
const VERSION: u8 = 1;

/// Appends the stored form. Refused: a field that the wire could not carry
/// either, which no decoded message has.
pub(crate) fn encode(message: &Message, out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.push(VERSION);
    message
        .encode_stored(out)
        .map_err(|error| Refusal::general(format!("the message cannot be stored: {error}")))
}

/// Reads stored messages. Names that come again and again are shared between
/// them; body and properties are slices of what was read.
pub(crate) struct StoredReader(Decoder);

impl StoredReader {
    pub(crate) fn new() -> StoredReader {
        StoredReader(Decoder::new(stored_format()))
    }

    /// Reads one. `stored` should be a buffer of its own, since the message
    /// keeps it.
    pub(crate) fn read(&mut self, mut stored: Bytes) -> Result<Arc<Message>, String> {
        if !stored.has_remaining() {
            return Err("a stored message is empty".to_owned());
        }
        let version = stored.get_u8();
        if version != VERSION {
            return Err(format!(
                "stored message of version {version}, this is version {VERSION}"
            ));
        }
        match self.0.decode(stored).map_err(|error| error.to_string())? {
            Command::Message(message) => Ok(message),
            _ => Err("what is stored is not a message".to_owned()),
        }
    }
}

/// Memory that the message takes, roughly.
pub(crate) fn size(message: &Message) -> usize {
    let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    MESSAGE_OVERHEAD + length(&message.content) + length(&message.marshalled_properties)
}

/// The producer as the store's guard against duplicates knows it.
pub(crate) fn producer_key(producer: &ProducerId) -> Vec<u8> {
    let mut key = producer.connection_id.as_bytes().to_vec();
    key.extend_from_slice(format!(":{}:{}", producer.session_id, producer.value).as_bytes());
    key
}

/// The producer's number of the message, when it can be recognised by it.
/// Foreign clients may number nothing.
pub(crate) fn producer_sequence(message: &Message) -> Option<(&ProducerId, u64)> {
    let id = message.message_id.as_ref()?;
    let sequence = u64::try_from(id.producer_sequence_id)
        .ok()
        .filter(|n| *n > 0)?;
    Some((id.producer_id.as_ref()?, sequence))
}

/// Whether the message has this id.
pub(crate) fn has_id(message: &Message, id: &MessageId) -> bool {
    message.message_id.as_ref() == Some(id)
}

/// The broker's own number of the message, 0 if it has none.
pub(crate) fn broker_sequence(message: &Message) -> i64 {
    message
        .message_id
        .as_ref()
        .map_or(0, |id| id.broker_sequence_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let producer_id = ProducerId {
            connection_id: "ID:a-1".into(),
            value: 2,
            session_id: 3,
        };
        let message_id = MessageId {
            producer_id: Some(producer_id),
            producer_sequence_id: 4,
            ..MessageId::default()
        };
        let mut message = Message {
            message_id: Some(message_id),
            ..Message::default()
        };
        message.set_text("hello").expect("short");
        message
    }

    #[test]
    fn stored_form_round_trips_and_every_cut_is_an_error() {
        let mut stored = Vec::new();
        encode(&message(), &mut stored).expect("a plain message");
        let stored = Bytes::from(stored);
        let mut reader = StoredReader::new();
        assert_eq!(reader.read(stored.clone()), Ok(message().into()));
        for end in 0..stored.len() {
            assert!(reader.read(stored.slice(..end)).is_err(), "cut at {end}");
        }
        let other = reader
            .read(Bytes::from_static(&[9, 0]))
            .expect_err("unknown version");
        assert_eq!(other, "stored message of version 9, this is version 1");
    }

    #[test]
    fn a_producer_is_known_by_its_id_and_number() {
        let message = message();
        let (producer, sequence) = producer_sequence(&message).expect("numbered");
        assert_eq!(
            (producer_key(producer).as_slice(), sequence),
            (&b"ID:a-1:3:2"[..], 4)
        );
        assert!(producer_sequence(&Message::default()).is_none());
    }
}
