//! The log: text for people, JSON for machines, on standard output.
//!
//! Each line that a monitor would match carries a stable `event` field; the
//! names stand in `EVENTS` and in the README's table. Credentials and payloads
//! are never logged: commands are not printed as a whole anywhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};
use crate::error::Error;

/// Every value of the `event` field.
pub const EVENTS: &[&str] = &[
    "slave.waiting",
    "lock.acquired",
    "recovery.started",
    "recovery.progress",
    "recovery.finished",
    "listener.bound",
    "master.ready",
    "master.demoted",
    "store.full",
    "store.room",
    "store.slow",
    "store.damaged",
    "connection.refused",
    "connection.failed",
    "shutdown.started",
    "shutdown.finished",
];

/// Starts logging for this process. Call once.
pub(crate) fn start(settings: &Settings) -> Result<(), Error> {
    // sled says at INFO and above what only its authors can use.
    let directives = format!("{},sled=error", settings.log_level);
    let filter = EnvFilter::try_new(directives).map_err(|error| Error::Configuration {
        place: "setting log_level".to_owned(),
        what: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stdout);
    let started = match settings.log_format {
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(std::io::stdout().is_terminal())
            .try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    started.map_err(|error| Error::System {
        what: "starting the log",
        source: std::io::Error::other(error),
    })
}

/// Lets a bounded number of similar lines through per period and counts the
/// rest, so that a flood of bad peers does not fill the log's disk.
pub(crate) struct Gate {
    state: Mutex<GateState>,
    lines: u32,
    period: Duration,
}

struct GateState {
    since: Instant,
    passed: u32,
    suppressed: u64,
}

impl Gate {
    /// At most `lines` per `period`.
    pub(crate) fn new(lines: u32, period: Duration) -> Gate {
        Gate {
            state: Mutex::new(GateState {
                since: Instant::now(),
                passed: 0,
                suppressed: 0,
            }),
            lines,
            period,
        }
    }

    /// Some(lines suppressed since the last one that passed), or None when this
    /// line is to be suppressed.
    pub(crate) fn pass(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.elapsed() >= self.period {
            state.since = Instant::now();
            state.passed = 0;
        }
        if state.passed >= self.lines {
            state.suppressed += 1;
            return None;
        }
        state.passed += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_counts_what_it_holds_back() {
        let gate = Gate::new(2, Duration::from_secs(3600));
        assert_eq!(gate.pass(), Some(0));
        assert_eq!(gate.pass(), Some(0));
        assert_eq!(gate.pass(), None);
        assert_eq!(gate.pass(), None);
        gate.state.lock().unwrap().since -= Duration::from_secs(3600);
        assert_eq!(gate.pass(), Some(2));
    }
}
