//! One producer: a session, and messages to all queues in turn.

use std::collections::VecDeque;
use std::sync::Arc;

use client::{AckMode, Body, Connection, Error, Message, Producer, Receipt, Session};
use tokio::sync::mpsc;

use super::body::{Bodies, Identity, Stamp};
use super::clock::Moment;
use super::judge::Sent;
use super::lane::Tally;
use super::limits::TURN;
use super::pace::Pace;
use super::plan::Sending;
use super::stage::{Stage, Start};
use crate::cli::client_args::Failure;

/// What a producer leaves behind.
pub(super) struct Made {
    pub(super) producer: usize,
    /// By queue.
    pub(super) sent: Vec<Sent>,
    pub(super) errors: u64,
}

/// One message on its way.
#[derive(Clone, Copy)]
struct Underway {
    /// Which of the producer's targets that is.
    slot: usize,
    queue: usize,
    sequence: u64,
    due: Moment,
}

/// A connected producer.
pub(super) struct Sender {
    stage: Arc<Stage>,
    /// Whoever of those that share it is done last closes it.
    connection: Arc<Connection>,
    session: Session,
    /// Its queues, and a producer for each.
    targets: Vec<(usize, Producer)>,
    index: usize,
    run_and_name: (u16, u16),
    bodies: Bodies,
    message: Message,
    sent: Vec<Sent>,
    /// Messages of this producer so far.
    count: u64,
    errors: u64,
}

impl Sender {
    /// Opens what producer `index` needs on its connection.
    pub(super) async fn new(
        stage: Arc<Stage>,
        connection: Arc<Connection>,
        index: usize,
    ) -> Result<Self, Error> {
        let plan = &stage.plan;
        let mode = match plan.sending {
            Sending::Transactions(_) => AckMode::Transacted,
            _ => AckMode::Auto,
        };
        let mut session = connection.session(mode).await?;
        let mut targets = Vec::new();
        for queue in plan.targets_of(index) {
            targets.push((queue, session.producer(&plan.queues[queue]).await?));
        }
        let mut message = Message::new(Body::Empty);
        message.persistent = plan.persistent;
        Ok(Self {
            sent: vec![Sent::default(); plan.queues.len()],
            bodies: Bodies::new(plan.size),
            run_and_name: (stage.run, u16::try_from(index).unwrap_or(u16::MAX)),
            stage,
            connection,
            session,
            targets,
            index,
            message,
            count: 0,
            errors: 0,
        })
    }

    /// Sends until its share is sent, the time is over or the run ends.
    pub(super) async fn run(mut self, start: Start, tally: Tally) -> Made {
        let stage = Arc::clone(&self.stage);
        // A failure elsewhere ends even a send that the broker holds up.
        let sent = tokio::select! {
            sent = self.send_all(start, &tally) => sent,
            () = stage.ended() => Ok(()),
        };
        if let Err(failure) = sent {
            self.stage.fail(failure);
        }
        let confirmed = self.sent.iter().map(Sent::confirmed).sum();
        self.stage.producer_is_done(confirmed);
        // The broker's good-bye comes after everything before it was taken in; one that failed may never come to it.
        if let Some(connection) = Arc::into_inner(self.connection)
            && !stage.has_failed()
        {
            match connection.close().await {
                Ok(()) => tally.lock().all_confirmed(stage.clock.now()),
                Err(error) => stage.fail(error),
            }
        }
        Made {
            producer: self.index,
            sent: self.sent,
            errors: self.errors,
        }
    }

    async fn send_all(&mut self, start: Start, tally: &Tally) -> Result<(), Failure> {
        let plan = &self.stage.plan;
        let pace = match plan.rate {
            None => None,
            Some(rate) => {
                let (clock, producers) = (self.stage.clock, plan.producers);
                let pace = Pace::new(clock, start.at, rate, self.index, producers);
                Some(pace.map_err(|error| Failure::Io("cannot make a timer", error))?)
            }
        };
        let schedule = Schedule {
            stage: Arc::clone(&self.stage),
            pace,
            end: start.end,
            share: plan.share(self.index),
        };
        match plan.sending {
            Sending::OneByOne => self.one_by_one(&schedule, tally).await,
            Sending::Unanswered => self.unanswered(&schedule, tally).await,
            Sending::Transactions(size) => self.transactions(&schedule, tally, size).await,
            Sending::Pipelined(window) => self.pipelined(&schedule, tally, window).await,
        }
    }

    async fn one_by_one(&mut self, schedule: &Schedule, tally: &Tally) -> Result<(), Failure> {
        while let Some(due) = schedule.next(self.count).await? {
            let underway = self.make(due);
            let outcome = self.targets[underway.slot].1.send(&self.message).await;
            self.conclude(&[underway], outcome, tally)?;
        }
        Ok(())
    }

    async fn unanswered(&mut self, schedule: &Schedule, tally: &Tally) -> Result<(), Failure> {
        while let Some(due) = schedule.next(self.count).await? {
            let underway = self.make(due);
            match self.targets[underway.slot].1.send(&self.message).await {
                Ok(()) => tally.lock().sent(1, due),
                Err(error) => self.conclude(&[underway], Err(error), tally)?,
            }
            self.let_others().await;
        }
        Ok(())
    }

