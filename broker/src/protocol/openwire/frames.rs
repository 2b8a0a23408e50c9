//! Reads a socket and cuts what arrives into frames, decoded on the spot.
//!
//! Bodies of small frames are copied out of the read buffer, so that a queued
//! message does not keep the buffer of its whole burst alive. A frame above
//! `limits::OWN_BUFFER_BYTES` is read into a buffer of its own, which grows
//! with what has arrived and never on the word of the size field alone.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio_util::io::poll_read_buf;
use wire::openwire::{Command, Decoder, frame_length};

use crate::limits;

thread_local! {
    /// Empty; what one connection does not need is the next one's.
    static SPARE: Cell<BytesMut> = Cell::default();
}

/// Bytes of the size in front of every frame.
const PREFIX: usize = 4;

/// The frames of one connection.
pub(super) struct Frames {
    socket: OwnedReadHalf,
    buffer: BytesMut,
    large: Option<Large>,
    /// Largest frame accepted now, without its size prefix.
    limit: usize,
    /// Reads so far; the inactivity check compares it.
    reads: Arc<AtomicU64>,
}

/// A large frame in progress.
struct Large {
    bytes: BytesMut,
    /// With the size prefix.
    total: usize,
}

impl Frames {
    /// Reads `socket`, accepting frames of up to `limit` bytes.
    pub(super) fn new(socket: OwnedReadHalf, limit: usize) -> Frames {
        Frames {
            socket,
            buffer: BytesMut::new(),
            large: None,
            limit,
            reads: Arc::default(),
        }
    }

    /// From now on frames of up to `limit` bytes are accepted.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The counter of reads.
    pub(super) fn reads(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.reads)
    }

    /// What has arrived and is not yet cut, for protocol detection.
    pub(super) fn peek(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether part of a frame has arrived.
    pub(super) fn in_the_middle(&self) -> bool {
        self.large.is_some() || !self.buffer.is_empty()
    }

    /// The next command, if all of its frame is here.
    pub(super) fn next(&mut self, decoder: &mut Decoder) -> Result<Option<Command>, wire::Error> {
        if let Some(large) = &self.large {
            if large.bytes.len() < large.total {
                return Ok(None);
            }
            let done = self.large.take().map(|large| large.bytes.freeze());
            return done
                .map(|frame| decoder.decode(frame.slice(PREFIX..)))
                .transpose();
        }
        let Some(length) = frame_length(&self.buffer, self.limit)? else {
            return Ok(None);
        };
        let total = PREFIX + length;
        if self.buffer.len() >= total {
            let command = decoder.decode_slice(&self.buffer[PREFIX..total])?;
            self.buffer.advance(total);
            return Ok(Some(command));
        }
        if total > limits::OWN_BUFFER_BYTES {
            let mut bytes = BytesMut::with_capacity(total.min(limits::FRAME_GROWTH_BYTES));
            bytes.extend_from_slice(&self.buffer);
            self.buffer.clear();
            self.large = Some(Large { bytes, total });
        }
        Ok(None)
    }

    /// Waits for bytes and takes what is there; 0 is the end of the stream.
    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        // The read of the half, unlike `try_read`, knows that a read which did not fill the buffer leaves nothing, and
        // spares the system call that would find nothing.
        let count = self.read_once().await?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(count)
    }

    /// Reads and forgets until the peer ends the stream.
    pub(super) async fn discard_to_end(&mut self) {
        self.large = None;
        while self.fill().await.is_ok_and(|count| count > 0) {
            self.buffer.clear();
        }
    }

    /// Reads into the thread's spare buffer, which becomes the connection's only while it holds something: what the last
    /// connection has read through it is still in the processor's cache, and thousands of idle ones hold none.
    fn poll_buffer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() {
            let spare = SPARE.take();
            if spare.capacity() > buffer.capacity() {
                buffer = spare;
            }
            buffer.reserve(limits::READ_BYTES);
        } else {
            buffer.reserve(limits::READ_BYTES / 4);
        }
        let polled = poll_read_buf(Pin::new(&mut self.socket), context, &mut buffer);
        if !buffer.is_empty() {
            self.buffer = buffer;
        } else if buffer.capacity() <= limits::KEPT_BUFFER_BYTES {
            SPARE.set(buffer);
        }
        polled
    }

    async fn read_once(&mut self) -> io::Result<usize> {
        if let Some(large) = &mut self.large {
            let missing = large.total - large.bytes.len();
            if large.bytes.len() == large.bytes.capacity() {
                let step = large.bytes.len().max(limits::FRAME_GROWTH_BYTES);
                large.bytes.reserve(step.min(missing));
            }
            let mut window = (&mut large.bytes).limit(missing);
            return self.socket.read_buf(&mut window).await;
        }
        poll_fn(|context| self.poll_buffer(context)).await
    }
}
