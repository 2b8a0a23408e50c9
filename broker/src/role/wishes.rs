//! SIGTERM and SIGINT as wishes to stop, noticed by a thread of its own.
//!
//! Guarantee: a wish arrives even when every I/O thread hangs in a call to a
//! dead file server. The first one asks for a clean stop, a second one for an
//! end at once; further ones say nothing new and are dropped. What becomes of
//! a wish is the role's business.

use std::thread;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::error::Error;

/// Names of the signals that came.
pub(super) type Wishes = mpsc::Receiver<&'static str>;

/// From here on these signals no longer end the process by themselves.
pub(super) fn watch() -> Result<Wishes, Error> {
    let failed = |source| Error::System {
        what: "watching for signals",
        source,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    let signals = Signals::new(&runtime).map_err(failed)?;
    // One for the stop, one for the end at once.
    let (wish, wishes) = mpsc::channel(2);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(signals.pass_on(&wish)))
        .map_err(failed)?;
    Ok(wishes)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new(runtime: &Runtime) -> std::io::Result<Signals> {
        let _inside = runtime.enter();
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Until nobody listens any more.
    async fn pass_on(mut self, wish: &mpsc::Sender<&'static str>) {
        while !wish.is_closed() {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            // Full: both wishes are known already.
            let _ = wish.try_send(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[test]
    fn signals_arrive_without_any_other_runtime() {
        let mut wishes = watch().unwrap();
        for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
            kill_process(getpid(), signal).unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            let came = loop {
                match wishes.try_recv() {
                    Err(mpsc::error::TryRecvError::Empty) if Instant::now() < deadline => {
                        thread::yield_now();
                    }
                    came => break came,
                }
            };
            assert_eq!(came, Ok(name));
        }
    }
}
