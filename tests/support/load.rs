//! Clients at work while brokers die: producers, transacted producers, consumers of both kinds, all recording.
//!
//! Producers send only so far ahead of consumers (`CREDIT`), so that a test ends soon after its last kill. Each task
//! reconnects by itself and ends when told; a task that meets an error which is not the loss of a connection panics,
//! and `finish` passes that on.

use super::body;
use super::clients::reconnect;
use super::history::{Event, History, Incarnation, MessageName, QueueNumber, TransactionName};
use super::wait::DEADLINE;
use client::{
    AckMode, Attempt, Connection, Consumer, Delivery, Error, Reconnect, Resender, Session,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use wire::openwire::{Destination, TransactionId};

/// Messages on their way, per queue.
const CREDIT: usize = 400;
/// Between two transactions that are rolled back.
const REGRET_PERIOD: Duration = Duration::from_millis(5);
/// After this long without a message a consumer acknowledges what it has.
const LULL: Duration = Duration::from_millis(30);

/// What all tasks share.
pub(crate) struct Shared {
    uris: Vec<String>,
    history: Arc<History>,
    credit: Vec<Semaphore>,
    seen: Mutex<HashSet<MessageName>>,
    stop_sending: AtomicBool,
    stop_receiving: AtomicBool,
}

/// All tasks of a test.
pub(crate) struct Load {
    shared: Arc<Shared>,
    producers: Vec<JoinHandle<()>>,
    consumers: Vec<JoinHandle<()>>,
    // Dropped last, with whatever tasks a panicking test left.
    runtime: Runtime,
}

impl Load {
    /// No tasks yet.
    pub(crate) fn new(uris: Vec<String>, queues: usize, history: &Arc<History>) -> Self {
        let shared = Shared {
            uris,
            history: Arc::clone(history),
            credit: (0..queues).map(|_| Semaphore::new(CREDIT)).collect(),
            seen: Mutex::default(),
            stop_sending: AtomicBool::new(false),
            stop_receiving: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            producers: Vec::new(),
            consumers: Vec::new(),
            runtime: Runtime::new().expect("a runtime can be made"),
        }
    }

    /// Sends persistent messages one by one.
    pub(crate) fn producer(&mut self, producer: u32, queue: QueueNumber) {
        let task = produce(Arc::clone(&self.shared), producer, queue);
        self.producers.push(self.runtime.spawn(task));
    }

    /// Sends transactions of 1 to 8 messages.
    pub(crate) fn transacted_producer(&mut self, producer: u32, queue: QueueNumber) {
        let task = produce_transactions(Arc::clone(&self.shared), producer, queue);
        self.producers.push(self.runtime.spawn(task));
    }

    /// Sends transactions that it always rolls back.
    pub(crate) fn regretful_producer(&mut self, producer: u32, queue: QueueNumber) {
        let task = produce_and_regret(Arc::clone(&self.shared), producer, queue);
        self.producers.push(self.runtime.spawn(task));
    }

    /// Acknowledges `batch` messages at a time.
    pub(crate) fn consumer(&mut self, consumer: u32, queue: QueueNumber, batch: usize) {
        let life = Life::new(&self.shared, consumer, queue, batch, AckMode::Client);
        self.consumers.push(self.runtime.spawn(life.run()));
    }

    /// Consumes in transactions of `batch` messages, some of which it rolls back.
    pub(crate) fn transacted_consumer(&mut self, consumer: u32, queue: QueueNumber, batch: usize) {
        let life = Life::new(&self.shared, consumer, queue, batch, AckMode::Transacted);
        self.consumers.push(self.runtime.spawn(life.run()));
    }

    /// Ends the producers with their last message, then the consumers when nothing more comes.
    pub(crate) fn finish(&mut self) {
        self.shared.stop_sending.store(true, Ordering::Relaxed);
        self.join(true);
        self.shared.stop_receiving.store(true, Ordering::Relaxed);
        self.join(false);
    }

    fn join(&mut self, producers: bool) {
        let tasks = if producers {
            &mut self.producers
        } else {
            &mut self.consumers
        };
        for task in tasks.drain(..) {
            let ended = self
                .runtime
                .block_on(async { tokio::time::timeout(DEADLINE, task).await });
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
                Err(_) => panic!("a client did not end within {DEADLINE:?}"),
            }
        }
    }

    /// Reads every queue until its broker says that nothing is left, recording as consumer 1000 and above.
    pub(crate) fn drain(&mut self, round: u32) {
        let queues = self.shared.credit.len();
        for queue in 0..queues {
            let queue = QueueNumber::try_from(queue).expect("few queues");
            let life = Life::new(&self.shared, 1_000 + round, queue, 1, AckMode::Client);
            let draining = async { tokio::time::timeout(DEADLINE, life.drain()).await };
            self.runtime
                .block_on(draining)
                .expect("a queue can be drained");
        }
    }
}

