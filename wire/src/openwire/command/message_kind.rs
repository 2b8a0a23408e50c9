//! The seven kinds of message, which differ in what their content means.

use crate::error::Error;
use crate::openwire::marshal::{Reader, Writer, fields};
use crate::openwire::text::Text;
use crate::openwire::type_id;

/// What a message's content is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MessageKind {
    /// No content.
    #[default]
    Message,
    /// Raw bytes.
    Bytes,
    /// A primitive map.
    Map,
    /// A Java serialization stream: opaque.
    Object,
    /// Typed values back to back.
    Stream,
    /// An i32 length and text.
    Text,
    /// A reference to content that travels elsewhere.
    Blob(Box<Blob>),
}

fields! {
    /// Where the content of a blob message is.
    #[derive(PartialEq, Eq)]
    pub struct Blob {
        /// URL of the content.
        pub remote_blob_url: Option<Text> => string,
        /// Its MIME type.
        pub mime_type: Option<Text> => string,
        /// True if the broker should delete it with the message.
        pub deleted_by_broker: bool => bool,
    }
}

impl MessageKind {
    /// The type id on the wire.
    #[must_use]
    pub fn type_id(&self) -> u8 {
        match self {
            Self::Message => type_id::ACTIVEMQ_MESSAGE,
            Self::Bytes => type_id::ACTIVEMQ_BYTES_MESSAGE,
            Self::Map => type_id::ACTIVEMQ_MAP_MESSAGE,
            Self::Object => type_id::ACTIVEMQ_OBJECT_MESSAGE,
            Self::Stream => type_id::ACTIVEMQ_STREAM_MESSAGE,
            Self::Text => type_id::ACTIVEMQ_TEXT_MESSAGE,
            Self::Blob(_) => type_id::ACTIVEMQ_BLOB_MESSAGE,
        }
    }

    /// Writes what comes after the fields common to all messages.
    pub(crate) fn write<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
        match self {
            Self::Blob(blob) => blob.write_all(w),
            _ => Ok(()),
        }
    }

    /// Reads what comes after the fields common to all messages.
    pub(crate) fn read<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error> {
        match type_id {
            type_id::ACTIVEMQ_MESSAGE => Ok(Self::Message),
            type_id::ACTIVEMQ_BYTES_MESSAGE => Ok(Self::Bytes),
            type_id::ACTIVEMQ_MAP_MESSAGE => Ok(Self::Map),
            type_id::ACTIVEMQ_OBJECT_MESSAGE => Ok(Self::Object),
            type_id::ACTIVEMQ_STREAM_MESSAGE => Ok(Self::Stream),
            type_id::ACTIVEMQ_TEXT_MESSAGE => Ok(Self::Text),
            type_id::ACTIVEMQ_BLOB_MESSAGE => Ok(Self::Blob(Box::new(Blob::read_all(r)?))),
            _ => Err(Error::UnexpectedType {
                type_id,
                wanted: "Message",
            }),
        }
    }
}
