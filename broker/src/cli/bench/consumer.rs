//! One consumer: a connection, and a subscription for each of its queues, which hands everything to its judge.

use std::sync::Arc;
use std::time::Duration;

use client::{Connection, Consumer, Delivery, Error, Session};
use tokio::task::JoinSet;

use super::body::Identity;
use super::judge::{Judge, Verdict};
use super::lane::Tally;
use super::plan::Ack;
use super::stage::Stage;

/// What a subscription leaves behind.
pub(super) struct Watched {
    pub(super) queue: usize,
    pub(super) judge: Judge,
    pub(super) errors: u64,
}

/// A connected consumer.
pub(super) struct Receiver {
    stage: Arc<Stage>,
    connection: Connection,
    queues: Vec<usize>,
    subscriptions: Vec<Subscription>,
}

impl Receiver {
    /// A consumer of these queues that has not subscribed yet.
    pub(super) fn new(stage: Arc<Stage>, connection: Connection, queues: Vec<usize>) -> Self {
        Self {
            stage,
            connection,
            queues,
            subscriptions: Vec::new(),
        }
    }

    /// Subscribes to all its queues: from here on messages come.
    pub(super) async fn subscribe(&mut self) -> Result<(), Error> {
        for &queue in &self.queues {
            let plan = &self.stage.plan;
            let mut session = self.connection.session(plan.ack.mode()).await?;
            let consumer = session.consumer(&plan.queues[queue], plan.prefetch).await?;
            self.subscriptions.push(Subscription {
                session,
                consumer,
                work: Work {
                    judge: Judge::new(self.stage.jurisdiction()),
                    stage: Arc::clone(&self.stage),
                    open: 0,
                    news: 0,
                    errors: 0,
                },
                queue,
            });
        }
        Ok(())
    }

    /// Receives until the run ends.
    pub(super) async fn run(mut self, tally: Tally) -> Vec<Watched> {
        if self.subscriptions.is_empty()
            && let Err(error) = self.subscribe().await
        {
            self.stage.fail(error);
        }
        let mut running = JoinSet::new();
        for subscription in self.subscriptions {
            running.spawn(subscription.run(tally.clone()));
        }
        let mut watched = Vec::new();
        while let Some(one) = running.join_next().await {
            watched.extend(one);
        }
        if !self.stage.has_failed()
            && let Err(error) = self.connection.close().await
        {
            self.stage.fail(error);
        }
        watched
    }
}

/// One queue of one consumer.
struct Subscription {
    session: Session,
    consumer: Consumer,
    work: Work,
    queue: usize,
}

/// What a subscription keeps about its messages.
struct Work {
    stage: Arc<Stage>,
    judge: Judge,
    /// Received and not yet acknowledged, where that is ours to do.
    open: usize,
    /// Received for the first time and not yet told.
    news: u64,
    errors: u64,
}

impl Subscription {
    async fn run(mut self, tally: Tally) -> Watched {
        if let Err(error) = self.receive_all(&tally).await {
            self.work.stage.fail(error);
        }
        // A broker that failed may never answer.
        if !self.work.stage.has_failed() {
            let ended = match self.settle().await {
                Ok(()) => self.consumer.close().await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                self.work.stage.fail(error);
            }
        }
        Watched {
            queue: self.queue,
            judge: self.work.judge,
            errors: self.work.errors,
        }
    }

    async fn receive_all(&mut self, tally: &Tally) -> Result<(), Error> {
        let stage = Arc::clone(&self.work.stage);
        let batch = stage.plan.ack_batch();
        let patience = stage.plan.idle_timeout.max(Duration::from_millis(1));
        while !stage.is_over() {
            while let Some(delivery) = self.consumer.take_at_hand()? {
                self.work.take(&delivery, tally);
                self.acknowledge(&delivery, batch).await?;
            }
            self.end_of_burst().await?;
            let received = tokio::select! {
                received = self.consumer.receive_within(patience) => received?,
                () = stage.ended() => return Ok(()),
            };
            match received {
                Some(delivery) => {
                    self.work.take(&delivery, tally);
                    self.acknowledge(&delivery, batch).await?;
                }
                None => stage.end_if_silent(patience),
            }
        }
        Ok(())
    }

    /// Acknowledges where it is time.
    async fn acknowledge(&mut self, delivery: &Delivery, batch: usize) -> Result<(), Error> {
        let outcome = match self.work.stage.plan.ack {
            Ack::Auto | Ack::Each => return Ok(()),
            Ack::Individual => self.consumer.acknowledge_one(delivery).await,
            Ack::Client | Ack::Transactions(_) => {
                self.work.open += 1;
                if self.work.open < batch {
                    return Ok(());
                }
                return self.settle().await;
            }
        };
        self.work.forgive(outcome)
    }

    /// Nothing more is at hand.
    async fn end_of_burst(&mut self) -> Result<(), Error> {
        self.work.tell();
        match self.work.stage.plan.ack {
            Ack::Client => self.settle().await,
            _ => Ok(()),
        }
    }

    /// Acknowledges what is open.
    async fn settle(&mut self) -> Result<(), Error> {
        self.work.tell();
        if std::mem::take(&mut self.work.open) == 0 {
            return Ok(());
        }
        let outcome = match self.work.stage.plan.ack {
            Ack::Transactions(_) => self.session.commit().await,
            _ => self.consumer.acknowledge().await,
        };
        self.work.forgive(outcome)
    }
}

impl Work {
    fn take(&mut self, delivery: &Delivery, tally: &Tally) {
        let identity = delivery
            .bytes()
            .ok()
            .and_then(|body| Identity::decode(&body));
        let verdict = self.judge.take(identity, delivery.is_redelivered());
        if verdict == Verdict::Foreign {
            return;
        }
        self.news += u64::from(verdict == Verdict::New);
        let now = self.stage.clock.now();
        // How long it lay there before the run began says nothing about the broker.
        let age = match identity {
            Some(identity) if !self.stage.plan.is_drain() => Some(identity.sent.age(now)),
            _ => None,
        };
        tally.lock().received(age, now);
    }

    /// Tells the stage what is new, which may end the run.
    fn tell(&mut self) {
        let news = std::mem::take(&mut self.news);
        self.stage.received(news, self.stage.clock.now());
    }

    /// A refusal is counted; anything else ends the run.
    fn forgive(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Err(Error::Refused { .. }) => {
                self.errors += 1;
                Ok(())
            }
            other => other,
        }
    }
}
