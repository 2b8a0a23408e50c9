//! What a `Peer` stands for. Apart from its owner two others come here: a
//! successor that takes it apart, and the chores thread that lets waiting
//! sends in; the committing thread only counts and pushes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use wire::openwire::{ConnectionId, Text};

use super::scratch::Scratch;
use super::state::PeerState;
use crate::destination::{Queue, SubscriptionId};
use crate::effects::Effects;
use crate::engine::{Engine, Hello};
use crate::limits::{PEER_IN_FLIGHT_BYTES, PEER_SHARE_BYTES};
use crate::outbox::Outbox;
use crate::outgoing::{Outgoing, Refusal};

/// One connected client.
pub(crate) struct Cell {
    pub(crate) engine: Arc<Engine>,
    pub(crate) connection: ConnectionId,
    pub(crate) client_id: Text,
    /// Where it comes from.
    pub(crate) remote: String,
    pub(crate) outbox: Arc<Outbox>,
    evict: Box<dyn Fn() + Send + Sync>,
    /// Gone once the client has left.
    state: Mutex<Option<PeerState>>,
    /// Where it consumes, for when its outbox has room again. Its own lock,
    /// because that may happen on a thread that holds another client's state.
    queues: Mutex<Vec<(SubscriptionId, Weak<Queue>)>>,
    in_flight: AtomicUsize,
    left: AtomicBool,
    room: Notify,
}

impl Cell {
    pub(crate) fn new(
        engine: &Arc<Engine>,
        hello: Hello,
        client_id: Text,
        outbox: Arc<Outbox>,
        evict: Box<dyn Fn() + Send + Sync>,
    ) -> Arc<Cell> {
        let cell = Arc::new(Cell {
            engine: Arc::clone(engine),
            connection: hello.connection.clone(),
            client_id,
            remote: hello.remote.clone(),
            outbox,
            evict,
            state: Mutex::new(Some(PeerState::new(hello))),
            queues: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            left: AtomicBool::new(false),
            room: Notify::new(),
        });
        let weak = Arc::downgrade(&cell);
        cell.outbox.set_on_room(Box::new(move || {
            if let Some(cell) = weak.upgrade() {
                cell.resume();
            }
        }));
        cell
    }

    /// Closes the socket.
    pub(crate) fn evict(&self) {
        (self.evict)();
    }

    fn lock(&self) -> MutexGuard<'_, Option<PeerState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command, unless the client has left or this is no master any more.
    pub(super) fn with<R>(&self, command: impl FnOnce(&mut PeerState) -> R) -> Option<R> {
        if self.engine.is_stopped() {
            return None;
        }
        let mut state = self.lock();
        let state = state.as_mut()?;
        state.scratch = Scratch::lend();
        let result = command(state);
        std::mem::take(&mut state.scratch).give_back();
        Some(result)
    }

    /// Takes the state out: the client leaves.
    pub(super) fn take(&self) -> Option<PeerState> {
        let state = self.lock().take();
        self.left.store(true, Ordering::SeqCst);
        self.room.notify_waiters();
        state
    }

    /// Says no.
    pub(super) fn refuse(&self, answer: Option<i32>, refusal: Refusal, effects: &mut Effects) {
        self.outbox.push(match answer {
            Some(correlation) => Outgoing::Answer {
                correlation,
                result: Err(refusal),
            },
            None => Outgoing::AsyncError(refusal),
        });
        effects.touched.add(&self.outbox);
    }

    pub(super) fn watch(&self, id: SubscriptionId, queue: &Arc<Queue>) {
        self.queues().push((id, Arc::downgrade(queue)));
    }

    pub(super) fn unwatch(&self, id: SubscriptionId) {
        self.queues().retain(|(known, _)| *known != id);
    }

    fn queues(&self) -> MutexGuard<'_, Vec<(SubscriptionId, Weak<Queue>)>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outbox has room again: its consumers are served on. Runs on the
    /// thread that has just written, so it only wakes other outboxes' tasks.
    fn resume(&self) {
        if self.engine.is_stopped() {
            return;
        }
        let queues: Vec<_> = self
            .queues()
            .iter()
            .filter_map(|(_, queue)| queue.upgrade())
            .collect();
        let mut effects = Effects::default();
        for queue in queues {
            queue.lock().dispatch(self.engine.now(), &mut effects);
        }
        self.engine.settle(&mut effects);
        effects.touched.wake();
    }

    /// Bytes set out.
    pub(crate) fn departed(&self, bytes: usize) {
        self.in_flight.fetch_add(bytes, Ordering::SeqCst);
        self.engine.traffic.add(bytes);
    }

    /// Bytes have arrived where they belong.
    pub(crate) fn landed(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.engine.traffic.subtract(bytes);
        let before = self.in_flight.fetch_sub(bytes, Ordering::SeqCst);
        let crossed = |limit: usize| before >= limit && before - bytes < limit;
        if crossed(PEER_IN_FLIGHT_BYTES) || crossed(PEER_SHARE_BYTES) {
            self.room.notify_waiters();
        }
    }

    /// The client may send more.
    pub(super) fn has_room(&self) -> bool {
        let bytes = self.in_flight.load(Ordering::SeqCst);
        bytes < PEER_SHARE_BYTES
            || (bytes < PEER_IN_FLIGHT_BYTES && self.engine.traffic.has_room())
            || self.left.load(Ordering::SeqCst)
    }

    pub(super) async fn room(&self) {
        loop {
            let own = self.room.notified();
            let all = self.engine.traffic.room.notified();
            tokio::pin!(own, all);
            // Enabled before looking, so that a notice in between is not missed.
            own.as_mut().enable();
            all.as_mut().enable();
            if self.has_room() {
                return;
            }
            tokio::select! {
                () = own => {}
                () = all => {}
            }
        }
    }
}
