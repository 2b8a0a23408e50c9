//! The socket of one connection, and its two tasks.
//!
//! Writing: whoever has a command encodes it into one buffer under a short lock. A request that waits for its answer is
//! written at once on the calling thread; everything else is left to the writer task, so that many small commands
//! share a system call. When the buffer is full senders wait (`room`).
//! Reading: the reader task cuts frames and hands commands to a `Sink`.
//!
//! Guarantees: commands leave in the order in which they were pushed; after `end` nothing is written or handed on, and
//! the first cause of the end is the one that everybody is told. It knows nothing of what commands mean, but for
//! keep-alives.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use wire::openwire::{Command, Decoder, Encoder};

use crate::error::Error;
use crate::frames::Frames;
use crate::limits::MAX_UNWRITTEN_BYTES;
use crate::requests;

/// Takes the commands that arrive. An error ends the connection.
pub(crate) trait Sink: Send + 'static {
    /// One command, in order of arrival.
    fn take(&mut self, command: Command) -> Result<(), String>;
    /// The connection has ended; nothing follows.
    fn ended(&mut self, cause: &Error);
}

/// One connection's socket.
pub(crate) struct Link {
    uri: String,
    outgoing: Mutex<Outgoing>,
    /// Something waits for the writer task.
    ready: Notify,
    /// The buffer has become smaller.
    room: Notify,
    end: watch::Sender<Option<Error>>,
}

struct Outgoing {
    /// Gone with the end, so that the socket closes however long sessions keep the link.
    stream: Option<Arc<TcpStream>>,
    encoder: Encoder,
    buffer: BytesMut,
    /// The writer task holds bytes that come before the buffer's.
    writing: bool,
    /// Something was written since the last keep-alive check.
    active: bool,
}

impl Link {
    /// A link over a negotiated socket. `run` must be called for anything to move.
    pub(crate) fn new(uri: String, stream: TcpStream, encoder: Encoder) -> Arc<Self> {
        Arc::new(Self {
            uri,
            outgoing: Mutex::new(Outgoing {
                stream: Some(Arc::new(stream)),
                encoder,
                buffer: BytesMut::new(),
                writing: false,
                active: false,
            }),
            ready: Notify::new(),
            room: Notify::new(),
            end: watch::Sender::new(None),
        })
    }

    /// Starts the reader and the writer task. `inactivity` is the negotiated limit, if there is one.
    pub(crate) fn run(
        self: &Arc<Self>,
        decoder: Decoder,
        frames: Frames,
        sink: impl Sink,
        inactivity: Option<Duration>,
    ) {
        let Some(stream) = self.outgoing().stream.clone() else {
            return;
        };
        let link = Arc::clone(self);
        let reader = Reader {
            link,
            stream: Arc::clone(&stream),
            decoder,
            frames,
            sink,
            inactivity,
        };
        tokio::spawn(reader.run());
        tokio::spawn(write(Arc::clone(self), stream, inactivity));
    }

