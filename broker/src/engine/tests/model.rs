//! Random histories against a model: clients send, acknowledge, roll back,
//! leave and come back, and masters follow each other. What the model demands
//! are the first five promises of the broker:
//!
//! 1. an answered send is delivered, 2. transactions happen whole or not at
//!    all, 3. what was acknowledged never returns, and what may have been seen
//!    is flagged, 4. what is sent again is stored once, 5. order per producer.

use std::collections::{BTreeMap, BTreeSet};

use wire::openwire::{ConsumerId, TransactionId};

use super::harness::{Broker, Client, broker_sequence, message, queue, text, until};
use crate::outgoing::Delivery;
use crate::peer::{AckKind, Admission};

const QUEUES: [&str; 2] = ["red", "blue"];
const MEMBERS: usize = 3;
const STEPS: usize = 150;

#[test]
fn random_histories_keep_the_promises() {
    // HOLDFAST_SEEDS=1..500 for more, HOLDFAST_SEEDS=17..18 for one.
    let wanted = std::env::var("HOLDFAST_SEEDS").unwrap_or_else(|_| "1..13".to_owned());
    let (first, end) = wanted.split_once("..").expect("FIRST..END");
    let seeds: std::ops::Range<u64> =
        first.parse().expect("a number")..end.parse().expect("a number");
    for seed in seeds {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle_all();
    }
}

/// What the model knows of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Sent, not answered yet: may be there.
    Posted,
    /// Answered: has to be there.
    Live,
    /// Not persistent: there until the master ends.
    Light,
    /// Sent in an open transaction, or acknowledged, or rolled back: never to
    /// be seen (again).
    Hidden,
}

struct Tx {
    id: TransactionId,
    sent: Vec<String>,
    acked: Vec<Delivery>,
}

#[derive(Default)]
struct Consuming {
    id: Option<ConsumerId>,
    held: Vec<Delivery>,
    /// Names in the order of dispatch.
    dispatched: Vec<String>,
}

struct Member {
    client: Client,
    consuming: Consuming,
    tx: Option<Tx>,
    /// Posted and not answered: number, queue.
    posted: Vec<(i64, &'static str, i32)>,
}

struct World {
    random: u64,
    broker: Option<Broker>,
    members: Vec<Option<Member>>,
    /// Highest number that each member's producer has used.
    produced: Vec<i64>,
    /// Sends of members that are gone, to be sent again.
    to_resend: Vec<Vec<(i64, &'static str)>>,
    messages: BTreeMap<String, State>,
    /// Must be flagged when they come again.
    seen: BTreeSet<String>,
    transactions: i64,
}

impl World {
    fn new(seed: u64) -> World {
        let broker = Broker::start_with(|settings| {
            // Enough that nobody has to wait for memory: a member waits for its answers.
            settings.memory_limit = 512 << 10;
            settings.store.checkpoint_bytes = 64 << 10;
        });
        World {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            broker: Some(broker),
            members: (0..MEMBERS).map(|_| None).collect(),
            produced: vec![0; MEMBERS],
            to_resend: vec![Vec::new(); MEMBERS],
            messages: BTreeMap::new(),
            seen: BTreeSet::new(),
            transactions: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % bound as u64).expect("below a usize")
    }

    fn step(&mut self) {
        let who = self.below(MEMBERS);
        if self.members[who].is_none() {
            return self.connect(who);
        }
        match self.below(24) {
            0..=4 => self.send(who, true),
            5..=7 => self.send(who, false),
            8 => self.throw(who),
            9..=13 => self.acknowledge(who),
            14 | 15 => self.work_in_transaction(who),
            16 => self.end_transaction(who, true),
            17 => self.end_transaction(who, false),
            18 | 19 => self.open_or_close_consumer(who),
            20 => self.disconnect(who),
            21 if self.below(3) == 0 => self.take_over(),
            _ => self.receive_all(),
        }
    }

    fn connect(&mut self, who: usize) {
        let broker = self.broker.as_ref().expect("a master");
        let name = format!("c{who}");
        let hello = |hello: &mut crate::engine::Hello| hello.failover_reconnect = true;
        let mut client = broker.try_client(&name, hello).expect("connects");
        client.produced = self.produced[who];
        let posted = std::mem::take(&mut self.to_resend[who]);
        let mut member = Member {
            client,
            consuming: Consuming::default(),
            tx: None,
            posted: Vec::new(),
        };
        for (number, to) in posted {
            let again = message(&name, number, queue(to), &format!("{to}:{who}:{number}"));
            member.client.send_message(again).expect("answered");
            let state = self
                .messages
                .get_mut(&format!("{to}:{who}:{number}"))
                .expect("known");
            if *state == State::Posted {
                *state = State::Live;
            }
        }
        self.members[who] = Some(member);
    }

    fn member(&mut self, who: usize) -> &mut Member {
        self.members[who].as_mut().expect("checked before")
    }

    /// A new message's text, which is also its name in the model. `kind` tells
    /// producers in and outside of transactions apart.
    fn name(&mut self, who: usize, to: &str, kind: &str) -> String {
        self.produced[who] += 1;
        format!("{to}:{kind}{who}:{}", self.produced[who])
    }

