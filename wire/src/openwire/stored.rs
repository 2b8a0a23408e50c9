//! Messages as they are stored: newest version, loose, no cache, no size
//! prefix. The store puts its own version byte in front.

use bytes::Bytes;

use super::codec::{Input, Tables, read_frame};
use super::command::Message;
use super::format::stored_format;
use super::loose::LooseWriter;
use crate::error::Error;

impl Message {
    /// Appends the stored form.
    ///
    /// # Errors
    /// A field is too long for the wire, which no decoded message has. `out`
    /// is then as it was before.
    pub fn encode_stored(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let result = LooseWriter::new(out, &stored_format(), None).top(self);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Reads the stored form. Content and properties are slices of `stored`;
    /// strings are copies. To share strings between many messages, use a
    /// [`super::Decoder`] of [`super::stored_format`] instead.
    ///
    /// # Errors
    /// The bytes are not a stored message.
    pub fn decode_stored(stored: Bytes) -> Result<Self, Error> {
        let format = stored_format();
        read_frame(Input::new(
            &stored,
            Some(&stored),
            &format,
            &mut Tables::none(),
        ))
    }

    /// [`Message::decode_stored`] that copies content and properties.
    ///
    /// # Errors
    /// The bytes are not a stored message.
    pub fn decode_stored_slice(stored: &[u8]) -> Result<Self, Error> {
        let format = stored_format();
        read_frame(Input::new(stored, None, &format, &mut Tables::none()))
    }
}
