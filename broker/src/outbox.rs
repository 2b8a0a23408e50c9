//! The way out of one connection: pushed by anyone, written by whoever flushes.
//!
//! `push` only queues. `flush` encodes and tries the non-blocking socket write
//! on the calling thread, so that an answer leaves on the thread that made it
//! possible, without a hand-over. One thread at a time holds the pen; others
//! that flush meanwhile return at once, because the holder looks at the queue
//! again before it lays the pen down. What the socket does not take is
//! continued by the connection's writer task (`run_writer`).
//!
//! Guarantees: items leave in the order of their pushes; nothing is written
//! after `close`, apart from a write that is under way. Not here: deciding
//! what may be said (the committer's outlet does).

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::{Buf, BytesMut};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::outgoing::Outgoing;

/// Turns items into the bytes of one protocol, as one connection negotiated it.
pub trait Format: Send {
    /// Appends the item's frame. An error leaves the connection unusable (a
    /// half-written cache table cannot be told to the peer): it is closed.
    fn encode(&mut self, item: Outgoing, buffer: &mut BytesMut) -> Result<(), String>;
}

/// The queue of one connection towards its client.
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Weight of what waits plus bytes encoded and not yet taken by the socket.
    load: AtomicUsize,
    /// Somebody was told that there is no room and waits for `on_room`.
    starved: AtomicBool,
    on_room: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
    /// Successful socket writes so far; the keep-alive timer compares it.
    writes: AtomicU64,
    socket: Option<OwnedWriteHalf>,
    wake: Notify,
    drained: Notify,
    /// Changes under the lock of the queue only.
    closed: AtomicBool,
    /// Cancelled with `close`, or by whoever else ends the connection.
    over: CancellationToken,
    /// Why writing failed, if it did.
    cause: OnceLock<String>,
}

struct Queue {
    waiting: VecDeque<Outgoing>,
    /// Gone while a thread writes.
    pen: Option<Pen>,
    /// The socket took no more: only the writer task may go on.
    blocked: bool,
}

/// What one needs to write; whoever holds it is the only writer.
struct Pen {
    format: Box<dyn Format>,
    /// Taken from the queue, not yet encoded.
    taken: VecDeque<Outgoing>,
    /// Encoded, not yet taken by the socket.
    buffer: BytesMut,
}

/// Why a writing thread laid the pen down.
enum Stopped {
    Idle,
    Blocked,
    /// Used up what one thread may write inline.
    Enough,
    Broken,
}

impl Outbox {
    /// An outbox that writes to `socket` in the given format. Somebody must run
    /// `run_writer` for as long as the connection lives. `close` cancels `over`; whoever else does has to close it then.
    pub fn new(
        socket: OwnedWriteHalf,
        format: Box<dyn Format>,
        over: CancellationToken,
    ) -> Arc<Outbox> {
        Arc::new(Outbox::build(Some(socket), Some(format), over))
    }