    fn any_queue(&mut self) -> &'static str {
        QUEUES[self.below(QUEUES.len())]
    }

    fn send(&mut self, who: usize, wait: bool) {
        for _ in 0..=self.below(6) {
            let to = self.any_queue();
            let name = self.name(who, to, "");
            let number = self.produced[who];
            self.messages.insert(name.clone(), State::Posted);
            let member = self.member(who);
            let correlation = member.client.post(to, &name);
            member.posted.push((number, to, correlation));
        }
        if wait {
            self.hear_answers(who);
        }
    }

    fn hear_answers(&mut self, who: usize) {
        let posted = std::mem::take(&mut self.member(who).posted);
        for (number, to, correlation) in posted {
            self.member(who).client.answer(correlation).expect("sent");
            let state = self.messages.get_mut(&format!("{to}:{who}:{number}"));
            let state = state.expect("known");
            if *state == State::Posted {
                *state = State::Live;
            }
        }
    }

    fn throw(&mut self, who: usize) {
        let to = self.any_queue();
        let name = self.name(who, to, "");
        let member = self.member(who);
        assert_eq!(member.client.throw(to, &name), Admission::Go);
        self.messages.insert(name, State::Light);
    }

    /// Takes in deliveries and checks each against the model.
    fn receive(&mut self, who: usize) {
        let Some(member) = &mut self.members[who] else {
            return;
        };
        let Some(id) = member.consuming.id.clone() else {
            return;
        };
        for delivery in member.client.received(&id) {
            let name = text(&delivery);
            let state = self.messages.get(&name);
            assert!(
                matches!(state, Some(State::Posted | State::Live | State::Light)),
                "{name} was delivered and is {state:?}"
            );
            assert!(!self.is_held(&name), "{name} is held already");
            if self.seen.contains(&name) {
                assert!(
                    delivery.redeliveries > 0,
                    "{name} was seen and is not flagged"
                );
            }
            let consuming = &mut self.member(who).consuming;
            consuming.dispatched.push(name);
            consuming.held.push(delivery);
        }
    }

    fn is_held(&self, name: &str) -> bool {
        self.members.iter().flatten().any(|member| {
            let acked = member.tx.iter().flat_map(|tx| &tx.acked);
            member
                .consuming
                .held
                .iter()
                .chain(acked)
                .any(|held| text(held) == name)
        })
    }

    fn receive_all(&mut self) {
        (0..MEMBERS).for_each(|who| self.receive(who));
    }

    fn acknowledge(&mut self, who: usize) {
        self.receive(who);
        let held = self.member(who).consuming.held.len();
        if held == 0 {
            return;
        }
        let first = self.below(held);
        let last = first + self.below(held - first);
        let member = self.member(who);
        let id = member.consuming.id.clone().expect("it holds something");
        let range: Vec<_> = member.consuming.held.drain(first..=last).collect();
        member.client.ack(&id, AckKind::Standard, &range);
        member.client.peer.flush_touched();
        assert!(member.client.errors().is_empty());
        for delivery in &range {
            self.messages.insert(text(delivery), State::Hidden);
        }
    }

    fn work_in_transaction(&mut self, who: usize) {
        self.receive(who);
        if self.member(who).tx.is_none() {
            self.transactions += 1;
            let value = self.transactions;
            let id = self.member(who).client.begin(value);
            self.member(who).tx = Some(Tx {
                id,
                sent: Vec::new(),
                acked: Vec::new(),
            });
        }
        // Some transactions are too big for memory.
        let padding = if self.below(4) == 0 { 30_000 } else { 0 };
        for _ in 0..self.below(5) {
            let to = self.any_queue();
            let name = self.name(who, to, "t");
            let number = self.produced[who];
            self.messages.insert(name.clone(), State::Hidden);
            let member = self.member(who);
            let tx = member.tx.as_mut().expect("begun");
            tx.sent.push(name.clone());
            member.client.produced += 1;
            let mut sent = message(&format!("t{who}"), number, queue(to), &name);
            sent.transaction_id = Some(tx.id.clone());
            sent.correlation_id = Some("x".repeat(padding).into());
            sent.marshalled_properties = Some(vec![0; padding].into());
            let _ = member.client.peer.send(sent.into(), None);
        }
        let member = self.member(who);
        if let (Some(id), false) = (&member.consuming.id, member.consuming.held.is_empty()) {
            let range: Vec<_> = member.consuming.held.drain(..1).collect();
            let tx = member.tx.as_mut().expect("begun");
            member
                .client
                .ack_in(Some(&tx.id), id, AckKind::Standard, &range);
            tx.acked.extend(range);
        }
        assert!(member.client.errors().is_empty());
    }