fn queue_of(number: QueueNumber) -> Destination {
    Destination::queue(format!("load.{number}"))
}

impl Shared {
    /// Leave to send `count` messages, or none when it is time to end.
    async fn may_send(&self, queue: QueueNumber, count: u32) -> bool {
        let credit = &self.credit[queue as usize];
        while !self.stop_sending.load(Ordering::Relaxed) {
            // Looks up now and then, since the consumers may have what they want.
            match tokio::time::timeout(LULL, credit.acquire_many(count)).await {
                Ok(permit) => {
                    permit.expect("never closed").forget();
                    return true;
                }
                Err(_) => continue,
            }
        }
        false
    }

    fn give_back(&self, queue: QueueNumber, count: usize) {
        self.credit[queue as usize].add_permits(count);
    }

    fn is_first_sight(&self, message: MessageName) -> bool {
        self.seen
            .lock()
            .expect("nobody panics with it")
            .insert(message)
    }

    fn ask(&self, message: MessageName, queue: QueueNumber, transaction: Option<TransactionName>) {
        self.history.record(Event::SendAsked {
            message,
            queue,
            persistent: true,
            transaction,
        });
    }
}

async fn produce(shared: Arc<Shared>, producer: u32, queue: QueueNumber) {
    let mut sender = Resender::new(reconnect(&shared.uris), queue_of(queue));
    let mut number = 0;
    while shared.may_send(queue, 1).await {
        number += 1;
        let message = MessageName { producer, number };
        shared.ask(message, queue, None);
        let sent = sender.send(&body::message(message)).await;
        sent.unwrap_or_else(|error| panic!("{message}: {error}"));
        shared.history.record(Event::SendAnswered { message });
    }
}

async fn produce_transactions(shared: Arc<Shared>, producer: u32, queue: QueueNumber) {
    let mut sender = Resender::transacted(reconnect(&shared.uris), queue_of(queue));
    let mut number = 0;
    while shared.may_send(queue, 8).await {
        let count = 1 + number % 8;
        shared.give_back(queue, 8 - usize::try_from(count).expect("up to 8"));
        let names: Vec<MessageName> = (1..=count)
            .map(|more| MessageName {
                producer,
                number: number + more,
            })
            .collect();
        number += count;
        let messages: Vec<client::Message> =
            names.iter().map(|name| body::message(*name)).collect();
        let first = sender.reserve(messages.len());
        loop {
            let transaction = shared.history.next_transaction();
            names
                .iter()
                .for_each(|name| shared.ask(*name, queue, Some(transaction)));
            shared.history.record(Event::CommitAsked { transaction });
            let attempt = sender.try_transaction(&messages, first).await;
            match attempt.unwrap_or_else(|error| panic!("{transaction}: {error}")) {
                Attempt::Committed => {
                    shared.history.record(Event::Committed { transaction });
                    break;
                }
                Attempt::RolledBack { .. } => {
                    shared.history.record(Event::RolledBack { transaction })
                }
            }
        }
    }
}

async fn produce_and_regret(shared: Arc<Shared>, producer: u32, queue: QueueNumber) {
    let mut way = reconnect(&shared.uris);
    let mut number = 0;
    while !shared.stop_sending.load(Ordering::Relaxed) {
        // A lost connection is a rollback too: the next life goes on with new messages.
        let _ = regret(&shared, &mut way, producer, queue, &mut number).await;
    }
}

async fn regret(
    shared: &Shared,
    way: &mut Reconnect,
    producer: u32,
    queue: QueueNumber,
    number: &mut u64,
) -> Result<(), Error> {
    let connection = way.connect().await?;
    let mut session = connection.session(AckMode::Transacted).await?;
    let mut sender = session.producer(&queue_of(queue)).await?;
    // Held back, since nobody consumes what it sends and it would take the machine for itself.
    let mut pace = tokio::time::interval(REGRET_PERIOD);
    while !shared.stop_sending.load(Ordering::Relaxed) {
        pace.tick().await;
        let transaction = shared.history.next_transaction();
        for _ in 0..3 {
            *number += 1;
            let message = MessageName {
                producer,
                number: *number,
            };
            shared.ask(message, queue, Some(transaction));
            sender.set_next_sequence(i64::try_from(*number).expect("small"));
            sender.send(&body::message(message)).await?;
        }
        let ended = session.rollback().await;
        // Never committed, whatever became of the connection.
        shared.history.record(Event::RolledBack { transaction });
        ended?;
    }
    Ok(())
}

/// One consumer over all its connections.
struct Life {
    shared: Arc<Shared>,
    way: Reconnect,
    by: Incarnation,
    queue: QueueNumber,
    batch: usize,
    mode: AckMode,
    /// A commit whose answer was lost, with its name in the history.
    doubt: Option<(TransactionId, TransactionName)>,
    commits: usize,
}

