//! Cuts what arrives into frames.
//!
//! Guarantees that memory grows with what has arrived, never on the word of a size field, and that a small frame does
//! not keep the buffer of its whole burst alive. It decodes nothing.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::net::TcpStream;
use wire::openwire::frame_length;

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

    /// The next frame without its size prefix, if all of it is here.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Bytes>, wire::Error> {
        let Some(length) = frame_length(&self.buffer, self.limit)? else {
            return Ok(None);
        };
        if self.buffer.len() - PREFIX < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        let frame = self.buffer.split_to(length);
        if length < OWN_BUFFER_BYTES {
            return Ok(Some(Bytes::copy_from_slice(&frame)));
        }
        Ok(Some(frame.freeze()))
    }

    /// Waits for bytes and takes what is there; 0 is the end of the stream.
    pub(crate) async fn fill(&mut self, stream: &TcpStream) -> io::Result<usize> {
        loop {
            stream.readable().await?;
            self.buffer.reserve(READ_BYTES);
            match stream.try_read_buf(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}
