//! What all producers and consumers of a run share: the gate that starts them, the end, and the first failure.
//!
//! The end comes when everything that was sent has been received, after silence, when the time is over, or with a
//! failure; whoever notices ends it for all.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::{Clock, Moment};
use super::judge::Jurisdiction;
use super::plan::Plan;
use crate::cli::client_args::Failure;

/// When things begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The gate opens.
    pub(super) at: Moment,
    /// The warm-up is over.
    pub(super) measured: Moment,
    /// Nothing is sent from here on.
    pub(super) end: Option<Moment>,
}

/// The shared state of a run.
pub(super) struct Stage {
    pub(super) plan: Plan,
    pub(super) clock: Clock,
    pub(super) run: u16,
    start: watch::Sender<Option<Start>>,
    done: CancellationToken,
    over: AtomicBool,
    failure: Mutex<Option<Failure>>,
    /// Producers that still send.
    producing: AtomicUsize,
    sent: AtomicU64,
    received: AtomicU64,
    /// How many are to be received; unknown is the largest.
    target: AtomicU64,
    last_message: AtomicU64,
}

impl Stage {
    /// A stage with a closed gate. `run` tells it from earlier runs.
    pub(super) fn new(plan: Plan, run: u16) -> Self {
        let target = match plan.messages {
            Some(messages) if plan.is_drain() => messages,
            _ => u64::MAX,
        };
        Self {
            clock: Clock::start(),
            run,
            start: watch::Sender::new(None),
            done: CancellationToken::new(),
            over: AtomicBool::new(false),
            failure: Mutex::new(None),
            producing: AtomicUsize::new(plan.producers),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            target: AtomicU64::new(target),
            last_message: AtomicU64::new(0),
            plan,
        }
    }

    /// Whose messages are judged.
    pub(super) fn jurisdiction(&self) -> Jurisdiction {
        if self.plan.is_drain() {
            Jurisdiction::All
        } else {
            Jurisdiction::Run(self.run)
        }
    }

    /// Opens the gate.
    pub(super) fn open(&self) -> Start {
        let at = self.clock.now();
        let measured = at.plus(self.plan.warmup);
        let start = Start {
            at,
            measured,
            end: self.plan.duration.map(|duration| measured.plus(duration)),
        };
        self.last_message.store(at.0, Ordering::SeqCst);
        self.start.send_replace(Some(start));
        start
    }

    /// Waits for the gate; none when the run ended before.
    pub(super) async fn started(&self) -> Option<Start> {
        let mut start = self.start.subscribe();
        tokio::select! {
            opened = start.wait_for(Option::is_some) => opened.ok().and_then(|start| *start),
            () = self.done.cancelled() => None,
        }
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) {
        self.done.cancelled().await;
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.done.cancel();
    }

    /// Ends it with a failure; only the first counts.
    pub(super) fn fail(&self, failure: impl Into<Failure>) {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(failure.into());
        drop(first);
        self.end();
    }

    /// Whether it failed.
    pub(super) fn has_failed(&self) -> bool {
        let failure = self.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Why it failed, if it did.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// A producer has sent all of its messages, of which so many are confirmed.
    pub(super) fn producer_is_done(&self, confirmed: u64) {
        self.sent.fetch_add(confirmed, Ordering::SeqCst);
        if self.producing.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        // Each side first writes, then looks at the other's: whichever is last sees that all is done.
        let sent = self.sent.load(Ordering::SeqCst);
        self.target.store(sent, Ordering::SeqCst);
        if self.plan.consumers == 0 || self.received.load(Ordering::SeqCst) >= sent {
            self.end();
        }
    }

    /// Messages were received for the first time. Without news only the time is noted.
    pub(super) fn received(&self, news: u64, now: Moment) {
        self.last_message.store(now.0, Ordering::Relaxed);
        if news == 0 {
            return;
        }
        let received = self.received.fetch_add(news, Ordering::SeqCst) + news;
        if received >= self.target.load(Ordering::SeqCst) {
            self.end();
        }
    }

    /// Ends it if nobody sends and nothing came to anybody for so long.
    pub(super) fn end_if_silent(&self, limit: Duration) {
        let last = Moment(self.last_message.load(Ordering::Relaxed));
        let is_silent = self.clock.now().since(last) >= limit;
        if is_silent && self.producing.load(Ordering::SeqCst) == 0 {
            self.end();
        }
    }
}
