//! A connection, session, consumer or producer goes.

use std::fmt;

use super::base::Base;
use super::ids::{ConnectionId, ConsumerId, ProducerId, SessionId};
use crate::error::Error;
use crate::openwire::cache::{Cacheable, Value};
use crate::openwire::marshal::{Reader, Structure, Writer, fields, structure};
use crate::openwire::type_id;

structure! {
    /// Removes one thing and all that belongs to it.
    #[derive(PartialEq, Eq)]
    pub struct RemoveInfo = REMOVE_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// What goes.
        pub object_id: Option<ObjectId> => cached,
        /// Broker sequence of the last message that a closing consumer gave to
        /// its application; -1 none, -2 unknown.
        pub last_delivered_sequence_id: i64 => long since 5 or RemoveInfo::UNKNOWN,
    }
}

impl RemoveInfo {
    /// Nothing is known about what was delivered.
    pub const UNKNOWN: i64 = -2;
    /// Nothing was delivered.
    pub const NOTHING: i64 = -1;
}

/// What can be removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ObjectId {
    /// A connection.
    Connection(ConnectionId),
    /// A session.
    Session(SessionId),
    /// A consumer.
    Consumer(ConsumerId),
    /// A producer.
    Producer(ProducerId),
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => id.fmt(f),
            Self::Session(id) => id.fmt(f),
            Self::Consumer(id) => id.fmt(f),
            Self::Producer(id) => id.fmt(f),
        }
    }
}

impl Structure for ObjectId {
    const NAME: &'static str = "ObjectId";

    fn type_id(&self) -> u8 {
        match self {
            Self::Connection(_) => type_id::CONNECTION_ID,
            Self::Session(_) => type_id::SESSION_ID,
            Self::Consumer(_) => type_id::CONSUMER_ID,
            Self::Producer(_) => type_id::PRODUCER_ID,
        }
    }

    fn write_fields<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
        match self {
            Self::Connection(id) => id.write_fields(w),
            Self::Session(id) => id.write_fields(w),
            Self::Consumer(id) => id.write_fields(w),
            Self::Producer(id) => id.write_fields(w),
        }
    }

    fn read_fields<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error> {
        match type_id {
            type_id::CONNECTION_ID => ConnectionId::read_all(r).map(Self::Connection),
            type_id::SESSION_ID => SessionId::read_all(r).map(Self::Session),
            type_id::CONSUMER_ID => ConsumerId::read_all(r).map(Self::Consumer),
            type_id::PRODUCER_ID => ProducerId::read_all(r).map(Self::Producer),
            _ => Err(Error::UnexpectedType {
                type_id,
                wanted: Self::NAME,
            }),
        }
    }
}

/// An object id shares its cache entry with the id that it is.
impl Cacheable for ObjectId {
    fn to_value(&self) -> Value {
        match self {
            Self::Connection(id) => id.to_value(),
            Self::Session(id) => id.to_value(),
            Self::Consumer(id) => id.to_value(),
            Self::Producer(id) => id.to_value(),
        }
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Connection(id) => Some(Self::Connection(id.clone())),
            Value::Session(id) => Some(Self::Session(id.clone())),
            Value::Consumer(id) => Some(Self::Consumer(id.clone())),
            Value::Producer(id) => Some(Self::Producer(id.clone())),
            _ => None,
        }
    }
}
