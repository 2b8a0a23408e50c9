//! Advisories: what clients are told about temporary destinations. A client
//! refuses to send to a temporary queue it has not heard of, so request and
//! reply need these. Other advisory topics have consumers and stay silent.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::openwire::{
    ConnectionId, ConsumerId, DataStructure, Destination, DestinationInfo, Message, MessageId,
    ProducerId, PropertyMap,
};

use crate::engine::Engine;
use crate::outbox::Outbox;
use crate::outgoing::{Delivery, Outgoing};
use crate::touched::Touched;

const TOPIC: &str = "ActiveMQ.Advisory.TempQueue";
const TYPE: &str = "Advisory";

/// Who listens, and what there is to tell.
#[derive(Default)]
pub(crate) struct Advisories {
    state: Mutex<State>,
    next: AtomicI64,
}

#[derive(Default)]
struct State {
    listeners: Vec<Listener>,
    /// Temporary queues and their owners.
    temporary: Vec<(Destination, ConnectionId)>,
}

struct Listener {
    consumer: ConsumerId,
    outbox: Arc<Outbox>,
}

impl Listener {
    fn tell(&self, message: Arc<Message>, touched: &mut Touched) {
        self.outbox.push(Outgoing::Delivery(Delivery {
            consumer: self.consumer.clone(),
            destination: Destination::topic(TOPIC),
            message,
            redeliveries: 0,
        }));
        touched.add(&self.outbox);
    }
}

impl Advisories {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn forget(&self, consumer: &ConsumerId) {
        self.lock()
            .listeners
            .retain(|listener| listener.consumer != *consumer);
    }
}

impl Engine {
    /// A consumer wants to hear; first of those that exist already.
    pub(crate) fn advise(&self, consumer: ConsumerId, outbox: Arc<Outbox>, touched: &mut Touched) {
        let mut state = self.advisories.lock();
        let listener = Listener { consumer, outbox };
        for (destination, owner) in &state.temporary {
            let mut advisory = self.advisory(destination, owner, DestinationInfo::ADD);
            advisory.target_consumer_id = Some(listener.consumer.clone());
            listener.tell(Arc::new(advisory), touched);
        }
        state.listeners.push(listener);
    }

    /// A temporary queue came into being.
    pub(crate) fn temporary_added(
        &self,
        destination: &Destination,
        owner: &ConnectionId,
        touched: &mut Touched,
    ) {
        let mut state = self.advisories.lock();
        state.temporary.push((destination.clone(), owner.clone()));
        self.tell_all(&state, destination, owner, DestinationInfo::ADD, touched);
    }

    /// A temporary queue is gone.
    pub(crate) fn temporary_removed(
        &self,
        destination: &Destination,
        owner: &ConnectionId,
        touched: &mut Touched,
    ) {
        let mut state = self.advisories.lock();
        state.temporary.retain(|(known, _)| known != destination);
        self.tell_all(&state, destination, owner, DestinationInfo::REMOVE, touched);
    }

    fn tell_all(
        &self,
        state: &State,
        destination: &Destination,
        owner: &ConnectionId,
        operation: u8,
        touched: &mut Touched,
    ) {
        let advisory = Arc::new(self.advisory(destination, owner, operation));
        for listener in &state.listeners {
            listener.tell(Arc::clone(&advisory), touched);
        }
    }

    /// The shape that clients expect (openwire 5.9).
    fn advisory(&self, destination: &Destination, owner: &ConnectionId, operation: u8) -> Message {
        let info = DestinationInfo {
            connection_id: Some(owner.clone()),
            destination: Some(destination.clone()),
            operation_type: operation,
            ..DestinationInfo::default()
        };
        let producer = ProducerId {
            connection_id: self.broker_id().into(),
            value: 0,
            session_id: 0,
        };
        let message_id = MessageId {
            producer_id: Some(producer.clone()),
            producer_sequence_id: self.advisories.next.fetch_add(1, Ordering::Relaxed) + 1,
            ..MessageId::default()
        };
        let mut message = Message {
            producer_id: Some(producer),
            destination: Some(Destination::topic(TOPIC)),
            message_id: Some(message_id),
            message_type: Some(TYPE.into()),
            data_structure: Some(Box::new(DataStructure::DestinationInfo(Box::new(info)))),
            ..Message::default()
        };
        let mut origin = PropertyMap::default();
        origin.insert_string("originBrokerId", self.broker_id());
        origin.insert_string("originBrokerName", self.name());
        origin.insert_string("originBrokerURL", self.broker_url());
        message
            .set_properties(&origin)
            .expect("short keys and values");
        self.stamp(&mut message);
        message
    }
}
