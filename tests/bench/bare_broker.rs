//! A broker that does only what none can leave out: it reads messages, makes them durable together, answers, hands them on.
//!
//! No index, no recovery, no lock, no limits, and acknowledgements only make room for the next messages. The processors do not sleep
//! while it runs. What it reaches beside Holdfast in the same minutes is what this machine's disk, processors and kernel leave to a
//! plain broker: measured, not argued, and no proof that none could be quicker.
//!
//!     bare-broker PORT DIRECTORY [SYNC_DELAY_MICROSECONDS] [stock]
//!
//! Says "ready" when it listens. Messages go to whoever consumes, else nowhere; with `stock` they wait in memory, by queue, for one
//! consumer with a prefetch, and those of transactions are never written. With `-` for a directory it writes nothing and answers at
//! once: what a client has left of its time then is its own. For `scripts/bench.sh` only: it panics on anything else than its
//! clients do.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::hint;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rustix::fs::OFlags;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use wire::openwire::{
    AckKind, BrokerInfo, Command, ConsumerId, ConsumerInfo, Decoder, Destination, Encoder, Message,
    MessageAck, MessageDispatch, Offer, Response, WireFormatInfo, frame_length, initial_format,
    negotiate,
};

const BLOCK: usize = 4096;
const JOURNAL_BYTES: usize = 32 << 20;
const LARGEST_FRAME: usize = 16 << 20;
const READ_BYTES: usize = 16 << 10;
const O_DSYNC: u32 = 0o10_000;
const WHOLE: &str = "no thread panics under a lock";
/// A delay sleeps so much less and spins for the rest, as the store's does.
const OVERSLEEP: Duration = Duration::from_micros(100);
/// More answers than these are written by several threads.
const INLINE_ANSWERS: usize = 8;
/// Fewer messages than these are not worth a write to a consumer that still has some.
const MEAL: usize = 256;

/// The way to one client.
struct Outlet {
    socket: OwnedWriteHalf,
    encoder: Mutex<Encoder>,
}

/// What waits for the next write.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    sent: Vec<Sent>,
    /// The committing thread sleeps until there are so many.
    wanted: usize,
}

struct Sent {
    from: Arc<Outlet>,
    number: i32,
    message: Arc<Message>,
}

#[derive(Default)]
struct Broker {
    writes: bool,
    batch: Mutex<Batch>,
    wake: Condvar,
    turn: AtomicUsize,
    consumers: Mutex<Vec<(Arc<Outlet>, ConsumerId)>>,
    /// By queue; without `stock`, none at all.
    stock: Option<Mutex<HashMap<String, VecDeque<Arc<Message>>>>>,
}

/// Whom a connection feeds out of the stock.
struct Hungry {
    id: ConsumerId,
    queue: String,
    room: usize,
}

/// Zero-filled blocks that are written round and round.
struct Journal {
    file: File,
    at: usize,
    delay: Duration,
    storage: Vec<u8>,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, directory, rest @ ..] = &arguments[..] else {
        panic!("bare-broker PORT DIRECTORY [SYNC_DELAY_MICROSECONDS] [stock]");
    };
    let delay = rest
        .first()
        .map_or(0, |text| text.parse().expect("a number"));
    let _awake = keep_awake();
    let address = ("127.0.0.1", port.parse().expect("a port"));
    let listener = TcpListener::bind(address).await.expect("a free port");
    let broker = Arc::new(Broker {
        writes: directory != "-",
        stock: rest.get(1).map(|_| Mutex::default()),
        ..Broker::default()
    });
    if broker.writes {
        let journal = Journal::create(Path::new(directory), Duration::from_micros(delay));
        let runtime = Handle::current();
        let committing = Arc::clone(&broker);
        thread::Builder::new()
            .name("bare-commit".to_owned())
            .spawn(move || committing.commit(journal, &runtime))
            .expect("a thread");
    }
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await.expect("a client");
        tokio::spawn(Arc::clone(&broker).serve(stream));
    }
}

/// No processor sleeps as long as this lives, where that may be asked for: Holdfast does the same while it is busy.
fn keep_awake() -> Option<File> {
    let device = OpenOptions::new().write(true).open("/dev/cpu_dma_latency");
    let mut device = device.ok()?;
    device.write_all(&[0; 4]).ok().map(|()| device)
}

