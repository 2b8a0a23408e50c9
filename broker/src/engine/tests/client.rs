//! A client of the test broker, without a socket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wire::openwire::{
    ConnectionId, ConsumerId, Destination, LocalTransactionId, Message, SessionId, TransactionId,
};

use super::harness::{DEADLINE, ack_of, message, queue, texts, until};
use crate::outbox::Outbox;
use crate::outgoing::{Delivery, Outgoing, Refusal, Reply};
use crate::peer::{AckKind, Admission, Cause, ConsumerSpec, Peer};

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

impl Client {
    pub(super) fn new(
        mut peer: Peer,
        outbox: Arc<Outbox>,
        name: String,
        evicted: Arc<AtomicBool>,
        produced: i64,
    ) -> Client {
        let connection_id = name.as_str().into();
        peer.add_session(SessionId {
            connection_id,
            value: 1,
        });
        let unread = VecDeque::new();
        Client {
            peer,
            outbox,
            name,
            evicted,
            correlation: 0,
            produced,
            consumers: 0,
            unread,
        }
    }

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
        let _ = self.peer.send(message.into(), Some(correlation));
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
        let _ = self.peer.send(message.into(), Some(correlation));
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
        self.peer.send(message.into(), None)
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
        self.peer.flush_touched();
        self.peer.barrier(correlation);
        self.answer(correlation).expect("a barrier");
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
        assert_eq!(self.peer.send(message.into(), None), Admission::Go);
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
