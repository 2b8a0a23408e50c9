//! Sessions and consumers: begin, end, window, pull.

use std::sync::Arc;
use std::time::Instant;

use wire::openwire::{ConsumerId, SessionId};

use super::cell::Cell;
use super::consumer_spec::ConsumerSpec;
use super::state::{Listener, PeerState};
use crate::destination::{Queue, Subscription, SubscriptionId, advisory_topics, check_queue};
use crate::engine::missing;
use crate::limits::PEER_CHILDREN;
use crate::outgoing::Refusal;

impl PeerState {
    pub(super) fn add_session(&mut self, id: SessionId) {
        // Beyond the limit it is as if it had not been registered: its
        // children are refused, and that is answered.
        if self.sessions.len() < PEER_CHILDREN {
            self.sessions.insert(id);
        }
    }

    pub(super) fn remove_session(&mut self, cell: &Arc<Cell>, id: &SessionId, last_delivered: i64) {
        self.sessions.remove(id);
        let gone: Vec<ConsumerId> = self
            .consumers
            .keys()
            .filter(|consumer| consumer.session() == *id)
            .cloned()
            .collect();
        for consumer in gone {
            self.remove_consumer(cell, &consumer, last_delivered);
        }
        self.producers
            .retain(|producer, _| producer.session() != *id);
    }

    pub(super) fn add_consumer(
        &mut self,
        cell: &Arc<Cell>,
        spec: ConsumerSpec,
    ) -> Result<(), Refusal> {
        if self.consumers.contains_key(&spec.id) {
            return Ok(());
        }
        self.check_consumer(&spec)?;
        if let Some(topics) = advisory_topics(&spec.destination) {
            self.consumers.insert(spec.id.clone(), Listener::Advisory);
            if topics.temporary_queues {
                let outbox = Arc::clone(&cell.outbox);
                cell.engine
                    .advise(spec.id, outbox, &mut self.effects.touched);
            }
            return Ok(());
        }
        check_queue(&spec.destination)?;
        let queue = cell.engine.queue(&spec.destination)?;
        if queue
            .owner()
            .is_some_and(|owner| *owner != self.hello.connection)
        {
            return Err(Refusal::invalid_destination(format!(
                "Cannot subscribe to remote temporary destination: {}",
                spec.destination
            )));
        }
        self.subscribe(cell, &queue, spec)
    }

    fn check_consumer(&self, spec: &ConsumerSpec) -> Result<(), Refusal> {
        let session = spec.id.session();
        if !self.has_session(&session) {
            return Err(Refusal::illegal_state(format!(
                "Cannot add a consumer to a session that had not been registered: {session}"
            )));
        }
        if self.consumers.len() >= PEER_CHILDREN {
            return Err(Refusal::resource_allocation(format!(
                "this connection has {PEER_CHILDREN} consumers already"
            )));
        }
        if let Some(selector) = spec.selector.as_ref().filter(|text| !text.is_empty()) {
            return Err(Refusal::invalid_selector(format!(
                "selectors are not supported: {selector}"
            )));
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        cell: &Arc<Cell>,
        queue: &Arc<Queue>,
        spec: ConsumerSpec,
    ) -> Result<(), Refusal> {
        let id = cell.engine.next_subscription();
        let outbox = Arc::clone(&cell.outbox);
        let mut subscription = Subscription::new(id, spec.id.clone(), outbox, spec.prefetch);
        subscription.priority = spec.priority;
        subscription.exclusive = spec.exclusive;
        let mut state = queue.lock();
        if state.is_removed() {
            return Err(missing(&queue.destination));
        }
        if spec.browser {
            state.browse(subscription);
        } else {
            state.subscribe(subscription);
        }
        state.dispatch(cell.engine.now(), &mut self.effects);
        drop(state);
        cell.watch(id, queue);
        self.consumers
            .insert(spec.id, Listener::Queue(Arc::clone(queue), id));
        cell.engine.settle(&mut self.effects);
        Ok(())
    }

    pub(super) fn remove_consumer(
        &mut self,
        cell: &Arc<Cell>,
        id: &ConsumerId,
        last_delivered: i64,
    ) {
        // Its acknowledgements come before its end.
        self.apply(cell);
        match self.consumers.remove(id) {
            None => {}
            Some(Listener::Advisory) => cell.engine.advisories.forget(id),
            Some(Listener::Queue(queue, subscription)) => {
                cell.unwatch(subscription);
                let mut state = queue.lock();
                state.unsubscribe(subscription, last_delivered, &mut self.effects);
                state.dispatch(cell.engine.now(), &mut self.effects);
                drop(state);
                cell.engine.settle(&mut self.effects);
            }
        }
    }

    pub(super) fn set_prefetch(&mut self, cell: &Arc<Cell>, id: &ConsumerId, prefetch: i32) {
        self.with_queue(cell, id, |queue, subscription, state| {
            let mut locked = queue.lock();
            locked.set_prefetch(subscription, prefetch);
            locked.dispatch(cell.engine.now(), &mut state.effects);
        });
    }

    pub(super) fn pull(&mut self, cell: &Arc<Cell>, id: &ConsumerId, timeout_ms: i64) {
        self.with_queue(cell, id, |queue, subscription, state| {
            let mut locked = queue.lock();
            let timer = locked.pull(subscription, timeout_ms, Instant::now());
            locked.dispatch(cell.engine.now(), &mut state.effects);
            drop(locked);
            if let Some(at) = timer {
                cell.engine.chores.pull_timer(at, queue, subscription);
            }
        });
    }

    fn with_queue(
        &mut self,
        cell: &Arc<Cell>,
        id: &ConsumerId,
        command: impl FnOnce(&Arc<Queue>, SubscriptionId, &mut PeerState),
    ) {
        self.apply(cell);
        if let Some(Listener::Queue(queue, subscription)) = self.consumers.get(id).cloned() {
            command(&queue, subscription, self);
            cell.engine.settle(&mut self.effects);
        }
    }
}
