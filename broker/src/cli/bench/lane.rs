//! One thread of the generator: a runtime of its own, and its share of the producers and consumers.
//!
//! All of a connection happens on one thread, so nothing in it ever wakes another core or waits for a lock. Everybody
//! connects before the gate opens, consumers of a run with producers also subscribe; in a drain they subscribe when it
//! opens, since the time to the first message is part of what is measured.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use client::{ConnectOptions, Connection, Error};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::consumer::{Receiver, Watched};
use super::figures::Figures;
use super::producer::{Made, Sender};
use super::stage::{Stage, Start};

/// The figures of a thread; its tasks share them, so the lock is never contended but by the progress line.
#[derive(Clone)]
pub(super) struct Tally(Arc<Mutex<Figures>>);

impl Tally {
    fn new(start: Start) -> Self {
        Self(Arc::new(Mutex::new(Figures::new(start))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Figures> {
        // A panic leaves at worst one message uncounted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread says to the conductor.
pub(super) enum News {
    /// Everybody is connected.
    Ready,
    /// The gate is open: here is where we count.
    Counting(Tally),
    /// The end.
    Ended(Outcome),
}

/// What a thread's producers and consumers leave behind.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) made: Vec<Made>,
    pub(super) watched: Vec<Watched>,
}

/// Runs thread `number` to its end. Failures end the run.
pub(super) fn run(number: usize, stage: &Arc<Stage>, news: &mpsc::Sender<News>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(work(number, stage, news)),
        Err(error) => {
            stage.fail(("cannot start a thread", error));
            Outcome::default()
        }
    };
    // The conductor waits for as many as it started; if it has gone, nobody wants to know.
    let _ = news.blocking_send(News::Ended(outcome));
}

async fn work(number: usize, stage: &Arc<Stage>, news: &mpsc::Sender<News>) -> Outcome {
    let (senders, receivers) = match prepare(number, stage).await {
        Ok(prepared) => prepared,
        Err(error) => {
            stage.fail(error);
            return Outcome::default();
        }
    };
    let _ = news.send(News::Ready).await;
    let Some(start) = stage.started().await else {
        return Outcome::default();
    };
    let tally = Tally::new(start);
    let _ = news.send(News::Counting(tally.clone())).await;
    let mut made = JoinSet::new();
    let mut watched = JoinSet::new();
    for receiver in receivers {
        watched.spawn(receiver.run(tally.clone()));
    }
    for sender in senders {
        made.spawn(sender.run(start, tally.clone()));
    }
    // A task that panicked has nothing to say; its absence is noticed by who adds up.
    let mut outcome = Outcome::default();
    while let Some(one) = made.join_next().await {
        outcome.made.extend(one);
    }
    while let Some(several) = watched.join_next().await {
        outcome.watched.extend(several.unwrap_or_default());
    }
    outcome
}

async fn prepare(number: usize, stage: &Arc<Stage>) -> Result<(Vec<Sender>, Vec<Receiver>), Error> {
    let plan = &stage.plan;
    let mut receivers = Vec::new();
    for index in plan.lane(number, plan.consumers) {
        let connection = connect(stage).await?;
        let mut receiver = Receiver::new(Arc::clone(stage), connection, plan.queues_of(index));
        if !plan.is_drain() {
            receiver.subscribe().await?;
        }
        receivers.push(receiver);
    }
    let mut senders = Vec::new();
    for line in plan.lane(number, plan.connections) {
        let connection = Arc::new(connect(stage).await?);
        for index in plan.producers_on(line) {
            let connection = Arc::clone(&connection);
            senders.push(Sender::new(Arc::clone(stage), connection, index).await?);
        }
    }
    Ok((senders, receivers))
}

/// A connection to the first broker that takes it.
async fn connect(stage: &Stage) -> Result<Connection, Error> {
    let mut last = None;
    for uri in &stage.plan.urls {
        match Connection::connect(uri, &ConnectOptions::default()).await {
            Ok(connection) => return Ok(connection),
            Err(error) if error.is_retry() => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(Error::Misuse {
        what: "no address given",
    }))
}
