//! The steps of a takeover, in their order, each timed.
//!
//! 1. Take the lock and raise the epoch (`lock::acquire`).
//! 2. Open the store: index, replay, seal (`Engine::start`).
//! 3. Bind the listeners.
//!
//! The first two run on one blocking thread without a hand-over in between.
//! Nothing is said to be ready here: the role does, once all three are done.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lock::{Held, Progress, Stop};
use tokio::net::TcpListener;

use crate::config::{KeepAwake, ListenUri, LockMode, Settings};
use crate::engine::{Engine, EngineSettings};
use crate::error::Error;
use crate::{limits, listener};

/// A recovered store with its engine; no listener yet.
pub(crate) struct Recovered {
    pub(crate) engine: Arc<Engine>,
    pub(crate) verifier: lock::Verifier,
    pub(crate) steps: Steps,
    /// When the lock became ours.
    pub(crate) since: Instant,
}

/// How long each step of a takeover took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Steps {
    pub(crate) epoch: u64,
    pub(crate) lock: Duration,
    pub(crate) index: Duration,
    pub(crate) replay: Duration,
    pub(crate) seal: Duration,
}

/// Why somebody is not master yet, or could not become it.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// It had waited as a slave, so others may depend on it.
    pub(crate) waited: bool,
}

/// Waits for the lock as a slave, then recovers. Blocks its thread for as long
/// as that takes; `stop` ends the waiting.
pub(crate) fn become_master(
    settings: &Settings,
    stop: &Stop,
    on_lost: Box<dyn FnOnce(store::Error) + Send>,
) -> Result<Recovered, Failed> {
    let waited = AtomicBool::new(false);
    take_over(settings, stop, &waited, on_lost).map_err(|error| Failed {
        error,
        waited: waited.load(Ordering::Relaxed),
    })
}

fn take_over(
    settings: &Settings,
    stop: &Stop,
    waited: &AtomicBool,
    on_lost: Box<dyn FnOnce(store::Error) + Send>,
) -> Result<Recovered, Error> {
    let (held, since) = take_lock(settings, stop, waited)?;
    let mut steps = Steps {
        epoch: held.epoch().get(),
        lock: since.elapsed(),
        ..Steps::default()
    };
    tracing::info!(
        event = "lock.acquired",
        epoch = steps.epoch,
        previous = held.previous().map(|holder| holder.name.as_str()),
        filesystem = held.filesystem().name.as_str(),
        "lock acquired"
    );
    let verifier = held.verifier();
    let (engine, recovery) = recover(settings, held, on_lost)?;
    steps.index = recovery.index_open;
    steps.replay = recovery.replay;
    steps.seal = recovery.seal;
    Ok(Recovered {
        engine,
        verifier,
        steps,
        since,
    })
}

/// Blocks until the lock is ours; says since when it is.
fn take_lock(
    settings: &Settings,
    stop: &Stop,
    waited: &AtomicBool,
) -> Result<(Held, Instant), Error> {
    let identity = lock::Identity {
        broker_name: settings.name.clone(),
        uris: settings.advertised(),
    };
    let mut since = Instant::now();
    let seen_epoch = |dir: &Path| {
        // Asked right after the lock was taken: here the takeover begins.
        since = Instant::now();
        store::seen_epoch(dir)
    };
    let mut notify = |progress| {
        if !waited.swap(true, Ordering::Relaxed) {
            store::warm_up();
        }
        say(progress);
    };
    let held = lock::acquire(
        &settings.data,
        &identity,
        &lock_settings(settings),
        seen_epoch,
        stop,
        &mut notify,
    )?;
    Ok((held, since))
}

fn say(progress: Progress) {
    let (holder, reason, waited) = match progress {
        Progress::Warning(warning) => {
            tracing::warn!("{warning}");
            return;
        }
        Progress::Waiting {
            holder,
            reason,
            waited,
        } => (holder, reason, waited),
    };
    let holder = holder.as_deref();
    tracing::info!(
        event = "slave.waiting",
        %reason,
        holder = holder.map(|holder| holder.name.as_str()),
        host = holder.map(|holder| holder.host.as_str()),
        pid = holder.map(|holder| holder.pid),
        epoch = holder.map(|holder| holder.epoch.get()),
        since_unix_ms = holder.map(|holder| holder.since_unix_ms),
        waited_ms = ms(waited),
        "waiting for the lock"
    );
}

