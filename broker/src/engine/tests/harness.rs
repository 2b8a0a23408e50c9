//! A broker that can be restarted, and what tests say about messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wire::openwire::{
    ConnectionId, ConsumerId, Destination, DestinationKind, Message, MessageId, ProducerId,
};

use crate::engine::{Clock, Engine, EngineSettings, Hello};
use crate::outbox::Outbox;
use crate::outgoing::{Delivery, Refusal};
use crate::peer::{Ack, AckKind};

pub(super) use super::client::Client;

/// Whatever takes longer than this never comes.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

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
        let peer = self.engine.connect(hello, Arc::clone(&outbox), evict)?;
        // Clients of later epochs send new messages unless a test says otherwise.
        let produced = i64::try_from(self.engine.epoch() - 1).expect("small") * 1_000_000;
        Ok(Client::new(peer, outbox, name, evicted, produced))
    }

    /// Messages of a queue, those that consumers hold included. Answers leave before the queues are changed, so those that
    /// were answered are waited for.
    pub(super) fn messages(&self, queue: &str) -> u64 {
        if let Some(queue) = self.engine.registry.get(&Destination::queue(queue)) {
            until("what was answered to arrive", || {
                (!queue.lock().has_undurable()).then_some(())
            });
        }
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
