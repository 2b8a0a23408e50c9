//! The socket of one connection, and its two tasks.
//!
//! Writing: whoever has a command encodes it into one buffer under a short lock. A request that somebody waits for is
//! written at once on the calling thread, and so is a buffer that has become large; everything else is left to the
//! writer task, which runs when the caller next waits, so that many small commands share one system call.
//! When the buffer is full senders wait (`room`).
//! Reading: the reader task cuts frames and hands commands to a `Sink`, all of one read before it looks up again.
//!
//! Guarantees: commands leave in the order in which they were pushed; after `end` nothing is written or handed on, and
//! the first cause of the end is the one that everybody is told. It knows nothing of what commands mean.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, watch};
use wire::openwire::{Command, Decoder, Encoder};

use crate::error::Error;
use crate::frames::Frames;
use crate::limits::{KEPT_BUFFER_BYTES, MAX_UNWRITTEN_BYTES, WRITE_BYTES};
use crate::pulse;

/// Takes the commands that arrive. An error ends the connection.
pub(crate) trait Sink: Send + 'static {
    /// One command, in order of arrival.
    fn take(&mut self, command: Command) -> Result<(), String>;
    /// All commands of one read were taken: whoever waits for them can be woken, once.
    fn burst_over(&mut self) -> Result<(), String>;
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
    /// Set with `end`: what is asked for every message must cost next to nothing.
    over: AtomicBool,
    /// Reads so far: unchanged means that the broker is silent.
    reads: AtomicU64,
}

/// When a pushed command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the push returns, as far as the socket takes it: somebody waits for the answer.
    Now,
    /// With others, at the latest when the caller next waits for something.
    Soon,
}

struct Outgoing {
    /// Gone with the end, so that the socket closes however long sessions keep the link.
    stream: Option<Arc<OwnedWriteHalf>>,
    encoder: Encoder,
    buffer: BytesMut,
    /// The writer task knows of the buffer's bytes.
    told: bool,
    /// Something was written since the last keep-alive check.
    active: bool,
}

impl Link {
    /// A link over a negotiated socket. `run` must be called for anything to move.
    pub(crate) fn new(uri: String, stream: OwnedWriteHalf, encoder: Encoder) -> Arc<Self> {
        Arc::new(Self {
            uri,
            outgoing: Mutex::new(Outgoing {
                stream: Some(Arc::new(stream)),
                encoder,
                buffer: BytesMut::new(),
                told: false,
                active: false,
            }),
            ready: Notify::new(),
            room: Notify::new(),
            end: watch::Sender::new(None),
            over: AtomicBool::new(false),
            reads: AtomicU64::new(0),
        })
    }

    /// Starts the reader, the writer and the watching task. `inactivity` is the negotiated limit, if there is one.
    pub(crate) fn run(
        self: &Arc<Self>,
        stream: OwnedReadHalf,
        decoder: Decoder,
        frames: Frames,
        sink: impl Sink,
        inactivity: Option<Duration>,
    ) {
        let Some(writer) = self.outgoing().stream.clone() else {
            return;
        };
        let link = Arc::clone(self);
        let reader = Reader {
            link,
            stream,
            decoder,
            frames,
            sink,
        };
        tokio::spawn(reader.run());
        tokio::spawn(write(Arc::clone(self), writer));
        if let Some(limit) = inactivity {
            tokio::spawn(pulse::watch(Arc::clone(self), limit));
        }
    }

    /// The address, for errors.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Pushes once there is room: the only place where a fast sender is slowed down.
    pub(crate) async fn push_with_room(&self, command: &Command, when: When) -> Result<(), Error> {
        loop {
            if self.has_room() {
                return self.push(command, when);
            }
            self.room().await;
        }
    }