    fn end_transaction(&mut self, who: usize, commit: bool) {
        // What the transaction makes room for may come before the answer.
        self.receive(who);
        let member = self.member(who);
        let Some(tx) = member.tx.take() else { return };
        if commit {
            member.client.commit(&tx.id).expect("commits");
            for name in tx.sent {
                self.messages.insert(name, State::Live);
            }
            for delivery in &tx.acked {
                self.messages.insert(text(delivery), State::Hidden);
            }
            return;
        }
        member.client.rollback(&tx.id).expect("rolls back");
        if member.consuming.id.is_some() {
            // They stay with their consumer, before what came later.
            let mut held = tx.acked;
            held.append(&mut member.consuming.held);
            let order = &member.consuming.dispatched;
            held.sort_by_key(|held| order.iter().rposition(|name| *name == text(held)));
            member.consuming.held = held;
        } else {
            self.seen.extend(tx.acked.iter().map(text));
        }
    }

    fn open_or_close_consumer(&mut self, who: usize) {
        self.receive(who);
        let prefetch = i32::try_from(1 + self.below(12)).expect("small");
        let from = self.any_queue();
        let knows = self.below(3);
        let member = self.member(who);
        // As the Java client does, it ends its transaction before its consumer.
        if member.tx.is_some() {
            return self.end_transaction(who, false);
        }
        let Some(id) = member.consuming.id.take() else {
            member.consuming.id = Some(member.client.consume(from, prefetch));
            return;
        };
        let held = std::mem::take(&mut member.consuming).held;
        let (last, seen) = match (knows, held.len()) {
            (0, _) | (_, 0) => (-2, held.len()),
            (1, _) => (-1, 0),
            (_, count) => (broker_sequence(&held[count / 2]), count / 2 + 1),
        };
        member.client.peer.remove_consumer(&id, last);
        // What was still on its way to it comes back too.
        let late = member.client.received(&id);
        let late = late.iter().map(text).filter(|_| last == -2);
        self.seen.extend(held[..seen].iter().map(text).chain(late));
    }

    fn disconnect(&mut self, who: usize) {
        self.receive(who);
        if let Some(member) = self.members[who].take() {
            self.forget(who, &member);
            drop(member);
        }
    }

    /// A member's connection is gone: what it held was perhaps seen, what it
    /// posted it will send again.
    fn forget(&mut self, who: usize, member: &Member) {
        let acked = member.tx.iter().flat_map(|tx| &tx.acked);
        self.seen
            .extend(member.consuming.held.iter().chain(acked).map(text));
        let posted = member.posted.iter().map(|(number, to, _)| (*number, *to));
        // What was acknowledged by a consumer need not come again.
        self.to_resend[who].extend(posted);
    }

    fn take_over(&mut self) {
        self.receive_all();
        let members: Vec<_> = self.members.iter_mut().map(Option::take).collect();
        for (who, member) in members.iter().enumerate() {
            if let Some(member) = member {
                self.forget(who, member);
            }
        }
        let broker = self.broker.take().expect("a master");
        self.broker = Some(broker.restart(members));
        self.messages.retain(|_, state| *state != State::Light);
    }

    /// Ends everything, and lets one consumer per queue see what is left.
    fn settle_all(&mut self) {
        for who in 0..MEMBERS {
            if self.members[who].is_some() {
                self.end_transaction(who, who % 2 == 0);
                self.hear_answers(who);
            }
        }
        self.take_over();
        for who in 0..MEMBERS {
            self.connect(who);
        }
        for from in QUEUES {
            self.drain(from);
        }
    }

    fn drain(&mut self, from: &'static str) {
        let prefix = format!("{from}:");
        let wanted: BTreeSet<String> = self
            .messages
            .iter()
            .filter(|(name, state)| **state == State::Live && name.starts_with(&prefix))
            .map(|(name, _)| name.clone())
            .collect();
        let id = self.member(0).client.consume(from, 5);
        self.member(0).consuming = Consuming {
            id: Some(id.clone()),
            ..Consuming::default()
        };
        let mut got = Vec::new();
        until(&format!("what is left: {wanted:?}"), || {
            self.receive(0);
            let batch = std::mem::take(&mut self.member(0).consuming.held);
            if !batch.is_empty() {
                self.member(0).client.ack(&id, AckKind::Standard, &batch);
                got.extend(batch.iter().map(text));
            }
            (got.len() >= wanted.len()).then_some(())
        });
        self.member(0).client.sync();
        self.receive(0);
        assert!(
            self.member(0).consuming.held.is_empty(),
            "more than was sent"
        );
        assert_eq!(
            got.iter().cloned().collect::<BTreeSet<_>>(),
            wanted,
            "in {from}"
        );
        assert_eq!(got.len(), wanted.len(), "each once");
        let mut last = BTreeMap::new();
        for name in got {
            let mut parts = name.rsplitn(2, ':');
            let number: i64 = parts.next().and_then(|n| n.parse().ok()).expect("a number");
            let producer = parts.next().map(str::to_owned);
            let before = last.insert(producer, number).unwrap_or(0);
            assert!(before < number, "{name} came after {before}");
        }
        let broker = self.broker.as_ref().expect("a master");
        assert_eq!(broker.messages(from), 0);
        self.member(0).client.peer.remove_consumer(&id, -1);
        self.member(0).consuming = Consuming::default();
    }
}