impl Broker {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let (outlet, mut frames) = introduce(stream).await;
        let mut hungry = None;
        while let Some(command) = frames.next().await {
            let number = command.command_id();
            match command {
                Command::Message(message) if message.base.response_required => {
                    let from = Arc::clone(&outlet);
                    let sent = Sent {
                        from,
                        number,
                        message,
                    };
                    if self.writes {
                        self.keep(sent, frames.last);
                    } else {
                        self.settle(vec![sent]);
                    }
                }
                Command::Message(message) => self.put_by(message),
                Command::MessageAck(ack) => make_room(&mut hungry, &ack),
                Command::ConsumerInfo(ref info) => {
                    outlet.answer(&command);
                    hungry = self.consume(&outlet, info);
                }
                Command::ShutdownInfo(_) => break,
                _ => outlet.answer(&command),
            }
            if let Some(hungry) = &mut hungry
                && hungry.room >= MEAL
                && frames.has_no_more()
            {
                self.feed(&outlet, hungry);
            }
        }
        let mut consumers = self.consumers.lock().expect(WHOLE);
        consumers.retain(|(held, _)| !Arc::ptr_eq(held, &outlet));
    }

    /// Takes its turn with the others, or is fed out of the stock.
    fn consume(&self, outlet: &Arc<Outlet>, info: &ConsumerInfo) -> Option<Hungry> {
        let id = info.consumer_id.clone().expect("a consumer id");
        if self.stock.is_none() {
            let mut consumers = self.consumers.lock().expect(WHOLE);
            consumers.push((Arc::clone(outlet), id));
            return None;
        }
        Some(Hungry {
            id,
            queue: name_of(info.destination.as_ref()),
            room: usize::try_from(info.prefetch_size).expect("a prefetch"),
        })
    }

    fn put_by(&self, message: Arc<Message>) {
        if let Some(stock) = &self.stock {
            let queue = name_of(message.destination.as_ref());
            let mut stock = stock.lock().expect(WHOLE);
            stock.entry(queue).or_default().push_back(message);
        }
    }

    fn feed(&self, outlet: &Outlet, hungry: &mut Hungry) {
        let Some(stock) = &self.stock else { return };
        let mut stock = stock.lock().expect(WHOLE);
        let waiting = stock.entry(hungry.queue.clone()).or_default();
        let count = hungry.room.min(waiting.len());
        let next: Vec<_> = waiting.drain(..count).collect();
        drop(stock);
        hungry.room -= count;
        let next: Vec<_> = next
            .into_iter()
            .map(|message| dispatch(hungry.id.clone(), message))
            .collect();
        outlet.say_all(&next);
    }

    /// As many bytes as the message came in go to the disk.
    fn keep(&self, sent: Sent, bytes: usize) {
        let mut batch = self.batch.lock().expect(WHOLE);
        let end = batch.bytes.len() + bytes;
        batch.bytes.resize(end, b'm');
        batch.sent.push(sent);
        let is_enough = batch.sent.len() == batch.wanted;
        drop(batch);
        if is_enough {
            self.wake.notify_one();
        }
    }

    fn commit(self: Arc<Self>, mut journal: Journal, runtime: &Handle) {
        let mut expected = 0;
        loop {
            let Batch {
                bytes, mut sent, ..
            } = self.next_batch(expected, journal.delay);
            journal.write(&bytes);
            expected = sent.len() + self.batch.lock().expect(WHOLE).sent.len();
            // Those of one connection together: they leave in one write.
            sent.sort_by_key(|one| Arc::as_ptr(&one.from));
            while sent.len() > INLINE_ANSWERS {
                let same =
                    |one: &Sent| Arc::ptr_eq(&one.from, &sent[sent.len() - INLINE_ANSWERS].from);
                let begin = sent.iter().position(same).expect("it is there");
                let some = sent.split_off(begin);
                let broker = Arc::clone(&self);
                runtime.spawn(async move { broker.settle(some) });
            }
            self.settle(sent);
        }
    }

    /// Where syncs are slow, those just answered are waited for, as long as one sync takes from when the first is there.
    fn next_batch(&self, expected: usize, patience: Duration) -> Batch {
        let mut batch = self.batch.lock().expect(WHOLE);
        batch.wanted = 1;
        let is_empty = |batch: &mut Batch| batch.sent.is_empty();
        let mut batch = self.wake.wait_while(batch, is_empty).expect(WHOLE);
        if !patience.is_zero() {
            batch.wanted = expected;
            let is_small = |batch: &mut Batch| batch.sent.len() < expected;
            let waited = self.wake.wait_timeout_while(batch, patience, is_small);
            batch = waited.expect(WHOLE).0;
        }
        std::mem::take(&mut *batch)
    }

    /// Answers, those of one connection in one write, and hands each message on.
    fn settle(&self, sent: Vec<Sent>) {
        for same in sent.chunk_by(|one, next| Arc::ptr_eq(&one.from, &next.from)) {
            let answers: Vec<_> = same.iter().map(|one| yes(one.number)).collect();
            same[0].from.say_all(&answers);
        }
        for Sent { message, .. } in sent {
            self.hand_on(message);
        }
    }

    /// To one consumer, if there is any, or to the stock.
    fn hand_on(&self, message: Arc<Message>) {
        if self.stock.is_some() {
            self.put_by(message);
            return;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let consumers = self.consumers.lock().expect(WHOLE);
        let next = consumers.get(turn % consumers.len().max(1)).cloned();
        drop(consumers);
        if let Some((consumer, id)) = next {
            consumer.say(&dispatch(id, message));
        }
    }
}

