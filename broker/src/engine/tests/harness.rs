//! A broker that can be restarted, and clients of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wire::openwire::{
    ConnectionId, ConsumerId, Destination, DestinationKind, LocalTransactionId, Message, MessageId,
    ProducerId, SessionId, TransactionId,
};

use crate::engine::{Clock, Engine, EngineSettings, Hello};
use crate::outbox::Outbox;
use crate::outgoing::{Delivery, Outgoing, Refusal, Reply};
use crate::peer::{Ack, AckKind, Admission, Cause, ConsumerSpec, Peer};

/// Whatever takes longer than this never comes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Polls a condition; panics when it does not hold in time.
pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::park_timeout(Duration::from_micros(200));
    }
}

/// A master on a temporary directory.
pub(super) struct Broker {
    running: Running,
    dir: TempDir,
    pub(super) engine: Arc<Engine>,
    settings: EngineSettings,
    pub(super) time: Arc<AtomicI64>,
}

impl Broker {
    pub(super) fn start() -> Broker {
        Broker::start_with(|_| {})
    }

    pub(super) fn start_with(adjust: impl FnOnce(&mut EngineSettings)) -> Broker {
        let dir = TempDir::new().expect("a temporary directory");
        let time = Arc::new(AtomicI64::new(1_000_000));
        let clock = Arc::clone(&time);
        let mut settings = EngineSettings {
            broker_name: "test".to_owned(),
            clock: Clock::new(move || clock.load(Ordering::SeqCst)),
            ..EngineSettings::default()
        };
        settings.store.segment_bytes = 1 << 20;
        settings.store.first_segment_bytes = 64 << 10;
        adjust(&mut settings);
        Broker::open(dir, settings, time)
    }

    fn open(dir: TempDir, settings: EngineSettings, time: Arc<AtomicI64>) -> Broker {
        let engine = open(&dir, &settings);
        Broker {
            running: Running(Arc::clone(&engine)),
            engine,
            dir,
            settings,
            time,
        }
    }

    /// A stop, and the next master. The clients of the old one are dropped
    /// after the stop, so that nothing they hold goes back.
    pub(super) fn restart<C>(self, clients: C) -> Broker {
        let Broker {
            running,
            engine,
            dir,
            settings,
            time,
        } = self;
        drop(running);
        drop((clients, engine));
        Broker::open(dir, settings, time)
    }

    pub(super) fn client(&self, name: &str) -> Client {
        self.try_client(name, |_| {}).expect("connects")
    }

    pub(super) fn try_client(
        &self,
        name: &str,
        adjust: impl FnOnce(&mut Hello),
    ) -> Result<Client, Refusal> {
        let mut hello = Hello {
            connection: ConnectionId { value: name.into() },
            client_id: Some(name.into()),
            fault_tolerant: true,
            failover_reconnect: false,
            network: false,
            remote: "tcp://127.0.0.1:1".to_owned(),
        };
        adjust(&mut hello);
        let outbox = Outbox::recording();
        let evicted = Arc::new(AtomicBool::new(false));
        let evict = Arc::clone(&evicted);
        let evict = Box::new(move || evict.store(true, Ordering::SeqCst));
        let name = hello.connection.value.to_string();
        let mut peer = self.engine.connect(hello, Arc::clone(&outbox), evict)?;
        peer.add_session(SessionId {
            connection_id: name.as_str().into(),
            value: 1,
        });
        Ok(Client {
            peer,
            outbox,
            name,
            evicted,
            correlation: 0,
            // Clients of later epochs send new messages unless a test says otherwise.
            produced: i64::try_from(self.engine.epoch() - 1).expect("small") * 1_000_000,
            consumers: 0,
            unread: VecDeque::new(),
        })
    }

    /// Messages of a queue, those that consumers hold included.
    pub(super) fn messages(&self, queue: &str) -> u64 {
        let queues = self.engine.queues();
        queues
            .iter()
            .find(|figures| figures.name == queue)
            .map_or(0, |figures| figures.messages)
    }
}

fn open(dir: &TempDir, settings: &EngineSettings) -> Arc<Engine> {
    // Threads of the last master may need a moment to let go of the lock file.
    let held = until("the lock", || match acquire(dir) {
        Ok(held) => Some(held),
        Err(lock::Error::AlreadyOpen { .. }) => None,
        Err(error) => panic!("no lock: {error}"),
    });
    let on_lost = Box::new(|cause| panic!("lost: {cause}"));
    Engine::start(dir.path(), held, settings.clone(), on_lost)
        .expect("the engine starts")
        .0
}

fn acquire(dir: &TempDir) -> Result<lock::Held, lock::Error> {
    lock::acquire(
        dir.path(),
        &lock::Identity::default(),
        &lock::Settings::default(),
        store::seen_epoch,
        &lock::Stop::new(),
        &mut |_| {},
    )
}

