//! Signs of life of one connection: a keep-alive where nothing was written for a third of the limit, and the end where
//! nothing was read for all of it, noticed a third later at most. A task of its own, so that no message pays for a timer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::link::{Link, When};
use crate::requests;

/// A third of the limit, as all OpenWire peers do, so that one late timer costs nothing.
const PARTS: u32 = 3;

/// Watches a connection until it has ended.
pub(crate) async fn watch(link: Arc<Link>, limit: Duration) {
    tokio::select! {
        () = silence(&link, limit) => link.lose(&format!("nothing heard for {limit:?}")),
        _ = link.wait_for_end() => {}
    }
}

/// Sends keep-alives, until the broker has been silent for the limit. A part that took twice its time says that this
/// process stood still: what arrived meanwhile has not been read yet.
async fn silence(link: &Link, limit: Duration) {
    let (part, mut heard, mut quiet) = (limit / PARTS, link.reads(), 0);
    while quiet < PARTS {
        let began = Instant::now();
        sleep(part).await;
        let stood_still = began.elapsed() >= 2 * part;
        if link.was_idle() {
            // An error has ended the connection already.
            let _ = link.push(&requests::keep_alive(false), When::Now);
            // It must not count as traffic at the next look.
            link.was_idle();
        }
        let reads = link.reads();
        quiet = if reads == heard && !stood_still {
            quiet + 1
        } else {
            0
        };
        heard = reads;
    }
}