    async fn transactions(
        &mut self,
        schedule: &Schedule,
        tally: &Tally,
        size: usize,
    ) -> Result<(), Failure> {
        let mut unit = Vec::with_capacity(size);
        loop {
            let due = schedule.next(self.count).await?;
            if let Some(due) = due {
                let underway = self.make(due);
                self.targets[underway.slot].1.send(&self.message).await?;
                unit.push(underway);
                self.let_others().await;
            }
            if unit.len() == size || (due.is_none() && !unit.is_empty()) {
                let outcome = self.session.commit().await;
                self.conclude(&unit, outcome, tally)?;
                unit.clear();
            }
            if due.is_none() {
                return Ok(());
            }
        }
    }

    /// Another task waits for the answers, so that they are noted when they come and not when the next message is due.
    async fn pipelined(
        &mut self,
        schedule: &Schedule,
        tally: &Tally,
        window: usize,
    ) -> Result<(), Failure> {
        // One more is out of the channel and being waited for.
        let (answers, waiting) = mpsc::channel(window.max(2) - 1);
        let collector = tokio::spawn(collect(Arc::clone(&self.stage), waiting, tally.clone()));
        let mut ended = Ok(());
        while let Some(due) = schedule.next(self.count).await? {
            let Ok(place) = answers.reserve().await else {
                break;
            };
            let underway = self.make(due);
            let producer = &mut self.targets[underway.slot].1;
            match producer.send_pipelined(&self.message).await {
                Ok(receipt) => place.send((underway, receipt)),
                Err(error) => {
                    ended = self.conclude(&[underway], Err(error), tally);
                    break;
                }
            }
        }
        drop(answers);
        let collected = collector.await.unwrap_or_default();
        self.errors += collected.len() as u64;
        for underway in collected {
            self.sent[underway.queue].unsure.insert(underway.sequence);
        }
        ended
    }

    /// Makes the next message, and says which it is.
    fn make(&mut self, due: Moment) -> Underway {
        let targets = self.targets.len() as u64;
        // Producers begin at different queues, so that they are not all at the same one.
        let turn = (self.count + self.index as u64) % targets;
        let slot = usize::try_from(turn).unwrap_or(0);
        let queue = self.targets[slot].0;
        let sequence = self.sent[queue].next;
        self.sent[queue].next += 1;
        self.count += 1;
        let (run, producer) = self.run_and_name;
        self.message.body = Body::Bytes(self.bodies.next(&Identity {
            run,
            producer,
            sequence,
            sent: Stamp::of(due),
        }));
        Underway {
            slot,
            queue,
            sequence,
            due,
        }
    }

    /// Notes the outcome of messages that were answered together.
    fn conclude(
        &mut self,
        messages: &[Underway],
        outcome: Result<(), Error>,
        tally: &Tally,
    ) -> Result<(), Failure> {
        let Err(error) = outcome else {
            note(messages, self.stage.clock.now(), tally);
            return Ok(());
        };
        self.errors += 1;
        for one in messages {
            self.sent[one.queue].unsure.insert(one.sequence);
        }
        match error {
            Error::Refused { .. } => Ok(()),
            other => Err(other.into()),
        }
    }

    /// Sending into a buffer never waits by itself.
    async fn let_others(&self) {
        if self.count.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
}

/// Notes messages that were answered.
fn note(messages: &[Underway], now: Moment, tally: &Tally) {
    let mut figures = tally.lock();
    figures.sent(messages.len() as u64, now);
    for one in messages {
        figures.answered(one.due, now);
    }
}

/// Waits for answers in the order of the sends, and returns the messages that were refused or never answered.
async fn collect(
    stage: Arc<Stage>,
    mut waiting: mpsc::Receiver<(Underway, Receipt)>,
    tally: Tally,
) -> VecDeque<Underway> {
    let mut unsure = VecDeque::new();
    while let Some((underway, receipt)) = waiting.recv().await {
        match receipt.answered().await {
            Ok(()) => note(&[underway], stage.clock.now(), &tally),
            Err(error) => {
                unsure.push_back(underway);
                if !matches!(error, Error::Refused { .. }) {
                    stage.fail(error);
                }
            }
        }
    }
    unsure
}

/// When a producer sends, and until when.
struct Schedule {
    stage: Arc<Stage>,
    pace: Option<Pace>,
    end: Option<Moment>,
    share: u64,
}

impl Schedule {
    /// Waits until message `number` is due; none when there is no such message any more.
    async fn next(&self, number: u64) -> Result<Option<Moment>, Failure> {
        if number >= self.share || self.stage.is_over() {
            return Ok(None);
        }
        let due = match &self.pace {
            None => self.stage.clock.now(),
            Some(pace) => pace.due(number),
        };
        if self.end.is_some_and(|end| due >= end) {
            return Ok(None);
        }
        if let Some(pace) = &self.pace {
            let waited = tokio::select! {
                waited = pace.wait(due) => waited,
                () = self.stage.ended() => return Ok(None),
            };
            waited.map_err(|error| Failure::Io("cannot wait for a timer", error))?;
        }
        Ok(Some(due))
    }
}
