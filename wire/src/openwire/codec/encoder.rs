//! Commands to frames.

use bytes::{BufMut, BytesMut};

use super::prefix::PREFIX;
use crate::error::Error;
use crate::limits::MAX_CACHE;
use crate::openwire::cache::WriteCache;
use crate::openwire::command::{Command, MessageDispatch};
use crate::openwire::format::WireFormat;
use crate::openwire::loose::LooseWriter;
use crate::openwire::marshal::{Structure, registered};
use crate::openwire::tight::{BitWriter, TightWriter};
use crate::openwire::type_id;

/// Room for the boolean stream before its size is known, at first.
const FIRST_GAP: u8 = 9;

/// Writes the commands of one direction.
pub struct Encoder {
    format: WireFormat,
    cache: Option<WriteCache>,
    bits: BitWriter,
    /// How long the boolean stream of each type was last time, with its
    /// length: the guess for the next one. A wrong guess moves the body once.
    gaps: Box<[u8; 256]>,
    out_of_step: bool,
}

impl Encoder {
    /// An encoder with an empty cache.
    #[must_use]
    pub fn new(format: WireFormat) -> Self {
        let cache = format
            .cache
            .map(|size| WriteCache::new(size.clamp(1, MAX_CACHE)));
        let gaps = Box::new([FIRST_GAP; 256]);
        Self {
            format,
            cache,
            bits: BitWriter::default(),
            gaps,
            out_of_step: false,
        }
    }

    /// The format it writes.
    #[must_use]
    pub fn format(&self) -> &WireFormat {
        &self.format
    }

    /// Appends the size prefix and the frame of a command.
    ///
    /// # Errors
    /// The command does not exist in this version, or is too large for the
    /// wire. `out` is then as it was before.
    pub fn encode(&mut self, command: &Command, out: &mut BytesMut) -> Result<(), Error> {
        if command.is_null() {
            out.put_slice(&[0, 0, 0, 1, type_id::NULL]);
            return Ok(());
        }
        self.frame(command, out)
    }

    /// [`Encoder::encode`] of a dispatch, without making a [`Command`] of it.
    ///
    /// # Errors
    /// As for [`Encoder::encode`].
    pub fn encode_dispatch(
        &mut self,
        dispatch: &MessageDispatch,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        self.frame(dispatch, out)
    }

    fn frame<T: Structure>(&mut self, value: &T, out: &mut BytesMut) -> Result<(), Error> {
        if self.out_of_step {
            return Err(Error::OutOfStep);
        }
        if let Some(cache) = &mut self.cache {
            cache.sweep();
        }
        let start = out.len();
        let result = if self.format.tight {
            self.tight_frame(value, out)
        } else {
            self.loose_frame(value, out)
        };
        let result = result.and_then(|()| self.put_size(start, out));
        if result.is_err() {
            out.truncate(start);
            self.out_of_step = self.cache.is_some();
        }
        result
    }

    fn loose_frame<T: Structure>(&mut self, value: &T, out: &mut BytesMut) -> Result<(), Error> {
        out.put_bytes(0, PREFIX);
        LooseWriter::new(out, &self.format, self.cache.as_mut()).top(value)
    }

    fn tight_frame<T: Structure>(&mut self, value: &T, out: &mut BytesMut) -> Result<(), Error> {
        let type_id = registered(value.type_id(), self.format.version)?;
        let gap = usize::from(self.gaps[usize::from(type_id)]);
        out.put_bytes(0, PREFIX);
        out.put_u8(type_id);
        let stream = out.len();
        out.put_bytes(0, gap);
        self.bits.clear();
        let cache = self.cache.as_mut();
        let mut w = TightWriter {
            out,
            bits: &mut self.bits,
            format: &self.format,
            cache,
            depth: 0,
        };
        value.write_fields(&mut w)?;
        let length = self.bits.encoded_len()?;
        if length != gap {
            move_body(out, stream + gap, stream + length);
            self.gaps[usize::from(type_id)] = u8::try_from(length).unwrap_or(FIRST_GAP);
        }
        self.bits.write_at(out, stream);
        Ok(())
    }

    fn put_size(&self, start: usize, out: &mut BytesMut) -> Result<(), Error> {
        let size = out.len() - start - PREFIX;
        let limit = self.format.max_frame_size.min(i32::MAX as usize);
        match i32::try_from(size) {
            Ok(prefix) if size <= limit => {
                out[start..start + PREFIX].copy_from_slice(&prefix.to_be_bytes());
                Ok(())
            }
            _ => Err(Error::FrameTooLarge { size, limit }),
        }
    }
}

/// Moves all from `from` on to `to`.
fn move_body(out: &mut BytesMut, from: usize, to: usize) {
    let end = out.len();
    if to > from {
        out.put_bytes(0, to - from);
        out.copy_within(from..end, to);
    } else {
        out.copy_within(from..end, to);
        out.truncate(end - (from - to));
    }
}