/// Stops the engine before the directory goes, or the store would find its
/// lock file removed.
struct Running(Arc<Engine>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A client without a socket.
pub(super) struct Client {
    pub(super) peer: Peer,
    pub(super) outbox: Arc<Outbox>,
    pub(super) name: String,
    evicted: Arc<AtomicBool>,
    correlation: i32,
    pub(super) produced: i64,
    consumers: i64,
    unread: VecDeque<Outgoing>,
}

pub(super) fn queue(name: &str) -> Destination {
    Destination::queue(name)
}

pub(super) fn temporary(name: &str) -> Destination {
    Destination::new(DestinationKind::TempQueue, name)
}

/// Builds a message of any producer.
pub(super) fn message(producer: &str, number: i64, to: Destination, text: &str) -> Message {
    let producer_id = ProducerId {
        connection_id: producer.into(),
        value: 1,
        session_id: 1,
    };
    let message_id = MessageId {
        producer_id: Some(producer_id.clone()),
        producer_sequence_id: number,
        ..MessageId::default()
    };
    let mut message = Message {
        producer_id: Some(producer_id),
        destination: Some(to),
        message_id: Some(message_id),
        persistent: true,
        ..Message::default()
    };
    message.set_text(text).expect("short");
    message
}

pub(super) fn text(delivery: &Delivery) -> String {
    delivery
        .message
        .text()
        .expect("a text message")
        .unwrap_or_default()
        .to_string()
}

pub(super) fn texts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(text).collect()
}

impl Client {
    fn next_correlation(&mut self) -> i32 {
        self.correlation += 1;
        self.correlation
    }

    fn next_message(&mut self, to: &str, text: &str) -> Message {
        self.produced += 1;
        message(&self.name, self.produced, queue(to), text)
    }

    /// Takes in what was pushed, as the edge would write it.
    pub(super) fn read(&mut self) {
        self.peer.flush_touched();
        self.unread.extend(self.outbox.take_recorded());
    }

    /// The answer of a command.
    pub(super) fn answer(&mut self, wanted: i32) -> Result<Reply, Refusal> {
        until("an answer", || {
            self.read();
            let place = self.unread.iter().position(|item| {
                matches!(item, Outgoing::Answer { correlation, .. } if *correlation == wanted)
            })?;
            match self.unread.remove(place) {
                Some(Outgoing::Answer { result, .. }) => Some(result),
                _ => None,
            }
        })
    }

    /// Sends persistently and does not wait.
    pub(super) fn post(&mut self, to: &str, text: &str) -> i32 {
        let message = self.next_message(to, text);
        let correlation = self.next_correlation();
        let _ = self.peer.send(message, Some(correlation));
        correlation
    }

    /// Sends persistently and waits until it is durable.
    pub(super) fn send(&mut self, to: &str, text: &str) {
        let correlation = self.post(to, text);
        self.answer(correlation).expect("sent");
    }

    /// Sends what the test made, and waits for the answer.
    pub(super) fn send_message(&mut self, message: Message) -> Result<Reply, Refusal> {
        let correlation = self.next_correlation();
        let _ = self.peer.send(message, Some(correlation));
        self.answer(correlation)
    }

    /// Sends many and waits for all.
    pub(super) fn send_all(&mut self, to: &str, texts: impl IntoIterator<Item = String>) {
        let posted: Vec<i32> = texts.into_iter().map(|text| self.post(to, &text)).collect();
        for correlation in posted {
            self.answer(correlation).expect("sent");
        }
    }

    /// Sends non-persistently and asynchronously.
    pub(super) fn throw(&mut self, to: &str, text: &str) -> Admission {
        let mut message = self.next_message(to, text);
        message.persistent = false;
        self.peer.send(message, None)
    }

    pub(super) fn spec(&mut self, to: Destination, prefetch: i32) -> ConsumerSpec {
        self.consumers += 1;
        let connection_id = self.name.as_str().into();
        ConsumerSpec {
            id: ConsumerId {
                connection_id,
                session_id: 1,
                value: self.consumers,
            },
            destination: to,
            prefetch,
            browser: false,
            exclusive: false,
            priority: 0,
            no_local: false,
            selector: None,
            subscription_name: None,
        }
    }

    pub(super) fn add(&mut self, spec: ConsumerSpec) -> ConsumerId {
        let id = spec.id.clone();
        self.peer.add_consumer(spec).expect("a consumer");
        id
    }

    pub(super) fn consume(&mut self, from: &str, prefetch: i32) -> ConsumerId {
        let spec = self.spec(queue(from), prefetch);
        self.add(spec)
    }

    /// Deliveries to a consumer that have come so far.
    pub(super) fn received(&mut self, consumer: &ConsumerId) -> Vec<Delivery> {
        self.read();
        let mut mine = Vec::new();
        self.unread.retain(|item| match item {
            Outgoing::Delivery(delivery) if delivery.consumer == *consumer => {
                mine.push(delivery.clone());
                false
            }
            _ => true,
        });
        mine
    }

