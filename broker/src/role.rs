//! The life of the process: a slave becomes master or is stopped; a master is
//! stopped or demoted; a demoted one starts again as a slave in a fresh image.
//!
//! Each role is a value that its transition consumes, so there is no way back
//! and none around: nothing of a lost mastership survives in memory. What a
//! master does is elsewhere (`engine`, `connection`); here is when.

use std::io;
use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::boot::{self, Failed, Recovered, ms};
use crate::config::Settings;
use crate::connection::{Edge, EdgeSettings, serve};
use crate::error::{Action, Error};
use crate::{descriptors, directory, huge_pages, limits, listener};
use wishes::Wishes;

mod wishes;

/// Set for a process that was a broker before: it must not give up where a
/// fresh start would.
const RESTARTED: &str = "HOLDFAST_RESTARTED";

/// Runs a broker until it is stopped. Does not return after a demotion, unless
/// starting again fails.
pub(crate) fn run(settings: Settings) -> Result<(), Error> {
    directory::prepare(&settings.data)?;
    descriptors::raise();
    huge_pages::refuse();
    let mut wishes = wishes::watch()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("holdfast-io")
        .enable_all()
        .build()
        .map_err(|source| Error::System {
            what: "starting the runtime",
            source,
        })?;
    let ended = runtime.block_on(live(settings, &mut wishes));
    // A thread may hang in a call to a dead file server; it ends with the process.
    runtime.shutdown_background();
    match ended? {
        Ended::Stopped => Ok(()),
        Ended::Demoted(demoted) => Err(demoted.restart()),
    }
}

/// How a life ends.
enum Ended {
    Stopped,
    Demoted(Demoted),
}

async fn live(settings: Settings, wishes: &mut Wishes) -> Result<Ended, Error> {
    let slave = Slave { settings };
    let ended = match slave.wait(wishes).await? {
        Waited::Promoted(master) => master.serve(wishes).await,
        Waited::Demoted(demoted) => Ended::Demoted(demoted),
        Waited::Stopped => Ended::Stopped,
    };
    match ended {
        Ended::Demoted(demoted) => Ok(demoted.settle(wishes).await),
        stopped @ Ended::Stopped => Ok(stopped),
    }
}

/// Waits for the lock.
struct Slave {
    settings: Settings,
}

/// What becomes of a slave.
enum Waited {
    Promoted(Box<Master>),
    Demoted(Demoted),
    Stopped,
}

impl Slave {
    async fn wait(self, wishes: &mut Wishes) -> Result<Waited, Error> {
        let waiting = lock::Stop::new();
        let drop_sockets = CancellationToken::new();
        let (lost, losses) = mpsc::channel(1);
        let losing = Losing {
            drop_sockets: drop_sockets.clone(),
            lost,
        };
        let (settings, stop, on_lost) = (self.settings.clone(), waiting.clone(), losing.clone());
        let promotion = tokio::task::spawn_blocking(move || {
            let on_lost = Box::new(move |cause: store::Error| on_lost.tell(cause.to_string()));
            boot::become_master(&settings, &stop, on_lost)
        });
        let recovered = tokio::select! {
            recovered = promotion => recovered,
            Some(name) = wishes.recv() => {
                waiting.stop();
                shutdown_started(name);
                shutdown_finished(0, Instant::now(), store::Written::default());
                return Ok(Waited::Stopped);
            }
        };
        let recovered = match recovered {
            Ok(Ok(recovered)) => recovered,
            Ok(Err(failed)) => return not_promoted(failed),
            Err(panic) => {
                return Err(Error::System {
                    what: "becoming master",
                    source: io::Error::other(panic),
                });
            }
        };
        let master = Master::ready(self.settings, recovered, drop_sockets, losing, losses).await?;
        Ok(Waited::Promoted(Box::new(master)))
    }
}

