//! Looks once a second whether the lock is still ours, and notices when even looking takes too long.
//!
//! Two threads, because a look at a dead file server can hang in the kernel for minutes: one looks, the other only
//! compares clocks. Neither is joined; a hanging one ends when its call returns, or with the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::lost::Lost;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::verifier::Verifier;

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    stop: Stop,
}

type OnLost = Arc<Mutex<Option<Box<dyn FnMut(Lost) + Send>>>>;

/// Starts to watch; `on_lost` is called at most once, from one of the two threads.
#[must_use = "dropping the watcher ends it"]
pub fn watch(
    verifier: Verifier,
    settings: &Settings,
    on_lost: impl FnMut(Lost) + Send + 'static,
) -> Watcher {
    let stop = Stop::new();
    let on_lost: OnLost = Arc::new(Mutex::new(Some(Box::new(on_lost))));
    let looking = verifier.clone();
    let look = move || looking.verify().err();
    start(
        "lock-verify",
        settings.verify_interval,
        &stop,
        &on_lost,
        look,
    );
    // Ten looks at the clock per deadline: late by a tenth at most.
    let clock = move || verifier.missed_deadline();
    start(
        "lock-deadline",
        settings.verify_deadline / 10,
        &stop,
        &on_lost,
        clock,
    );
    Watcher { stop }
}

fn start(
    name: &str,
    interval: Duration,
    stop: &Stop,
    on_lost: &OnLost,
    mut look: impl FnMut() -> Option<Lost> + Send + 'static,
) {
    let (stop, on_lost) = (stop.clone(), Arc::clone(on_lost));
    let watch = move || {
        while !stop.wait(interval) {
            let Some(lost) = look() else { continue };
            // A watcher that was dropped has nobody to tell.
            if stop.is_stopped() {
                return;
            }
            let tell = on_lost
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(mut tell) = tell {
                tell(lost);
            }
            return;
        }
    };
    thread::Builder::new()
        .name(name.into())
        .spawn(watch)
        .expect("a broker that cannot start two threads cannot run");
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.stop();
    }
}
