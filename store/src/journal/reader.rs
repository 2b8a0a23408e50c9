//! Reads payloads back by position.
//!
//! Shared between threads; open files are cached by the directory. Every payload is checked against its checksum. It
//! reads what was durable when the caller learned the position, and nothing about queues.

use std::sync::Arc;

use bytes::Bytes;

use super::directory::Directory;
use crate::error::{Error, Result};
use crate::position::Position;

/// Reads payloads of one journal.
#[derive(Clone)]
pub(crate) struct Reader {
    directory: Arc<Directory>,
}

impl Reader {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    /// The `len` bytes at `position`, whose CRC-32 is `crc`.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the bytes are not those; [`Error::Io`], with `NotFound` when the segment was reclaimed.
    pub(crate) fn read_payload(&self, position: Position, len: usize, crc: u32) -> Result<Bytes> {
        let payload = self.read_span(position, len)?;
        self.check(position, &payload, crc)?;
        Ok(Bytes::from(payload))
    }

    /// The `len` bytes at `position`, unchecked: several payloads in one read, for [`Reader::check`].
    ///
    /// # Errors
    /// [`Error::Damaged`] when the file ends before; [`Error::Io`], with `NotFound` when the segment was reclaimed.
    pub(crate) fn read_span(&self, position: Position, len: usize) -> Result<Vec<u8>> {
        let file = self.directory.open_read(position.segment)?;
        let mut bytes = vec![0; len];
        let read = file
            .read_at(&mut bytes, position.offset)
            .map_err(|source| {
                let path = self.directory.path_of_number(position.segment);
                Error::Io {
                    what: "read",
                    path,
                    source,
                }
            })?;
        if read == len {
            return Ok(bytes);
        }
        Err(self.damaged(position, format!("{read} bytes read, want {len}")))
    }

    /// Compares a payload that was read from `position` with its checksum.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn check(&self, position: Position, payload: &[u8], crc: u32) -> Result<()> {
        let found = crc32fast::hash(payload);
        if found == crc {
            return Ok(());
        }
        let what = format!(
            "payload of {} bytes: crc 0x{found:08x}, want 0x{crc:08x}",
            payload.len()
        );
        Err(self.damaged(position, what))
    }

    fn damaged(&self, position: Position, what: String) -> Error {
        Error::Damaged {
            path: self.directory.path_of_number(position.segment),
            offset: position.offset,
            what,
        }
    }
}