/// Negotiates and says who it is.
async fn introduce(stream: TcpStream) -> (Arc<Outlet>, Frames) {
    stream.set_nodelay(true).expect("no delay");
    let (reader, socket) = stream.into_split();
    let mut frames = Frames {
        reader,
        decoder: Decoder::new(initial_format()),
        buffer: BytesMut::new(),
        last: 0,
    };
    let encoder = Mutex::new(Encoder::new(initial_format()));
    let outlet = Outlet { socket, encoder };
    let mine = WireFormatInfo::offer(&Offer::default());
    outlet.say(&mine.clone().into());
    let Some(Command::WireFormatInfo(theirs)) = frames.next().await else {
        panic!("no WireFormatInfo");
    };
    let format = negotiate(&mine, &theirs).expect("they agree").format;
    frames.decoder = Decoder::new(format);
    *outlet.encoder.lock().expect(WHOLE) = Encoder::new(format);
    outlet.say(&BrokerInfo::default().into());
    (Arc::new(outlet), frames)
}

impl Outlet {
    fn answer(&self, command: &Command) {
        if command.response_required() {
            self.say(&yes(command.command_id()));
        }
    }

    fn say(&self, command: &Command) {
        self.say_all(std::slice::from_ref(command));
    }

    /// Waits busily for a client that does not read; one that is gone is noticed by its reader.
    fn say_all(&self, commands: &[Command]) {
        let mut buffer = BytesMut::new();
        let mut encoder = self.encoder.lock().expect(WHOLE);
        for command in commands {
            encoder.encode(command, &mut buffer).expect("it encodes");
        }
        while !buffer.is_empty() {
            match self.socket.try_write(&buffer) {
                Ok(count) => buffer.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                Err(_) => return,
            }
        }
    }
}

struct Frames {
    reader: OwnedReadHalf,
    decoder: Decoder,
    buffer: BytesMut,
    /// Bytes of the frame read last.
    last: usize,
}

impl Frames {
    /// Whether the next command is still to be read from the socket.
    fn has_no_more(&self) -> bool {
        let next = frame_length(&self.buffer, LARGEST_FRAME).expect("a frame");
        next.is_none_or(|length| self.buffer.len() - 4 < length)
    }

    /// None when the client is gone.
    async fn next(&mut self) -> Option<Command> {
        loop {
            match frame_length(&self.buffer, LARGEST_FRAME).expect("a frame") {
                Some(length) if self.buffer.len() - 4 >= length => {
                    self.buffer.advance(4);
                    self.last = length;
                    let command = self.decoder.decode_slice(&self.buffer[..length]);
                    self.buffer.advance(length);
                    return Some(command.expect("a command"));
                }
                _ => self.buffer.reserve(READ_BYTES),
            }
            if self.reader.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

impl Journal {
    fn create(directory: &Path, delay: Duration) -> Self {
        std::fs::create_dir_all(directory).expect("the directory");
        let path = directory.join("journal");
        std::fs::write(&path, vec![0; JOURNAL_BYTES]).expect("zeros");
        let file = File::open(&path).expect("the journal");
        file.sync_all().expect("a sync");
        let flags = (OFlags::DIRECT.bits() | O_DSYNC).cast_signed();
        Self {
            file: OpenOptions::new()
                .write(true)
                .custom_flags(flags)
                .open(&path)
                .expect("direct writes"),
            at: 0,
            delay,
            storage: vec![0; LARGEST_FRAME + BLOCK],
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let start = self.storage.as_ptr().align_offset(BLOCK);
        let length = bytes.len().next_multiple_of(BLOCK);
        if self.at + length > JOURNAL_BYTES {
            self.at = 0;
        }
        self.storage[start..start + bytes.len()].copy_from_slice(bytes);
        let blocks = &self.storage[start..start + length];
        self.file
            .write_all_at(blocks, self.at as u64)
            .expect("a write");
        self.at += length;
        let until = Instant::now() + self.delay;
        if self.delay > OVERSLEEP {
            thread::park_timeout(self.delay - OVERSLEEP);
        }
        while Instant::now() < until {
            hint::spin_loop();
        }
    }
}

fn name_of(destination: Option<&Destination>) -> String {
    let name = destination.map(|destination| destination.physical_name.to_string());
    name.expect("a destination")
}

fn make_room(hungry: &mut Option<Hungry>, ack: &MessageAck) {
    if let (Some(hungry), Some(AckKind::Standard)) = (hungry, ack.kind()) {
        hungry.room += usize::try_from(ack.message_count).expect("a count");
    }
}

fn yes(number: i32) -> Command {
    Response {
        correlation_id: number,
        ..Response::default()
    }
    .into()
}

fn dispatch(id: ConsumerId, message: Arc<Message>) -> Command {
    MessageDispatch {
        consumer_id: Some(id),
        destination: message.destination.clone(),
        message: Some(message),
        ..MessageDispatch::default()
    }
    .into()
}