fn recover(
    settings: &Settings,
    held: Held,
    on_lost: Box<dyn FnOnce(store::Error) + Send>,
) -> Result<(Arc<Engine>, store::Recovery), Error> {
    tracing::info!(
        event = "recovery.started",
        epoch = held.epoch().get(),
        "recovery started"
    );
    let began = Instant::now();
    let started = Engine::start(&settings.data, held, engine_settings(settings), on_lost);
    if let Err(Error::Store(store::Error::Damaged { path, offset, what })) = &started {
        tracing::error!(
            event = "store.damaged",
            path = %path.display(),
            offset,
            what,
            "the journal is damaged"
        );
    }
    let (engine, recovery) = started?;
    tracing::info!(
        event = "recovery.finished",
        epoch = recovery.epoch,
        records = recovery.records,
        batches = recovery.batches,
        bytes = recovery.bytes_read,
        queues = recovery.queues.len(),
        messages = recovery.queues.iter().map(|queue| queue.count).sum::<u64>(),
        rolled_back = recovery.rolled_back,
        in_doubt = 0,
        index_rebuilt = recovery.index_rebuilt.as_deref(),
        ms = ms(began.elapsed()),
        "recovery finished"
    );
    Ok((engine, recovery))
}

/// Opens every listener. A port may be held a moment longer by the master that
/// has just died: the kernel frees its lock and its sockets one by one.
pub(crate) async fn listen(uris: &[ListenUri]) -> Result<Vec<TcpListener>, Error> {
    let deadline = Instant::now() + limits::LISTEN_PATIENCE;
    let mut listeners = Vec::new();
    for uri in uris {
        let bound = loop {
            match listener::bind(uri).await {
                Err(error) if error.is_address_in_use() && Instant::now() < deadline => {
                    tokio::time::sleep(limits::LISTEN_PAUSE).await;
                }
                bound => break bound?,
            }
        };
        for listener in &bound {
            let address = listener.local_addr().map(|address| address.to_string());
            tracing::info!(
                event = "listener.bound",
                %uri,
                address = address.unwrap_or_default(),
                "listening"
            );
        }
        listeners.extend(bound);
    }
    Ok(listeners)
}

/// The lock's part of the settings.
pub(crate) fn lock_settings(settings: &Settings) -> lock::Settings {
    lock::Settings {
        waiting: match settings.lock_mode {
            LockMode::Auto => lock::Waiting::Auto,
            LockMode::Block => lock::Waiting::Block,
            LockMode::Poll => lock::Waiting::Poll,
        },
        poll_interval: settings.lock_poll,
        ..lock::Settings::default()
    }
}

/// The engine's part of the settings, the store's within.
fn engine_settings(settings: &Settings) -> EngineSettings {
    EngineSettings {
        broker_name: settings.name.clone(),
        broker_url: settings.advertised().into_iter().next().unwrap_or_default(),
        memory_limit: usize::try_from(settings.memory_limit).unwrap_or(usize::MAX),
        keep_awake: settings.keep_awake == KeepAwake::Auto,
        store: store_settings(settings),
        ..EngineSettings::default()
    }
}

/// The store's part of the settings.
pub(crate) fn store_settings(settings: &Settings) -> store::Settings {
    let defaults = store::Settings::default();
    let segment_bytes = settings.segment_size.unwrap_or(defaults.segment_bytes);
    store::Settings {
        segment_bytes,
        first_segment_bytes: defaults.first_segment_bytes.min(segment_bytes),
        checkpoint_bytes: settings
            .checkpoint_size
            .unwrap_or(defaults.checkpoint_bytes),
        journal_limit_bytes: settings.store_limit,
        sync_delay: (!settings.sync_delay.is_zero()).then_some(settings.sync_delay),
        progress: store::Progress::new(|progress| {
            tracing::info!(
                event = "recovery.progress",
                batches = progress.batches,
                records = progress.records,
                ms = ms(progress.elapsed),
                "recovery goes on"
            );
        }),
        progress_interval: settings.recovery_progress,
        ..defaults
    }
}

/// Milliseconds with two decimals, as the log gives times.
pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

#[cfg(test)]
pub(crate) mod testing {
    //! A lock for tests that start an engine of their own.

    use super::*;

    /// Takes the lock of a directory that nobody else uses.
    pub(crate) fn held(dir: &Path) -> Held {
        let settings = Settings {
            data: dir.to_owned(),
            ..Settings::default()
        };
        take_lock(&settings, &Stop::new(), &AtomicBool::new(false))
            .unwrap()
            .0
    }
}
