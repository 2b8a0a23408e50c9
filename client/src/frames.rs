//! Cuts what arrives into frames, and these into commands.
//!
//! Guarantees that memory grows with what has arrived, never on the word of a size field, and that a small frame does
//! not keep the buffer of its whole burst alive.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use wire::openwire::{Command, Decoder, frame_length};

use crate::limits::{OWN_BUFFER_BYTES, READ_BYTES};

/// Bytes of the size in front of every frame.
const PREFIX: usize = 4;

/// What has arrived and is not yet cut.
pub(crate) struct Frames {
    buffer: BytesMut,
    limit: usize,
}

impl Frames {
    /// Accepts frames of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
        }
    }

    /// From now on frames of up to `limit` bytes are accepted.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The next command, if all of it is here.
    pub(crate) fn next_command(
        &mut self,
        decoder: &mut Decoder,
    ) -> Result<Option<Command>, wire::Error> {
        let Some(length) = frame_length(&self.buffer, self.limit)? else {
            return Ok(None);
        };
        if self.buffer.len() - PREFIX < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        if length < OWN_BUFFER_BYTES {
            // Only body and properties are copied.
            let command = decoder.decode_slice(&self.buffer[..length]);
            self.buffer.advance(length);
            return command.map(Some);
        }
        decoder
            .decode(self.buffer.split_to(length).freeze())
            .map(Some)
    }

    /// Waits for bytes and takes what is there; 0 is the end of the stream.
    pub(crate) async fn fill(&mut self, stream: &mut OwnedReadHalf) -> io::Result<usize> {
        // Only then room is made: an idle connection needs none.
        stream.readable().await?;
        self.buffer.reserve(READ_BYTES);
        // Unlike a bare try, this knows that a short read has emptied the socket, and saves the next one.
        stream.read_buf(&mut self.buffer).await
    }
}