/// A fresh start that fails ends with its reason; a slave that others may be
/// counting on tries again, unless the reason cannot go away by itself.
fn not_promoted(failed: Failed) -> Result<Waited, Error> {
    let settled = failed.waited || std::env::var_os(RESTARTED).is_some();
    match failed.error.action() {
        Action::Retry | Action::Demote if settled => Ok(Waited::Demoted(Demoted {
            cause: failed.error.to_string(),
            since: Instant::now(),
        })),
        _ => Err(failed.error),
    }
}

/// Where a loss of mastership is told; the first word counts.
#[derive(Clone)]
struct Losing {
    drop_sockets: CancellationToken,
    lost: mpsc::Sender<String>,
}

impl Losing {
    fn tell(&self, cause: String) {
        // At once, from whatever thread noticed: a client must hear nothing
        // more from a broker that may no longer be master.
        self.drop_sockets.cancel();
        // Full means that an earlier cause was told already.
        let _ = self.lost.try_send(cause);
    }
}

/// Serves clients.
struct Master {
    edge: Arc<Edge>,
    connections: TaskTracker,
    /// Cancelled to stop accepting.
    accepting: CancellationToken,
    watcher: lock::Watcher,
    losses: mpsc::Receiver<String>,
    since: Instant,
}

impl Master {
    /// Binds the listeners, starts accepting, and says so.
    async fn ready(
        settings: Settings,
        recovered: Recovered,
        drop_sockets: CancellationToken,
        losing: Losing,
        losses: mpsc::Receiver<String>,
    ) -> Result<Master, Error> {
        let Recovered {
            engine,
            verifier,
            steps,
            since,
        } = recovered;
        let lock_settings = boot::lock_settings(&settings);
        let watcher = lock::watch(verifier, &lock_settings, move |lost| {
            losing.tell(lost.to_string())
        });
        let binding = Instant::now();
        let listeners = match boot::listen(&settings.listen).await {
            Ok(listeners) => listeners,
            Err(error) => {
                drop(watcher);
                engine.close();
                return Err(error);
            }
        };
        let edge = Edge::new(engine, EdgeSettings::of(&settings), drop_sockets);
        let master = Master {
            edge,
            connections: TaskTracker::new(),
            accepting: CancellationToken::new(),
            watcher,
            losses,
            since,
        };
        listeners
            .into_iter()
            .for_each(|listener| master.accept(listener));
        tracing::info!(
            event = "master.ready",
            epoch = steps.epoch,
            lock_ms = ms(steps.lock),
            index_ms = ms(steps.index),
            replay_ms = ms(steps.replay),
            seal_ms = ms(steps.seal),
            listen_ms = ms(binding.elapsed()),
            total_ms = ms(since.elapsed()),
            "master"
        );
        Ok(master)
    }

    fn accept(&self, listener: TcpListener) {
        let (edge, connections) = (Arc::clone(&self.edge), self.connections.clone());
        let refusals = Arc::clone(&edge.refused);
        let stop = self.accepting.clone();
        self.connections.spawn(listener::run(
            listener,
            stop,
            refusals,
            move |socket, remote| {
                connections.spawn(serve(Arc::clone(&edge), socket, remote));
            },
        ));
    }

    async fn serve(mut self: Box<Self>, wishes: &mut Wishes) -> Ended {
        tokio::select! {
            // Told at most once; the sender lives as long as the watcher.
            Some(cause) = self.losses.recv() => Ended::Demoted(self.demote(cause).await),
            Some(name) = wishes.recv() => {
                self.stop(name, wishes).await;
                Ended::Stopped
            }
        }
    }