    /// Exactly so many deliveries, and then no more for now.
    pub(super) fn expect(&mut self, consumer: &ConsumerId, count: usize) -> Vec<Delivery> {
        let mut got = Vec::new();
        let end = Instant::now() + DEADLINE;
        while got.len() < count {
            got.append(&mut self.received(consumer));
            assert!(
                Instant::now() < end,
                "{count} wanted, got only {:?}",
                texts(&got)
            );
            thread::park_timeout(Duration::from_micros(200));
        }
        self.sync();
        got.append(&mut self.received(consumer));
        assert_eq!(got.len(), count, "{:?}", texts(&got));
        got
    }

    /// The consumer is told that there is nothing.
    pub(super) fn expect_nothing(&mut self, consumer: &ConsumerId) {
        until("nothing", || {
            self.read();
            let place = self.unread.iter().position(
                |item| matches!(item, Outgoing::Nothing { consumer: c } if c == consumer),
            )?;
            self.unread.remove(place)
        });
    }

    /// How often the consumer was told that there is nothing.
    pub(super) fn nothings(&mut self, consumer: &ConsumerId) -> usize {
        self.read();
        let before = self.unread.len();
        self.unread.retain(
            |item| !matches!(item, Outgoing::Nothing { consumer: told } if told == consumer),
        );
        before - self.unread.len()
    }

    /// Errors of commands that wanted no answer.
    pub(super) fn errors(&mut self) -> Vec<Refusal> {
        self.read();
        let mut errors = Vec::new();
        self.unread.retain(|item| match item {
            Outgoing::AsyncError(refusal) => {
                errors.push(refusal.clone());
                false
            }
            _ => true,
        });
        errors
    }

    /// Everything else that was pushed.
    pub(super) fn others(&mut self) -> Vec<Outgoing> {
        self.read();
        self.unread.drain(..).collect()
    }

    /// Everything submitted so far, by anyone, is durable and has had its effect.
    pub(super) fn sync(&mut self) {
        let correlation = self.next_correlation();
        let nobody = ConsumerId {
            connection_id: "nobody".into(),
            session_id: 9,
            value: 9,
        };
        self.peer.flush_touched();
        self.peer.ack(
            ack_of(&nobody, AckKind::Standard, None, None, 0),
            Some(correlation),
        );
        self.answer(correlation)
            .expect("an acknowledgement to nobody");
    }

    pub(super) fn ack(&mut self, consumer: &ConsumerId, kind: AckKind, range: &[Delivery]) {
        self.ack_in(None, consumer, kind, range);
    }

    /// Acknowledges from the first to the last of these.
    pub(super) fn ack_in(
        &mut self,
        transaction: Option<&TransactionId>,
        consumer: &ConsumerId,
        kind: AckKind,
        range: &[Delivery],
    ) {
        let id = |delivery: Option<&Delivery>| delivery.and_then(|d| d.message.message_id.clone());
        let mut ack = ack_of(
            consumer,
            kind,
            id(range.first()),
            id(range.last()),
            range.len(),
        );
        ack.transaction = transaction.cloned();
        self.peer.ack(ack, None);
    }

    pub(super) fn begin(&mut self, value: i64) -> TransactionId {
        let id = self.transaction(value);
        self.peer.begin(id.clone()).expect("begins");
        id
    }

    pub(super) fn transaction(&self, value: i64) -> TransactionId {
        let connection_id = Some(ConnectionId {
            value: self.name.as_str().into(),
        });
        TransactionId::Local(LocalTransactionId {
            value,
            connection_id,
        })
    }

    /// Sends in a transaction.
    pub(super) fn send_in(&mut self, transaction: &TransactionId, to: &str, text: &str) {
        let mut message = self.next_message(to, text);
        message.transaction_id = Some(transaction.clone());
        assert_eq!(self.peer.send(message, None), Admission::Go);
    }

    pub(super) fn commit(&mut self, transaction: &TransactionId) -> Result<Reply, Refusal> {
        let correlation = self.next_correlation();
        self.peer
            .commit(transaction.clone(), true, Some(correlation));
        self.answer(correlation)
    }

    pub(super) fn rollback(&mut self, transaction: &TransactionId) -> Result<Reply, Refusal> {
        let correlation = self.next_correlation();
        self.peer.rollback(transaction.clone(), Some(correlation));
        self.answer(correlation)
    }

    pub(super) fn was_evicted(&self) -> bool {
        self.evicted.load(Ordering::SeqCst)
    }

    pub(super) fn close(self, last_delivered: i64) {
        self.peer.close(Cause::Closed { last_delivered });
    }
}

pub(super) fn ack_of(
    consumer: &ConsumerId,
    kind: AckKind,
    first: Option<MessageId>,
    last: Option<MessageId>,
    count: usize,
) -> Ack {
    Ack {
        consumer: consumer.clone(),
        kind,
        transaction: None,
        first,
        last,
        count: i32::try_from(count).expect("a small count"),
        cause: None,
        destination: None,
    }
}

/// Broker sequence of a delivery.
pub(super) fn broker_sequence(delivery: &Delivery) -> i64 {
    delivery
        .message
        .message_id
        .as_ref()
        .map_or(0, |id| id.broker_sequence_id)
}
