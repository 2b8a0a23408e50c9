//! What a long command says while it works: a line a second on standard error, and one whenever the broker changed.
//!
//! On a terminal the line is rewritten in place. Nothing here decides anything, so failures to print are ignored.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines.
const PERIOD: Duration = Duration::from_secs(1);

/// Prints progress for one command.
pub(super) struct Progress {
    started: Instant,
    last_line: Instant,
    last_count: u64,
    in_place: bool,
    connections: u64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            last_line: now,
            last_count: 0,
            in_place: std::io::stderr().is_terminal(),
            connections: 0,
        }
    }

    /// Says where we are connected when that is news.
    pub(super) fn connected(&mut self, connections: u64, uri: &str) {
        if connections == self.connections {
            return;
        }
        let word = if self.connections == 0 {
            "connected"
        } else {
            "reconnected"
        };
        self.connections = connections;
        self.line(&format!("{word} to {uri}"));
    }

    /// Says how far we are, when it is time.
    pub(super) fn tick(&mut self, count: u64, text: impl FnOnce() -> String) {
        let since = self.last_line.elapsed();
        if since < PERIOD {
            return;
        }
        let rate = (count - self.last_count) as f64 / since.as_secs_f64();
        (self.last_line, self.last_count) = (Instant::now(), count);
        let text = format!("{} ({rate:.0}/s)", text());
        if self.in_place {
            // Back to the line's start, and blanks over what was longer.
            let _ = write!(std::io::stderr(), "\r{text:<70}");
        } else {
            self.line(&text);
        }
    }

    /// The end: from here on standard output and error may be used again.
    pub(super) fn finish(&mut self, count: u64) -> String {
        if self.in_place {
            let _ = write!(std::io::stderr(), "\r{:<70}\r", "");
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        };
        format!(
            "connections={} seconds={seconds:.3} rate={rate:.0}",
            self.connections
        )
    }

    fn line(&self, text: &str) {
        let start = if self.in_place { "\r" } else { "" };
        let _ = writeln!(std::io::stderr(), "{start}{text}");
    }
}
