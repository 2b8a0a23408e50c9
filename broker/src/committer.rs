//! The outlet of the store's committing thread: the only gate for answers to
//! anything that has to be durable, and for messages that had to be stored.
//!
//! A batch of tokens is sorted by queue, so that each queue is locked once.
//! Everything is pushed first; then each outbox that got something is written
//! once. After `lost` nothing leaves any more, because no token comes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use store::{Outlet, Seq};
use wire::openwire::{ProducerId, TransactionId};

use crate::destination::{Entry, Queue, Ranges};
use crate::effects::Effects;
use crate::engine::Engine;
use crate::limits;
use crate::outgoing::{Outgoing, Refusal, Reply};
use crate::peer::Cell;
use crate::processors::Processors;
use crate::touched::Touched;

/// What a unit of work stands for, once it is durable.
pub(crate) enum Token {
    /// A message was submitted to a queue.
    Sent(Sent),
    /// A transaction committed.
    Committed(Box<Committed>),
    /// A dispatch mark.
    Marked {
        /// Its queue.
        queue: Arc<Queue>,
        /// The mark.
        mark: Seq,
    },
    /// Somebody waits for an answer.
    Answer {
        /// Whom to tell.
        receipt: Receipt,
        /// What.
        result: Result<Reply, Refusal>,
    },
    /// Acknowledgements are stored, or the dead letters that they made.
    Acked(Vec<Receipt>),
    /// A part of a big transaction is in the journal.
    Staged(Receipt),
}

/// A message that was submitted.
pub(crate) struct Sent {
    pub(crate) queue: Arc<Queue>,
    pub(crate) entry: Entry,
    /// A dispatch mark in the same work.
    pub(crate) mark: Option<Seq>,
    pub(crate) receipt: Option<Receipt>,
}

/// A transaction that was submitted.
pub(crate) struct Committed {
    pub(crate) id: TransactionId,
    /// Its messages, with the queues they were sent to.
    pub(crate) sent: Vec<(Arc<Queue>, Entry)>,
    /// Those that it had spilled.
    pub(crate) staged: Vec<Unspilled>,
    pub(crate) receipt: Receipt,
}

/// What a transaction had spilled into one queue.
pub(crate) struct Unspilled {
    pub(crate) queue: Arc<Queue>,
    /// Places of messages that are there now.
    pub(crate) committed: Ranges,
    /// Places of duplicates, which stay empty.
    pub(crate) dropped: Ranges,
}

/// Whom to tell about a command.
pub(crate) struct Receipt {
    /// The client.
    pub(crate) cell: Arc<Cell>,
    /// The command that wants an answer.
    pub(crate) answer: Option<i32>,
    /// The producer whose window opens, and by how much.
    pub(crate) window: Option<(ProducerId, i32)>,
    /// What it counts as under way.
    pub(crate) bytes: usize,
}

impl Receipt {
    /// A receipt for nobody in particular: only the bytes count.
    pub(crate) fn silent(cell: &Arc<Cell>, bytes: usize) -> Receipt {
        Receipt {
            cell: Arc::clone(cell),
            answer: None,
            window: None,
            bytes,
        }
    }

