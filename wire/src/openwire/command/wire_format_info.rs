//! The opening of every connection: which OpenWire the sender can speak. What
//! its properties mean is in `negotiate.rs`.

use bytes::Bytes;

use crate::error::Error;
use crate::limits::{MAX_HANDSHAKE_PROPERTIES, MAX_HANDSHAKE_VALUE};
use crate::openwire::marshal::{fields, structure};
use crate::openwire::property_map::{PropertyMap, ReadLimits};

/// What every OpenWire connection opens with.
pub const MAGIC: [u8; 8] = *b"ActiveMQ";

structure! {
    /// Sent by both sides at once, before anything else.
    #[derive(PartialEq, Eq)]
    pub struct WireFormatInfo = WIRE_FORMAT_INFO {
        /// [`MAGIC`].
        pub magic: [u8; 8] => magic or MAGIC,
        /// Newest version that the sender speaks.
        pub version: i32 => int,
        /// A primitive map of preferences.
        pub marshalled_properties: Option<Bytes> => bytes,
    }
}

impl WireFormatInfo {
    /// The properties, within the bounds of a handshake.
    ///
    /// # Errors
    /// They are not a map, too many, too long or nested.
    pub fn properties(&self) -> Result<PropertyMap, Error> {
        let Some(raw) = &self.marshalled_properties else {
            return Ok(PropertyMap::default());
        };
        let limits = ReadLimits {
            values: MAX_HANDSHAKE_PROPERTIES,
            bytes: MAX_HANDSHAKE_VALUE,
            depth: 0,
        };
        PropertyMap::decode_within(raw, limits)
    }
}