    fn build(
        socket: Option<OwnedWriteHalf>,
        format: Option<Box<dyn Format>>,
        over: CancellationToken,
    ) -> Outbox {
        let pen = format.map(|format| Pen {
            format,
            taken: VecDeque::new(),
            buffer: BytesMut::new(),
        });
        Outbox {
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                pen,
                blocked: false,
            }),
            load: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
            on_room: Mutex::new(None),
            writes: AtomicU64::new(0),
            socket,
            wake: Notify::new(),
            drained: Notify::new(),
            closed: AtomicBool::new(false),
            over,
            cause: OnceLock::new(),
        }
    }

    /// Queues an item: cheap, no I/O, never blocks. Dropped when closed.
    pub fn push(&self, item: Outgoing) {
        let weight = item.weight();
        let mut queue = lock(&self.queue);
        if self.is_closed() {
            return;
        }
        self.load.fetch_add(weight, Ordering::SeqCst);
        queue.waiting.push_back(item);
    }

    /// Writes what waits on this thread, up to a bounded amount; the rest is
    /// the writer task's. Returns at once when another thread is writing.
    pub fn flush(&self) {
        let Some(pen) = self.take_pen(false) else {
            return;
        };
        let stopped = self.write(pen, limits::INLINE_FLUSH_BYTES);
        // Room is offered by the writer task only: the callback dispatches and
        // flushes, and a backlog must not be drained by recursion, nor by the
        // committing thread.
        if matches!(stopped, Stopped::Enough | Stopped::Blocked) || self.owes_room() {
            self.wake.notify_one();
        }
    }

    /// Lets the writer task flush, for callers that must not spend the time.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether more deliveries may be pushed. After a `false` the callback of
    /// `set_on_room` will be called once there is room again.
    pub fn has_room(&self) -> bool {
        if self.load() < limits::OUTBOX_BYTES {
            return true;
        }
        // The order matters: whoever lowers the load looks at `starved` after
        // it, so either that thread sees our wish or we see its room.
        self.starved.store(true, Ordering::SeqCst);
        self.load() < limits::OUTBOX_BYTES
    }

    /// Bytes that wait here, roughly.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::SeqCst)
    }

    /// Called, by the writer task, when a full outbox has fallen below half of
    /// its limit. May push and flush here. Forgotten on `close`. Must not block.
    pub fn set_on_room(&self, callback: Box<dyn Fn() + Send + Sync>) {
        let callback: Arc<dyn Fn() + Send + Sync> = Arc::from(callback);
        *lock(&self.on_room) = Some(callback);
    }

    /// Ends the connection: what waits is forgotten, later pushes are ignored,
    /// and the connection's tasks let the socket go.
    pub fn close(&self) {
        let mut queue = lock(&self.queue);
        self.closed.store(true, Ordering::SeqCst);
        let unsaid = std::mem::take(&mut queue.waiting);
        drop(queue);
        let forgotten = lock(&self.on_room).take();
        // Dropped outside the locks: they may hold last references to others.
        drop((unsaid, forgotten));
        self.over.cancel();
        self.wake.notify_one();
        self.drained.notify_waiters();
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Why the socket could not be written, when that ended the connection.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.get().map(String::as_str)
    }

    /// Socket writes so far: unchanged means silent since one last looked.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Resolves once at most `load` bytes wait, or the outbox is closed.
    pub(crate) async fn until_below(&self, load: usize) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if self.load() <= load || self.is_closed() {
                return;
            }
            drained.await;
        }
    }

    /// The writer task: continues when the socket takes bytes again and serves
    /// `wake`. Ends when the outbox is closed.
    pub async fn run_writer(&self) {
        let Some(socket) = &self.socket else {
            return;
        };
        loop {
            self.wake.notified().await;
            // Not when the connection is merely over: whoever was woken before that is still written.
            if self.is_closed() {
                return;
            }
            loop {
                self.write_all(socket).await;
                if !self.offer_room() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Writes until nothing waits, the outbox is closed or another thread writes.
    async fn write_all(&self, socket: &OwnedWriteHalf) {
        while let Some(pen) = self.take_pen(true) {
            match self.write(pen, limits::WRITER_FLUSH_BYTES) {
                Stopped::Idle | Stopped::Broken => return,
                Stopped::Enough => tokio::task::yield_now().await,
                Stopped::Blocked => tokio::select! {
                    _ = socket.writable() => {}
                    () = self.over.cancelled() => return,
                },
            }
        }
    }

    /// The right to write, when nobody has it and the socket may take bytes.
    fn take_pen(&self, resume: bool) -> Option<Pen> {
        let mut queue = lock(&self.queue);
        if self.is_closed() || (queue.blocked && !resume) {
            return None;
        }
        let pen = queue.pen.take()?;
        queue.blocked = false;
        Some(pen)
    }

    fn write(&self, mut pen: Pen, allowance: usize) -> Stopped {
        let mut written = 0;
        loop {
            if pen.buffer.is_empty() && pen.taken.is_empty() {
                match self.refill(pen) {
                    Some(refilled) => pen = refilled,
                    None => return Stopped::Idle,
                }
            }
            if let Err(cause) = self.encode(&mut pen) {
                return self.break_off(cause);
            }
            if self.is_closed() {
                return Stopped::Broken;
            }
            match self.write_some(&mut pen) {
                Ok(0) => return self.lay_down(pen, Stopped::Blocked),
                Ok(count) => written += count,
                Err(cause) => return self.break_off(cause),
            }
            if written >= allowance {
                return self.lay_down(pen, Stopped::Enough);
            }
        }
    }

    /// Takes what waits, or lays the pen down when nothing does: under one
    /// lock, so that a thread whose flush was turned away has not pushed in vain.
    fn refill(&self, mut pen: Pen) -> Option<Pen> {
        let mut queue = lock(&self.queue);
        if queue.waiting.is_empty() {
            queue.pen = Some(pen);
            drop(queue);
            self.drained.notify_waiters();
            return None;
        }
        std::mem::swap(&mut queue.waiting, &mut pen.taken);
        Some(pen)
    }

    /// Encodes until there is enough for one write.
    fn encode(&self, pen: &mut Pen) -> Result<(), String> {
        while pen.buffer.len() < limits::WRITE_CHUNK_BYTES {
            let Some(item) = pen.taken.pop_front() else {
                break;
            };
            let (weight, before) = (item.weight(), pen.buffer.len());
            pen.format.encode(item, &mut pen.buffer)?;
            self.load
                .fetch_add(pen.buffer.len() - before, Ordering::SeqCst);
            self.load.fetch_sub(weight, Ordering::SeqCst);
        }
        Ok(())
    }

    /// One socket write; 0 means that the socket takes nothing now.
    fn write_some(&self, pen: &mut Pen) -> Result<usize, String> {
        let Some(socket) = &self.socket else {
            return Ok(0);
        };
        if pen.buffer.is_empty() {
            // An item that encodes to nothing still is progress.
            return Ok(1);
        }
        match socket.try_write(&pen.buffer) {
            Ok(0) => Err("socket closed".to_owned()),
            Ok(count) => {
                pen.buffer.advance(count);
                if pen.buffer.is_empty() && pen.buffer.capacity() > limits::KEPT_BUFFER_BYTES {
                    pen.buffer = BytesMut::new();
                }
                self.load.fetch_sub(count, Ordering::SeqCst);
                self.writes.fetch_add(1, Ordering::Relaxed);
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(1),
            Err(error) => Err(error.to_string()),
        }
    }

    fn lay_down(&self, pen: Pen, stopped: Stopped) -> Stopped {
        let mut queue = lock(&self.queue);
        queue.blocked = matches!(stopped, Stopped::Blocked);
        queue.pen = Some(pen);
        drop(queue);
        self.drained.notify_waiters();
        stopped
    }

    /// The connection cannot be written any more; the pen is not put back.
    fn break_off(&self, cause: String) -> Stopped {
        let _ = self.cause.set(cause);
        self.close();
        Stopped::Broken
    }

    /// Whether somebody was turned away and there is room again.
    fn owes_room(&self) -> bool {
        self.load() < limits::OUTBOX_BYTES / 2 && self.starved.load(Ordering::SeqCst)
    }

    /// Tells whoever was turned away; false when nobody was.
    fn offer_room(&self) -> bool {
        if !self.owes_room() || !self.starved.swap(false, Ordering::SeqCst) {
            return false;
        }
        let callback = lock(&self.on_room).clone();
        if let Some(callback) = callback {
            callback();
        }
        true
    }
}

/// No code under the locks of this file can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Outbox {
    /// An outbox without a socket that keeps what is pushed, for tests.
    pub(crate) fn recording() -> Arc<Outbox> {
        Arc::new(Outbox::build(None, None, CancellationToken::new()))
    }

    /// Takes what was pushed since the last call, as if it had been written.
    pub(crate) fn take_recorded(&self) -> Vec<Outgoing> {
        let items: Vec<Outgoing> = lock(&self.queue).waiting.drain(..).collect();
        let weight: usize = items.iter().map(Outgoing::weight).sum();
        self.load.fetch_sub(weight, Ordering::SeqCst);
        self.offer_room();
        items
    }
}

#[cfg(test)]
mod tests;