    /// Waits until a sender may push.
    pub(crate) async fn room(&self) {
        loop {
            if self.has_room() {
                return;
            }
            let freed = self.room.notified();
            tokio::pin!(freed);
            // Registered before another look, so that room made in between is not missed.
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    fn has_room(&self) -> bool {
        let outgoing = self.outgoing();
        outgoing.has_ended() || outgoing.buffer.len() < MAX_UNWRITTEN_BYTES
    }

    /// Encodes a command behind all others.
    pub(crate) fn push(&self, command: &Command, when: When) -> Result<(), Error> {
        let mut outgoing = self.outgoing();
        if outgoing.has_ended() {
            drop(outgoing);
            return Err(self.cause());
        }
        let Outgoing {
            encoder, buffer, ..
        } = &mut *outgoing;
        encoder.encode(command, buffer).map_err(Error::Encode)?;
        if when == When::Now || outgoing.buffer.len() >= WRITE_BYTES {
            // An error is found again, and reported, by the writer task.
            let _ = outgoing.write();
        }
        self.leave_rest(outgoing);
        Ok(())
    }

    /// Writes what the socket takes now; the writer task does the rest.
    pub(crate) fn flush(&self) {
        let mut outgoing = self.outgoing();
        if !outgoing.has_ended() && !outgoing.buffer.is_empty() {
            let _ = outgoing.write();
            self.leave_rest(outgoing);
        }
    }

    /// Leaves what is in the buffer to the writer task.
    fn leave_rest(&self, mut outgoing: MutexGuard<'_, Outgoing>) {
        if !outgoing.buffer.is_empty() && !std::mem::replace(&mut outgoing.told, true) {
            drop(outgoing);
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
            outgoing.buffer = BytesMut::new();
            self.end.send_replace(Some(cause));
            self.over.store(true, Ordering::Release);
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

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
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
                if outgoing.has_ended() || outgoing.buffer.is_empty() {
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

    /// One write for the writer task. False when nothing is left to write.
    fn write_some(&self) -> io::Result<bool> {
        let mut outgoing = self.outgoing();
        let has_more = if outgoing.has_ended() {
            false
        } else {
            outgoing.write()?
        };
        outgoing.told = has_more;
        drop(outgoing);
        self.room.notify_waiters();
        Ok(has_more)
    }

    /// Reads of the socket so far.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether nothing was written since the last call, nor waits to be.
    pub(crate) fn was_idle(&self) -> bool {
        let mut outgoing = self.outgoing();
        !std::mem::take(&mut outgoing.active) && outgoing.buffer.is_empty()
    }
}

impl Outgoing {
    fn has_ended(&self) -> bool {
        self.stream.is_none()
    }

    /// Writes once what the socket takes. True when something is left.
    fn write(&mut self) -> io::Result<bool> {
        let Some(stream) = &self.stream else {
            return Ok(false);
        };
        if self.buffer.is_empty() {
            return Ok(false);
        }
        match stream.try_write(&self.buffer) {
            Ok(count) => {
                self.active = true;
                self.buffer.advance(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = BytesMut::new();
        }
        Ok(!self.buffer.is_empty())
    }
}

/// The writer task: writes what others left.
async fn write(link: Arc<Link>, stream: Arc<OwnedWriteHalf>) {
    let work = async {
        loop {
            link.ready.notified().await;
            if let Err(error) = write_all(&link, &stream).await {
                link.lose(&format!("write: {error}"));
                return;
            }
        }
    };
    tokio::select! {
        () = work => {}
        _ = link.wait_for_end() => {}
    }
}

async fn write_all(link: &Link, stream: &OwnedWriteHalf) -> io::Result<()> {
    while link.write_some()? {
        stream.writable().await?;
    }
    Ok(())
}

/// The reader task: frames in, commands out, until the end.
struct Reader<S> {
    link: Arc<Link>,
    stream: OwnedReadHalf,
    decoder: Decoder,
    frames: Frames,
    sink: S,
}

impl<S: Sink> Reader<S> {
    async fn run(mut self) {
        let link = Arc::clone(&self.link);
        let cause = tokio::select! {
            // Every answer passes here: no lots are drawn. Reading comes last, because it may use up the task's budget.
            biased;
            _ = link.wait_for_end() => String::new(),
            cause = self.read_commands() => cause,
        };
        link.lose(&cause);
        self.sink.ended(&link.cause());
    }

    /// Reads until something is wrong, and says what.
    async fn read_commands(&mut self) -> String {
        loop {
            if let Err(cause) = self.take_all() {
                return cause;
            }
            if let Err(cause) = self.fill().await {
                return cause;
            }
        }
    }

    /// Hands over every whole command that is here.
    fn take_all(&mut self) -> Result<(), String> {
        while let Some(command) = self
            .frames
            .next_command(&mut self.decoder)
            .map_err(|error| error.to_string())?
        {
            self.sink.take(command)?;
        }
        self.sink.burst_over()
    }

    async fn fill(&mut self) -> Result<(), String> {
        match self.frames.fill(&mut self.stream).await {
            Ok(0) => Err("the broker closed the connection".to_owned()),
            Ok(_) => {
                self.link.reads.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(format!("read: {error}")),
        }
    }
}