    /// Moves it out of something that is about to be dropped.
    pub(crate) fn take(&mut self) -> Receipt {
        Receipt {
            cell: Arc::clone(&self.cell),
            answer: self.answer.take(),
            window: self.window.take(),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Tells the client, and forgets the bytes.
    pub(crate) fn settle(self, result: Result<Reply, Refusal>, touched: &mut Touched) {
        self.cell.landed(self.bytes);
        if self.answer.is_none() && self.window.is_none() && result.is_ok() {
            return;
        }
        let outbox = &self.cell.outbox;
        match (self.answer, result) {
            (Some(correlation), result) => outbox.push(Outgoing::Answer {
                correlation,
                result,
            }),
            (None, Err(refusal)) => outbox.push(Outgoing::AsyncError(refusal)),
            (None, Ok(_)) => {}
        }
        if let Some((producer, size)) = self.window {
            outbox.push(Outgoing::ProducerAck { producer, size });
        }
        touched.add(outbox);
    }
}

/// Called back by the store when mastership is lost.
pub(crate) type OnLost = Box<dyn FnOnce(store::Error) + Send>;

/// The outlet.
pub(crate) struct Committer {
    /// Set once the engine stands; no token comes earlier.
    engine: Arc<OnceLock<Weak<Engine>>>,
    on_lost: Option<OnLost>,
    processors: Processors,
    groups: Groups,
    answers: Vec<(Receipt, Result<Reply, Refusal>)>,
    effects: Effects,
}

impl Committer {
    pub(crate) fn new(
        engine: Arc<OnceLock<Weak<Engine>>>,
        on_lost: OnLost,
        processors: Processors,
    ) -> Committer {
        Committer {
            engine,
            on_lost: Some(on_lost),
            processors,
            groups: Groups::default(),
            answers: Vec::new(),
            effects: Effects::default(),
        }
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.get().and_then(Weak::upgrade)
    }

    fn sort(&mut self, engine: &Engine, token: Token) {
        match token {
            Token::Sent(sent) => self.sort_sent(sent),
            Token::Committed(committed) => self.sort_committed(engine, *committed),
            Token::Marked { queue, mark } => self.groups.of(&queue).mark(mark),
            Token::Answer { receipt, result } => self.answers.push((receipt, result)),
            Token::Acked(receipts) => {
                let answers = receipts.into_iter().map(|receipt| (receipt, Ok(Reply::Ok)));
                self.answers.extend(answers);
            }
            Token::Staged(receipt) => self.answers.push((receipt, Ok(Reply::Ok))),
        }
    }

    fn sort_sent(&mut self, sent: Sent) {
        let group = self.groups.of(&sent.queue);
        group.arrivals.push(Arrival::Message(sent.entry));
        if let Some(mark) = sent.mark {
            group.mark(mark);
        }
        if let Some(receipt) = sent.receipt {
            self.answers.push((receipt, Ok(Reply::Ok)));
        }
    }

    fn sort_committed(&mut self, engine: &Engine, committed: Committed) {
        for part in committed.staged {
            self.groups
                .of(&part.queue)
                .arrivals
                .push(Arrival::Unspilled(part));
        }
        for (queue, entry) in committed.sent {
            self.groups
                .of(&queue)
                .arrivals
                .push(Arrival::Message(entry));
        }
        engine.commit_is_durable(&committed.id);
        self.answers.push((committed.receipt, Ok(Reply::Ok)));
    }
}

/// How many outboxes the committing thread writes after a batch of `changes`.
fn inline_flushes(changes: usize) -> usize {
    if changes <= limits::SMALL_BATCH {
        limits::SMALL_BATCH_FLUSHES
    } else {
        limits::INLINE_FLUSHES
    }
}

impl Outlet<Token> for Committer {
    fn durable(&mut self, tokens: &mut Vec<Token>) {
        let Some(engine) = self.engine() else {
            tokens.clear();
            return;
        };
        let inline = inline_flushes(tokens.len());
        for token in tokens.drain(..) {
            self.sort(&engine, token);
        }
        // Answers first: a producer that waits for one is written first.
        for (receipt, result) in self.answers.drain(..) {
            receipt.settle(result, &mut self.effects.touched);
        }
        self.groups.apply(&engine, &mut self.effects);
        engine.settle(&mut self.effects);
        self.effects.touched.flush_first(inline);
    }

    fn lost(&mut self, cause: store::Error) {
        if let Some(engine) = self.engine() {
            engine.stop();
        }
        if let Some(on_lost) = self.on_lost.take() {
            on_lost(cause);
        }
    }

    fn busy(&mut self, busy: bool) {
        self.processors.keep_awake(busy);
    }

    fn full(&mut self, full: bool) {
        if full {
            tracing::warn!(
                event = "store.full",
                "the store is full: producers wait, consumers go on"
            );
        } else {
            tracing::info!(event = "store.room", "the store has room again");
        }
    }
}

/// What a batch brings to one queue.
enum Arrival {
    Message(Entry),
    Unspilled(Unspilled),
}

#[derive(Default)]
struct Group {
    queue: Option<Arc<Queue>>,
    arrivals: Vec<Arrival>,
    mark: Option<Seq>,
}

impl Group {
    fn mark(&mut self, mark: Seq) {
        self.mark = self.mark.max(Some(mark));
    }
}

/// What a batch brings, by queue. Keeps its memory from batch to batch.
#[derive(Default)]
struct Groups {
    groups: Vec<Group>,
    used: usize,
    /// Address of the queue to its group.
    index: HashMap<usize, usize>,
    last: usize,
}

impl Groups {
    fn of(&mut self, queue: &Arc<Queue>) -> &mut Group {
        let is_last = self
            .groups
            .get(self.last)
            .and_then(|group| group.queue.as_ref());
        if !is_last.is_some_and(|last| Arc::ptr_eq(last, queue)) {
            let used = &mut self.used;
            self.last = *self
                .index
                .entry(Arc::as_ptr(queue).addr())
                .or_insert_with(|| {
                    *used += 1;
                    *used - 1
                });
            if self.last == self.groups.len() {
                self.groups.push(Group::default());
            }
            self.groups[self.last].queue = Some(Arc::clone(queue));
        }
        &mut self.groups[self.last]
    }

    fn apply(&mut self, engine: &Engine, effects: &mut Effects) {
        let now = engine.now();
        let room = engine.memory.room();
        for group in &mut self.groups[..self.used] {
            let Some(queue) = group.queue.take() else {
                continue;
            };
            let mut state = queue.lock();
            if let Some(mark) = group.mark.take() {
                state.settle_mark(mark);
            }
            for arrival in group.arrivals.drain(..) {
                match arrival {
                    Arrival::Message(entry) => state.arrive(entry, room, effects),
                    Arrival::Unspilled(part) => {
                        state.arrive_staged(&part.committed, &part.dropped);
                    }
                }
            }
            state.dispatch(now, effects);
        }
        self.used = 0;
        self.last = 0;
        self.index.clear();
    }
}