impl Life {
    fn new(
        shared: &Arc<Shared>,
        consumer: u32,
        queue: QueueNumber,
        batch: usize,
        mode: AckMode,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            way: reconnect(&shared.uris),
            by: Incarnation { consumer, life: 0 },
            queue,
            batch,
            mode,
            doubt: None,
            commits: 0,
        }
    }

    async fn run(mut self) {
        loop {
            match self.one_connection(100).await {
                Ok(()) => return,
                Err(error) if error.is_retry() => {}
                Err(error) => panic!("{}: {error}", self.by),
            }
        }
    }

    async fn one_connection(&mut self, prefetch: u16) -> Result<(), Error> {
        let (connection, mut session, mut consumer) = self.open(prefetch).await?;
        let mut open = Vec::new();
        loop {
            let delivery = consumer.receive_within(LULL).await?;
            let lull = delivery.is_none();
            if let Some(delivery) = delivery {
                open.push(self.note(&delivery));
            }
            if open.len() >= self.batch || (lull && !open.is_empty()) {
                self.settle_open(&mut session, &mut consumer, &mut open)
                    .await?;
            } else if lull && self.shared.stop_receiving.load(Ordering::Relaxed) {
                consumer.close().await?;
                return connection.close().await;
            }
        }
    }

    /// Asks for one message at a time until the broker has none, and says so in the history.
    async fn drain(mut self) {
        loop {
            match self.drain_once().await {
                Ok(()) => break,
                Err(error) if error.is_retry() => {}
                Err(error) => panic!("{}: {error}", self.by),
            }
        }
        self.shared
            .history
            .record(Event::Drained { queue: self.queue });
    }

    async fn drain_once(&mut self) -> Result<(), Error> {
        let (connection, mut session, mut consumer) = self.open(0).await?;
        while let Some(delivery) = consumer.receive_within(LULL * 10).await? {
            let mut open = vec![self.note(&delivery)];
            self.settle_open(&mut session, &mut consumer, &mut open)
                .await?;
        }
        consumer.close().await?;
        connection.close().await
    }

    async fn open(&mut self, prefetch: u16) -> Result<(Connection, Session, Consumer), Error> {
        let connection = self.way.connect().await?;
        self.settle_doubt(&connection).await?;
        let mut session = connection.session(self.mode).await?;
        let consumer = session.consumer(&queue_of(self.queue), prefetch).await?;
        self.by.life += 1;
        self.shared.history.record(Event::Opened {
            by: self.by,
            queue: self.queue,
            master: connection.broker_id(),
        });
        Ok((connection, session, consumer))
    }

    fn note(&self, delivery: &Delivery) -> MessageName {
        let (message, intact) = body::read(delivery);
        self.shared.history.record(Event::Received {
            by: self.by,
            message,
            redelivered: delivery.is_redelivered(),
            stored_as: delivery.broker_sequence(),
            intact,
        });
        if self.shared.is_first_sight(message) {
            self.shared.give_back(self.queue, 1);
        }
        message
    }

    async fn settle_open(
        &mut self,
        session: &mut Session,
        consumer: &mut Consumer,
        open: &mut Vec<MessageName>,
    ) -> Result<(), Error> {
        let messages = std::mem::take(open);
        if self.mode == AckMode::Client {
            consumer.acknowledge().await?;
            self.shared.history.record(Event::AckAnswered {
                by: self.by,
                messages,
            });
            return Ok(());
        }
        self.commits += 1;
        if self.commits.is_multiple_of(7) {
            return session.rollback().await;
        }
        self.commit(session, messages).await
    }

    async fn commit(
        &mut self,
        session: &mut Session,
        messages: Vec<MessageName>,
    ) -> Result<(), Error> {
        let history = &self.shared.history;
        let transaction = history.next_transaction();
        history.record(Event::ConsumedIn {
            transaction,
            by: self.by,
            messages,
        });
        history.record(Event::CommitAsked { transaction });
        let outcome = session.commit().await;
        match &outcome {
            Ok(()) => history.record(Event::Committed { transaction }),
            Err(Error::InDoubt {
                transaction: id, ..
            }) => {
                self.doubt = Some(((**id).clone(), transaction));
            }
            Err(_) => history.record(Event::RolledBack { transaction }),
        }
        outcome
    }

    async fn settle_doubt(&mut self, connection: &Connection) -> Result<(), Error> {
        let Some((id, transaction)) = self.doubt.clone() else {
            return Ok(());
        };
        let happened = connection.settle(&id).await?;
        let event = if happened {
            Event::Committed { transaction }
        } else {
            Event::RolledBack { transaction }
        };
        self.shared.history.record(event);
        self.doubt = None;
        Ok(())
    }
}
