//! The engine: everything that the connections of a master share.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use store::{Recovery, Store, Work};
use wire::openwire::{Destination, Message, Text, TransactionId};

use super::connections::Connections;
use crate::advisory::Advisories;
use crate::chores::Chores;
use crate::committer::{Committer, OnLost, Token};
use crate::destination::{Queue, Registry, SubscriptionId, check_queue};
use crate::engine::{Clock, EngineSettings, EngineUsage, QueueFigures};
use crate::error::Error;
use crate::flow::{Memory, Traffic};
use crate::limits;
use crate::outgoing::Refusal;
use crate::processors::Processors;

/// Broker sequences of an epoch start at its number times this, so they rise
/// over takeovers without being stored.
const SEQUENCES_PER_EPOCH: u32 = 40;

/// A master at work.
pub struct Engine {
    pub(crate) store: Store<Token>,
    pub(crate) registry: Registry,
    pub(crate) memory: Memory,
    pub(crate) traffic: Traffic,
    pub(crate) chores: Arc<Chores>,
    pub(crate) advisories: Advisories,
    pub(crate) connections: Connections,
    /// Commits that were submitted and are not durable yet.
    committing: Mutex<HashSet<TransactionId>>,
    clock: Clock,
    epoch: u64,
    broker_id: String,
    name: String,
    broker_url: String,
    next_sequence: AtomicI64,
    next_subscription: AtomicU64,
    stopped: AtomicBool,
}

impl Engine {
    /// Opens the store and knows every queue in it: from here on this process
    /// is the master. `on_lost` is called once, on the committing thread, when
    /// it no longer is.
    ///
    /// # Errors
    /// The store cannot be opened, or no thread can be had.
    pub fn start(
        dir: &Path,
        held: lock::Held,
        settings: EngineSettings,
        on_lost: OnLost,
    ) -> Result<(Arc<Engine>, Recovery), Error> {
        let _awake = Processors::awake(settings.keep_awake);
        let link = Arc::new(OnceLock::new());
        let processors = Processors::new(settings.keep_awake);
        let committer = Committer::new(Arc::clone(&link), on_lost, processors);
        let (store, recovery) = Store::open(dir, held, settings.store.clone(), committer)?;
        let engine = Arc::new(Engine::new(store, &recovery, settings)?);
        link.set(Arc::downgrade(&engine))
            .map_err(|_| system("link the engine"))?;
        Chores::start(&engine).map_err(|source| Error::System {
            what: "start the chores thread",
            source,
        })?;
        Ok((engine, recovery))
    }

    fn new(
        store: Store<Token>,
        recovery: &Recovery,
        settings: EngineSettings,
    ) -> Result<Engine, Error> {
        let epoch = recovery.epoch;
        let registry = Registry::default();
        for summary in &recovery.queues {
            let destination = Destination::queue(Text::from_raw(&summary.name));
            let queue = Queue::recovered(destination.clone(), summary);
            registry.insert(destination, queue);
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| system("get random bytes"))?;
        let random = u64::from_le_bytes(random);
        let first = i64::try_from(epoch << SEQUENCES_PER_EPOCH).unwrap_or(i64::MAX);
        Ok(Engine {
            store,
            registry,
            memory: Memory::new(settings.memory_limit),
            traffic: Traffic::default(),
            chores: Arc::new(Chores::new(settings.expiry_period)),
            advisories: Advisories::default(),
            connections: Connections::default(),
            committing: Mutex::default(),
            clock: settings.clock,
            epoch,
            broker_id: format!("ID:{}-{epoch}-{random:016x}", settings.broker_name),
            name: settings.broker_name,
            broker_url: settings.broker_url,
            next_sequence: AtomicI64::new(first + 1),
            next_subscription: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
        })
    }

