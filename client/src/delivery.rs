//! A message as a consumer gets it.

use std::sync::Arc;

use bytes::Bytes;
use wire::openwire::{Destination, Message, MessageDispatch, MessageId, MessageKind};

use crate::error::Error;
use crate::message::Value;

/// One delivery of one message. Cheap to clone: the message is shared.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Has an id: `of` refuses one without.
    message: Arc<Message>,
    destination: Destination,
    redeliveries: i32,
}

impl Delivery {
    /// None for the dispatch that says "nothing"; an error when the message cannot even be named.
    pub(crate) fn of(dispatch: MessageDispatch) -> Option<Result<Self, String>> {
        let message = dispatch.message?;
        let (Some(_), Some(destination)) = (&message.message_id, dispatch.destination) else {
            return Some(Err(
                "the broker sent a message without id or destination".to_owned()
            ));
        };
        Some(Ok(Self {
            message,
            destination,
            redeliveries: dispatch.redelivery_counter,
        }))
    }

    /// The message's id: producer and number.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn id(&self) -> &MessageId {
        let id = self.message.message_id.as_ref();
        id.expect("a message without id was refused when it arrived")
    }

    /// Where it was delivered from.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether somebody may have seen it before.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.redeliveries > 0
    }

    /// How many times it was delivered before this one, as far as the broker knows.
    #[must_use]
    pub fn redeliveries(&self) -> i32 {
        self.redeliveries
    }

    /// The broker's own number of the stored message, rising in the order of arrival.
    #[must_use]
    pub fn broker_sequence(&self) -> i64 {
        self.id().broker_sequence_id
    }

    /// The producer's number of the message.
    #[must_use]
    pub fn producer_sequence(&self) -> i64 {
        self.id().producer_sequence_id
    }

    /// Whether it survives the broker.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.message.persistent
    }

    /// The text of a text message; a null text is the empty one.
    ///
    /// # Errors
    /// It is no text message, is compressed, or its content is broken.
    pub fn text(&self) -> Result<String, Error> {
        let text = self.message.text().map_err(|error| self.broken(&error))?;
        Ok(text.map(|text| text.to_string()).unwrap_or_default())
    }

    /// The bytes of a bytes message.
    ///
    /// # Errors
    /// It is no bytes message, or is compressed.
    pub fn bytes(&self) -> Result<Bytes, Error> {
        if self.message.kind != MessageKind::Bytes || self.message.compressed {
            return Err(self.broken(&"not a plain bytes message"));
        }
        Ok(self.message.content.clone().unwrap_or_default())
    }

    /// A property that its sender set.
    ///
    /// # Errors
    /// The properties are broken.
    pub fn property(&self, name: &str) -> Result<Option<Value>, Error> {
        self.message
            .property(name)
            .map_err(|error| self.broken(&error))
    }

    /// The message as it was on the wire.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The next delivery of the same message, from our own memory after a rollback.
    pub(crate) fn again(mut self) -> Self {
        self.redeliveries = self.redeliveries.saturating_add(1);
        self
    }

    fn broken(&self, what: &dyn std::fmt::Display) -> Error {
        Error::Content {
            id: self.id().to_string(),
            what: what.to_string(),
        }
    }
}
