//! A message to be sent: a body and what the sender says about it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
pub use wire::openwire::Primitive as Value;
use wire::openwire::{Destination, Message as WireMessage, MessageKind, PropertyMap};

use crate::error::Error;

/// JMS's priority for those who do not care.
const DEFAULT_PRIORITY: u8 = 4;

/// What a message carries.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

/// A message to be sent. Clone it freely: sending does not change it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The body.
    pub body: Body,
    /// Whether it must survive the broker. Default: true.
    pub persistent: bool,
    /// 0 to 9. Default: 4.
    pub priority: u8,
    /// Time after which nobody wants it any more. Default: none.
    pub time_to_live: Option<Duration>,
    /// JMSCorrelationID.
    pub correlation_id: Option<String>,
    /// JMSReplyTo.
    pub reply_to: Option<Destination>,
    /// JMSType.
    pub message_type: Option<String>,
    /// JMSXGroupID.
    pub group_id: Option<String>,
    /// Named values, in order.
    pub properties: Vec<(String, Value)>,
}

impl Message {
    /// A persistent message.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self {
            body,
            persistent: true,
            priority: DEFAULT_PRIORITY,
            time_to_live: None,
            correlation_id: None,
            reply_to: None,
            message_type: None,
            group_id: None,
            properties: Vec::new(),
        }
    }

    /// A persistent text message.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Body::Text(text.into()))
    }

    /// A persistent bytes message.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Body::Bytes(bytes.into()))
    }

    /// The same message, but lost with the broker.
    #[must_use]
    pub fn non_persistent(mut self) -> Self {
        self.persistent = false;
        self
    }

    /// The same message with one more named value.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: Value) -> Self {
        self.properties.push((name.into(), value));
        self
    }

    /// Writes everything but ids and destination, which the producer knows, over what `out` held.
    pub(crate) fn fill(&self, out: &mut WireMessage) -> Result<(), Error> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = milliseconds(since_1970.unwrap_or_default());
        out.persistent = self.persistent;
        out.priority = self.priority.min(9);
        out.timestamp = now;
        out.expiration = self
            .time_to_live
            .map_or(0, |time| now.saturating_add(milliseconds(time)));
        out.correlation_id = self.correlation_id.as_ref().map(Into::into);
        out.reply_to.clone_from(&self.reply_to);
        out.message_type = self.message_type.as_ref().map(Into::into);
        out.group_id = self.group_id.as_ref().map(Into::into);
        out.marshalled_properties = None;
        match &self.body {
            Body::Empty => (out.kind, out.content) = (MessageKind::default(), None),
            Body::Text(text) => out.set_text(text).map_err(Error::Encode)?,
            Body::Bytes(bytes) => {
                (out.kind, out.content) = (MessageKind::Bytes, Some(bytes.clone()));
            }
        }
        if !self.properties.is_empty() {
            let mut map = PropertyMap::default();
            for (name, value) in &self.properties {
                map.insert(name, value.clone());
            }
            out.set_properties(&map).map_err(Error::Encode)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads stay out of logs.
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_to_the_wire_whole() {
        let mut message = Message::text("grüße")
            .property("n", Value::Int(7))
            .non_persistent();
        message.time_to_live = Some(Duration::from_secs(5));
        message.priority = 200;
        let mut wire = WireMessage::default();
        message.fill(&mut wire).unwrap();
        assert_eq!(wire.text().unwrap().unwrap(), "grüße");
        assert_eq!(wire.property("n").unwrap(), Some(Value::Int(7)));
        assert_eq!((wire.persistent, wire.priority), (false, 9));
        assert_eq!(wire.expiration - wire.timestamp, 5_000);
        assert!(!format!("{message:?}").contains("grü"));
    }

    #[test]
    fn nothing_of_the_message_before_is_left() {
        let mut rich = Message::text("t").property("n", Value::Int(7));
        rich.correlation_id = Some("c".to_owned());
        rich.time_to_live = Some(Duration::from_secs(5));
        rich.group_id = Some("g".to_owned());
        for plain in [Message::new(Body::Empty), Message::bytes(vec![1, 2])] {
            let (mut used, mut fresh) = (WireMessage::default(), WireMessage::default());
            rich.fill(&mut used).unwrap();
            plain.fill(&mut used).unwrap();
            plain.fill(&mut fresh).unwrap();
            used.timestamp = fresh.timestamp;
            assert_eq!(used, fresh);
        }
    }
}