    /// The address, for errors.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Waits until a sender may push: the only place where a fast sender is slowed down.
    pub(crate) async fn room(&self) {
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            // Registered before the look, so that room made in between is not missed.
            freed.as_mut().enable();
            {
                let outgoing = self.outgoing();
                if outgoing.has_ended() || outgoing.buffer.len() < MAX_UNWRITTEN_BYTES {
                    return;
                }
            }
            freed.await;
        }
    }

    /// Encodes a command behind all others. Written by `flush` or by the writer task.
    pub(crate) fn push(&self, command: &Command) -> Result<(), Error> {
        let mut outgoing = self.outgoing();
        if outgoing.has_ended() {
            drop(outgoing);
            return Err(self.cause());
        }
        let Outgoing {
            encoder, buffer, ..
        } = &mut *outgoing;
        encoder.encode(command, buffer).map_err(Error::Encode)
    }

    /// Leaves the buffer to the writer task.
    pub(crate) fn wake_writer(&self) {
        self.ready.notify_one();
    }

    /// Writes what the socket takes now; the writer task does the rest.
    pub(crate) fn flush(&self) {
        let mut outgoing = self.outgoing();
        let Some(stream) = outgoing.stream.clone() else {
            return;
        };
        if outgoing.writing || outgoing.buffer.is_empty() {
            return;
        }
        if let Ok(count) = stream.try_write(&outgoing.buffer) {
            outgoing.active = true;
            let _ = outgoing.buffer.split_to(count);
        }
        if !outgoing.buffer.is_empty() {
            // An error is found again, and reported, by the task.
            self.ready.notify_one();
        }
    }

    /// Ends the connection; only the first cause counts.
    pub(crate) fn end(&self, cause: Error) {
        {
            let mut outgoing = self.outgoing();
            if outgoing.stream.take().is_none() {
                return;
            }
            outgoing.buffer.clear();
            self.end.send_replace(Some(cause));
        }
        self.room.notify_waiters();
    }

    /// Ends the connection as lost.
    pub(crate) fn lose(&self, cause: &str) {
        self.end(Error::Lost {
            uri: self.uri.clone(),
            cause: cause.into(),
        });
    }

    /// Why it ended, if it has.
    pub(crate) fn ended(&self) -> Option<Error> {
        self.end.borrow().clone()
    }

    /// Why it ended, for those who know that it has.
    pub(crate) fn cause(&self) -> Error {
        self.ended().unwrap_or(Error::Closed { what: "connection" })
    }

    /// Waits for the end and its cause.
    pub(crate) async fn wait_for_end(&self) -> Error {
        let mut end = self.end.subscribe();
        let ended = end.wait_for(Option::is_some).await;
        match ended {
            Ok(cause) => cause
                .clone()
                .unwrap_or(Error::Closed { what: "connection" }),
            Err(_) => Error::Closed { what: "connection" },
        }
    }

    /// Waits until everything pushed so far was handed to the system, or the end.
    pub(crate) async fn drained(&self) {
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            self.flush();
            {
                let outgoing = self.outgoing();
                if outgoing.has_ended() || (outgoing.buffer.is_empty() && !outgoing.writing) {
                    return;
                }
            }
            freed.await;
        }
    }

    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        // A panic while holding the lock leaves at worst half a frame, which the peer refuses.
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the buffer for the writer task, or notes that it has nothing more to write.
    fn take_buffer(&self) -> Option<BytesMut> {
        let mut outgoing = self.outgoing();
        let has_more = !outgoing.has_ended() && !outgoing.buffer.is_empty();
        outgoing.writing = has_more;
        outgoing.active |= has_more;
        let taken = has_more.then(|| outgoing.buffer.split());
        drop(outgoing);
        self.room.notify_waiters();
        taken
    }

    /// Whether nothing was written since the last call.
    fn was_idle(&self) -> bool {
        !std::mem::take(&mut self.outgoing().active)
    }
}

impl Outgoing {
    fn has_ended(&self) -> bool {
        self.stream.is_none()
    }
}

/// The writer task: writes what others left, and keep-alives when there was nothing.
async fn write(link: Arc<Link>, stream: Arc<TcpStream>, inactivity: Option<Duration>) {
    let work = async {
        loop {
            wait_for_work(&link, inactivity).await;
            while let Some(bytes) = link.take_buffer() {
                if let Err(error) = write_all(&stream, bytes).await {
                    link.lose(&format!("write: {error}"));
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = link.wait_for_end() => {}
    }
}

async fn write_all(stream: &TcpStream, mut bytes: BytesMut) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(&bytes) {
            Ok(count) => {
                let _ = bytes.split_to(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn wait_for_work(link: &Link, inactivity: Option<Duration>) {
    let Some(limit) = inactivity else {
        return link.ready.notified().await;
    };
    // A third of the limit, as all OpenWire peers do, so that one late timer costs nothing.
    while tokio::time::timeout(limit / 3, link.ready.notified())
        .await
        .is_err()
    {
        if link.was_idle() && link.push(&requests::keep_alive(false)).is_ok() {
            return;
        }
    }
}

/// The reader task: frames in, commands out, until the end.
struct Reader<S> {
    link: Arc<Link>,
    stream: Arc<TcpStream>,
    decoder: Decoder,
    frames: Frames,
    sink: S,
    inactivity: Option<Duration>,
}

impl<S: Sink> Reader<S> {
    async fn run(mut self) {
        let link = Arc::clone(&self.link);
        let cause = tokio::select! {
            cause = self.read_commands() => cause,
            _ = link.wait_for_end() => String::new(),
        };
        link.lose(&cause);
        self.sink.ended(&link.cause());
    }

    /// Reads until something is wrong, and says what.
    async fn read_commands(&mut self) -> String {
        loop {
            loop {
                let frame = match self.frames.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(error) => return error.to_string(),
                };
                let taken = match self.decoder.decode(frame) {
                    Ok(command) => self.sink.take(command),
                    Err(error) => Err(error.to_string()),
                };
                if let Err(cause) = taken {
                    return cause;
                }
            }
            if let Err(cause) = self.fill().await {
                return cause;
            }
        }
    }

    async fn fill(&mut self) -> Result<(), String> {
        let filling = self.frames.fill(&self.stream);
        let filled = match self.inactivity {
            None => filling.await,
            Some(limit) => match tokio::time::timeout(limit, filling).await {
                Ok(filled) => filled,
                Err(_) => return Err(format!("nothing heard for {limit:?}")),
            },
        };
        match filled {
            Ok(0) => Err("the broker closed the connection".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("read: {error}")),
        }
    }
}