    /// Before a clean stop: while clients are still served, what a successor
    /// would replay is written down. Blocks until then, but not for long.
    pub(crate) fn shorten_replay(&self) {
        self.store.shorten_replay(limits::SHORTEN_REPLAY_TIME);
    }

    /// Clean stop: what was submitted becomes durable, then the lock is
    /// released. Nothing is answered afterwards.
    pub fn close(&self) {
        self.stop();
        if let Err(error) = self.store.clone().close() {
            tracing::error!(cause = %error, "the store did not close cleanly");
        }
    }

    /// Takes no more commands.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.chores.stop();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Id of this broker, new with every start.
    pub fn broker_id(&self) -> &str {
        &self.broker_id
    }

    /// Name of this broker.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients reach this broker, for advisories.
    pub(crate) fn broker_url(&self) -> &str {
        &self.broker_url
    }

    /// Epoch of this mastership.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What is used of disk, memory and connections.
    pub fn usage(&self) -> EngineUsage {
        EngineUsage {
            store: self.store.usage(),
            memory_bytes: self.memory.used(),
            memory_limit: self.memory.limit(),
            in_flight_bytes: self.traffic.bytes(),
            connections: self.connections.count(),
        }
    }

    /// What was made durable so far; waits for nobody.
    pub fn written(&self) -> store::Written {
        self.store.written()
    }

    /// Every queue, by name.
    pub fn queues(&self) -> Vec<QueueFigures> {
        let mut figures: Vec<_> = self.registry.all().iter().map(|q| q.figures()).collect();
        figures.sort_by(|a, b| a.name.cmp(&b.name));
        figures
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    pub(crate) fn next_subscription(&self) -> SubscriptionId {
        SubscriptionId(self.next_subscription.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives a message its broker sequence and time of arrival.
    pub(crate) fn stamp(&self, message: &mut Message) {
        message.broker_in_time = self.now();
        let id = message.message_id.get_or_insert_default();
        id.broker_sequence_id = self.next_sequence.fetch_add(1, Ordering::Relaxed);
    }

    /// The queue of a destination; lasting ones come into being by being used.
    pub(crate) fn queue(&self, destination: &Destination) -> Result<Arc<Queue>, Refusal> {
        check_queue(destination)?;
        if destination.is_temporary() {
            return self
                .registry
                .get(destination)
                .ok_or_else(|| missing(destination));
        }
        self.registry.get_or_make(destination, || {
            Queue::lasting(destination.clone(), self.store.new_queue())
        })
    }

    /// Submits work that nobody can refuse. After the store is lost or closed
    /// there is nobody left to tell.
    pub(crate) fn submit(&self, work: Work, token: Token) {
        self.note_refused(self.store.submit(work, token));
    }

    /// The same for work that nobody waits for. Clears it.
    pub(crate) fn submit_unawaited(&self, work: &mut Work) {
        self.note_refused(self.store.submit_unawaited(work));
    }

    fn note_refused(&self, submitted: store::Result<()>) {
        if let Err(error) = submitted
            && !self.is_stopped()
        {
            tracing::debug!(cause = %error, "work was not taken");
        }
    }

    fn committing(&self) -> MutexGuard<'_, HashSet<TransactionId>> {
        self.committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit was submitted.
    pub(crate) fn commit_is_under_way(&self, id: &TransactionId) {
        self.committing().insert(id.clone());
    }

    /// It is durable: from here on the store knows the outcome.
    pub(crate) fn commit_is_durable(&self, id: &TransactionId) {
        self.committing().remove(id);
    }

    /// Whether a commit waits for the disk.
    pub(crate) fn is_committing(&self, id: &TransactionId) -> bool {
        self.committing().contains(id)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a destination that does not exist is called.
pub(crate) fn missing(destination: &Destination) -> Refusal {
    Refusal::invalid_destination(format!("The destination {destination} does not exist."))
}

fn system(what: &'static str) -> Error {
    Error::System {
        what,
        source: std::io::Error::other("failed"),
    }
}
