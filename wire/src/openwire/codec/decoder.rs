//! Frames to commands.

use bytes::Bytes;

use super::input::{Input, Tables};
use crate::error::Error;
use crate::openwire::command::Command;
use crate::openwire::format::WireFormat;
use crate::openwire::loose::LooseReader;
use crate::openwire::marshal::{Structure, registered};
use crate::openwire::tight::TightReader;
use crate::openwire::type_id;

/// Reads the commands of one direction.
pub struct Decoder {
    format: WireFormat,
    tables: Tables,
}

impl Decoder {
    /// A decoder with an empty cache.
    #[must_use]
    pub fn new(format: WireFormat) -> Self {
        Self {
            format,
            tables: Tables::new(&format),
        }
    }

    /// The format it reads.
    #[must_use]
    pub fn format(&self) -> &WireFormat {
        &self.format
    }

    /// Reads one frame, given without its size prefix. Bodies and properties
    /// of messages are slices of `frame` and keep all of its allocation alive:
    /// hand in a buffer of its own for each frame, or use
    /// [`Decoder::decode_slice`]. Strings are always copies.
    ///
    /// # Errors
    /// The frame is not a command of this format. Close the connection.
    pub fn decode(&mut self, frame: Bytes) -> Result<Command, Error> {
        let input = Input::new(&frame, Some(&frame), &self.format, &mut self.tables);
        read_frame(input)
    }

    /// Reads one frame out of a larger buffer, copying bodies and properties.
    ///
    /// # Errors
    /// As for [`Decoder::decode`].
    pub fn decode_slice(&mut self, frame: &[u8]) -> Result<Command, Error> {
        read_frame(Input::new(frame, None, &self.format, &mut self.tables))
    }
}

/// Reads a whole frame of either encoding.
pub(crate) fn read_frame<T: Structure>(mut input: Input<'_>) -> Result<T, Error> {
    let type_id = input.cursor.u8()?;
    let value = match T::null() {
        Some(null) if type_id == type_id::NULL => null,
        _ => {
            let type_id = registered(type_id, input.format.version)?;
            if input.format.tight {
                TightReader::new(&mut input)?.top(type_id)?
            } else {
                LooseReader::new(&mut input).top(type_id)?
            }
        }
    };
    match input.cursor.left() {
        0 => Ok(value),
        left => Err(Error::TrailingBytes { left, type_id }),
    }
}
