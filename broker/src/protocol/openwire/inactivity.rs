//! Keep-alives and the inactivity check of one connection (openwire 1.7).
//!
//! Nothing written for a third of the limit: a KeepAliveInfo goes out. Nothing
//! read for the limit: the peer is gone. Arriving bytes count as life even in
//! the middle of a frame, and time in which we did not want to read does not
//! count at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use wire::openwire::{Command, KeepAliveInfo};

use crate::outbox::Outbox;
use crate::outgoing::Outgoing;

/// Shared between the reader of a connection and its inactivity check.
pub(super) struct Life {
    /// Reads so far.
    pub(super) reads: Arc<AtomicU64>,
    /// The reader waits for room and does not look at the socket.
    pub(super) paused: AtomicBool,
}

/// Sends keep-alives; returns the limit once the peer has been silent for it.
/// Without a limit neither side checks, so it never returns.
pub(super) async fn watch(
    life: &Life,
    outbox: &Outbox,
    limit: Option<Duration>,
    first: Duration,
) -> Duration {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let third = limit / 3;
    let period = if third.is_zero() { limit } else { third };
    let mut ticks = tokio::time::interval_at(Instant::now() + first + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written = outbox.writes();
    let mut read = life.reads.load(Ordering::Relaxed);
    let mut heard = Instant::now() + first;
    let mut ticked = heard;
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let writes = outbox.writes();
        if writes == written {
            keep_alive(outbox);
        }
        // Our own keep-alive must not count as traffic at the next look.
        written = outbox.writes();
        let reads = life.reads.load(Ordering::Relaxed);
        // A tick that comes this late says that the process stood still, not
        // that the peer did; what it sent meanwhile has not been read yet.
        let late = now.saturating_duration_since(ticked) > 2 * period;
        ticked = now;
        if reads != read || late || life.paused.load(Ordering::Relaxed) {
            read = reads;
            heard = now;
        }
        if now.saturating_duration_since(heard) >= limit {
            return limit;
        }
    }
}

fn keep_alive(outbox: &Outbox) {
    outbox.push(Outgoing::Command(Box::new(Command::KeepAliveInfo(
        KeepAliveInfo::default(),
    ))));
    outbox.flush();
}
