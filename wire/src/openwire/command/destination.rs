//! Queues and topics, lasting and temporary.

use std::fmt;

use crate::error::Error;
use crate::openwire::marshal::{Reader, Structure, Writer};
use crate::openwire::text::Text;
use crate::openwire::type_id;

/// What kind of destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DestinationKind {
    /// Each message goes to one consumer.
    #[default]
    Queue,
    /// Each message goes to every subscriber.
    Topic,
    /// A queue that lives as long as the connection that made it.
    TempQueue,
    /// A topic that lives as long as the connection that made it.
    TempTopic,
}

/// A destination: kind and name, without `queue://` and options. A name with
/// commas is a composite one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// What kind of destination.
    pub kind: DestinationKind,
    /// The name.
    pub physical_name: Text,
}

impl Destination {
    /// A destination of any kind.
    #[must_use]
    pub fn new(kind: DestinationKind, name: impl Into<Text>) -> Self {
        Self {
            kind,
            physical_name: name.into(),
        }
    }

    /// A queue.
    #[must_use]
    pub fn queue(name: impl Into<Text>) -> Self {
        Self::new(DestinationKind::Queue, name)
    }

    /// A topic.
    #[must_use]
    pub fn topic(name: impl Into<Text>) -> Self {
        Self::new(DestinationKind::Topic, name)
    }

    /// True for queues, lasting and temporary.
    #[must_use]
    pub fn is_queue(&self) -> bool {
        matches!(
            self.kind,
            DestinationKind::Queue | DestinationKind::TempQueue
        )
    }

    /// True for topics, lasting and temporary.
    #[must_use]
    pub fn is_topic(&self) -> bool {
        !self.is_queue()
    }

    /// True for temporary queues and topics.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.kind,
            DestinationKind::TempQueue | DestinationKind::TempTopic
        )
    }
}

impl DestinationKind {
    /// What stands before `://` in the written form.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::TempQueue => "temp-queue",
            Self::TempTopic => "temp-topic",
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.kind.scheme(), self.physical_name)
    }
}

impl Structure for Destination {
    const NAME: &'static str = "Destination";

    #[inline]
    fn type_id(&self) -> u8 {
        match self.kind {
            DestinationKind::Queue => type_id::ACTIVEMQ_QUEUE,
            DestinationKind::Topic => type_id::ACTIVEMQ_TOPIC,
            DestinationKind::TempQueue => type_id::ACTIVEMQ_TEMP_QUEUE,
            DestinationKind::TempTopic => type_id::ACTIVEMQ_TEMP_TOPIC,
        }
    }

    #[inline]
    fn write_fields<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
        w.field("physical_name");
        w.text(&self.physical_name)
    }

    #[inline]
    fn read_fields<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error> {
        let kind = match type_id {
            type_id::ACTIVEMQ_QUEUE => DestinationKind::Queue,
            type_id::ACTIVEMQ_TOPIC => DestinationKind::Topic,
            type_id::ACTIVEMQ_TEMP_QUEUE => DestinationKind::TempQueue,
            type_id::ACTIVEMQ_TEMP_TOPIC => DestinationKind::TempTopic,
            _ => {
                return Err(Error::UnexpectedType {
                    type_id,
                    wanted: Self::NAME,
                });
            }
        };
        Ok(Self {
            kind,
            physical_name: r.text()?,
        })
    }
}
