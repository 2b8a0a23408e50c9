//! What one client has and does, behind its cell's lock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use wire::openwire::{ConsumerId, Destination, ProducerId, SessionId};

use super::burst::{Burst, Unsent};
use super::scratch::Scratch;
use crate::destination::{Queue, SubscriptionId};
use crate::effects::Effects;
use crate::engine::Hello;
use crate::transaction::OpenTransactions;

/// The state of one client.
pub(crate) struct PeerState {
    pub(super) hello: Hello,
    pub(super) sessions: HashSet<SessionId>,
    pub(super) producers: HashMap<ProducerId, Producer>,
    pub(super) consumers: HashMap<ConsumerId, Listener>,
    pub(super) transactions: OpenTransactions,
    /// Temporary queues that it made.
    pub(super) temporary: Vec<Arc<Queue>>,
    /// Sends and acknowledgements that have not taken effect yet.
    pub(super) burst: Burst,
    /// Sends that wait for memory, in order; all later ones wait behind them.
    pub(super) parked: VecDeque<Unsent>,
    /// Where the last send went, unless that was to a temporary one: mostly the next goes there too.
    pub(super) last_queue: Option<Arc<Queue>>,
    /// Lasting queues that it sent to.
    pub(super) known: HashMap<Destination, Arc<Queue>>,
    /// The producer of the last stored send, and its key in the store.
    pub(super) last_key: Option<(ProducerId, Vec<u8>)>,
    pub(super) effects: Effects,
    /// The thread's, during a command.
    pub(super) scratch: Scratch,
}

/// A registered producer.
pub(super) struct Producer {
    /// Above 0: it waits for a `ProducerAck` per asynchronous send.
    pub(super) window: i32,
}

/// Where a consumer listens.
#[derive(Clone)]
pub(super) enum Listener {
    /// To a queue.
    Queue(Arc<Queue>, SubscriptionId),
    /// To advisories: it may acknowledge them, which means nothing.
    Advisory,
}

impl PeerState {
    pub(super) fn new(hello: Hello) -> PeerState {
        PeerState {
            hello,
            sessions: HashSet::new(),
            producers: HashMap::new(),
            consumers: HashMap::new(),
            transactions: OpenTransactions::default(),
            temporary: Vec::new(),
            burst: Burst::default(),
            parked: VecDeque::new(),
            last_queue: None,
            known: HashMap::new(),
            last_key: None,
            effects: Effects::default(),
            scratch: Scratch::default(),
        }
    }

    /// A session of this connection that exists. -1 always does.
    pub(super) fn has_session(&self, id: &SessionId) -> bool {
        let implicit = id.value == -1 && id.connection_id == self.hello.connection.value;
        implicit || self.sessions.contains(id)
    }
}