    /// Mastership is gone: every socket goes at once, nothing is finished.
    async fn demote(self: Box<Self>, cause: String) -> Demoted {
        tracing::error!(event = "master.demoted", %cause, "no longer master");
        // What clients had under way is not finished either: the store is not
        // ours to write to.
        self.edge.engine.stop();
        self.accepting.cancel();
        self.edge.stop.cancel();
        self.connections.close();
        // The new image can only start once every thread is out of the kernel,
        // and until then the sockets would stay open.
        let late = after(limits::DROP_SOCKETS_DEADLINE);
        tokio::select! {
            () = self.connections.wait() => {}
            () = late.cancelled() => {}
        }
        Demoted {
            cause,
            since: self.since,
        }
    }

    /// A clean stop: serves on until there is little to replay; then the lock is
    /// free right after the last batch, before anything slow, so that a slave
    /// takes over while we still say goodbye.
    /// A second wish, or the deadline, ends it wherever it is.
    async fn stop(self: Box<Self>, name: &'static str, wishes: &mut Wishes) {
        shutdown_started(name);
        let began = Instant::now();
        let Master {
            edge,
            connections,
            accepting,
            watcher,
            ..
        } = *self;
        accepting.cancel();
        let engine = Arc::clone(&edge.engine);
        let close = move || {
            engine.shorten_replay();
            drop(watcher);
            engine.close();
        };
        let orderly = async {
            // What went wrong there was logged there.
            let _ = tokio::task::spawn_blocking(close).await;
            edge.stop.cancel();
            connections.close();
            connections.wait().await;
        };
        let late = after(limits::SHUTDOWN_DEADLINE);
        tokio::select! {
            () = orderly => {}
            () = late.cancelled() => tracing::warn!("the stop takes too long and ends here"),
            Some(signal) = wishes.recv() => tracing::warn!(signal, "asked again: the stop ends here"),
        }
        edge.stop.cancel();
        shutdown_finished(connections.len(), began, edge.engine.written());
    }
}

/// No longer anything; only a fresh image can be a slave again.
struct Demoted {
    cause: String,
    since: Instant,
}

impl Demoted {
    /// Whatever made us lose may still be there: others go first, and a broken
    /// disk must not become a spinning process. A wish to stop that came
    /// meanwhile would be forgotten with this image.
    async fn settle(self, wishes: &mut Wishes) -> Ended {
        let rest = if self.since.elapsed() < limits::SHORT_MASTERSHIP {
            limits::RESTART_PAUSE
        } else {
            Duration::ZERO
        };
        let rested = after(rest);
        tokio::select! {
            biased;
            Some(name) = wishes.recv() => {
                shutdown_started(name);
                shutdown_finished(0, Instant::now(), store::Written::default());
                Ended::Stopped
            }
            () = rested.cancelled() => Ended::Demoted(self),
        }
    }

    /// Replaces the process image. Returns only when that fails.
    fn restart(self) -> Error {
        let source = match std::env::current_exe() {
            Ok(program) => std::process::Command::new(program)
                .args(std::env::args_os().skip(1))
                .env(RESTARTED, "1")
                .exec(),
            Err(error) => error,
        };
        Error::Restart {
            cause: self.cause,
            source,
        }
    }
}

/// Cancelled after this time by a thread of its own: the runtime's timers stand
/// still when all of its threads hang in calls to a dead file server.
fn after(time: Duration) -> CancellationToken {
    let over = CancellationToken::new();
    let told = over.clone();
    let wait = move || {
        pause(time);
        told.cancel();
    };
    if std::thread::Builder::new().spawn(wait).is_err() {
        over.cancel();
    }
    over
}

#[expect(
    clippy::disallowed_methods,
    reason = "no runtime is there, or none that can be relied on, and nothing may cut this short"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn shutdown_started(signal: &str) {
    tracing::info!(event = "shutdown.started", signal, "stopping");
}

fn shutdown_finished(unfinished: usize, began: Instant, written: store::Written) {
    tracing::info!(
        event = "shutdown.finished",
        unfinished,
        messages = written.messages,
        batches = written.batches,
        bytes = written.bytes,
        ms = ms(began.elapsed()),
        "stopped"
    );
}

#[cfg(test)]
mod tests;
