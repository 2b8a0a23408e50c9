//! The output of one broker process: JSON log lines, and plain lines that ended a start.
//!
//! Two threads (standard output, standard error) append; waiting is on a condition variable.

use super::wait::DEADLINE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One line, parsed when it is JSON.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) raw: String,
    fields: Value,
}

impl LogLine {
    fn new(raw: String) -> Self {
        let parsed: Value = serde_json::from_str(&raw).unwrap_or(Value::Null);
        // The fields stand at the top or under `fields`, as the formatter likes.
        let fields = match parsed.get("fields") {
            Some(inner) => inner.clone(),
            None => parsed,
        };
        Self { raw, fields }
    }

    /// The `event` field, when the line has one.
    pub(crate) fn event(&self) -> Option<&str> {
        self.fields.get("event").and_then(Value::as_str)
    }

    /// Whether it is a log line at all.
    pub(crate) fn is_json(&self) -> bool {
        self.fields.is_object()
    }

    /// A number among the fields; panics with the line when it is missing.
    pub(crate) fn number(&self, field: &str) -> u64 {
        let value = self.fields.get(field).unwrap_or(&Value::Null);
        let number = value
            .as_u64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.unwrap_or_else(|| panic!("no number `{field}` in {}", self.raw))
    }

    /// A text among the fields; panics with the line when it is missing.
    pub(crate) fn text(&self, field: &str) -> String {
        let value = self.fields.get(field).and_then(Value::as_str);
        value
            .unwrap_or_else(|| panic!("no text `{field}` in {}", self.raw))
            .to_owned()
    }
}

#[derive(Default)]
struct Lines {
    lines: Vec<LogLine>,
    open_streams: usize,
}

/// All lines of a process so far.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Lines>,
    grown: Condvar,
}

impl Log {
    /// Reads `stream` to its end on a thread of its own.
    pub(crate) fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        log.lock().open_streams += 1;
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                log.lock().lines.push(LogLine::new(line));
                log.grown.notify_all();
            }
            log.lock().open_streams -= 1;
            log.grown.notify_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of lines so far: a mark for `wait_for`.
    pub(crate) fn mark(&self) -> usize {
        self.lock().lines.len()
    }

    /// Everything so far.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.lock().lines.clone()
    }

    /// The first line with this event at or after `mark`, if it is there.
    pub(crate) fn find(&self, event: &str, mark: usize) -> Option<LogLine> {
        find(&self.lock().lines, event, mark)
    }

    /// Waits for an event at or after `mark`; panics with the whole log when it does not come.
    pub(crate) fn wait_for(&self, event: &str, mark: usize) -> LogLine {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = self.lock();
        loop {
            if let Some(line) = find(&lines.lines, event, mark) {
                return line;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let given_up = left.is_zero() || lines.open_streams == 0;
            assert!(
                !given_up,
                "no `{event}` in the log:\n{}",
                text(&lines.lines)
            );
            lines = self
                .grown
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until both streams have ended, so that nothing is missing.
    pub(crate) fn wait_for_end(&self) {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = self.lock();
        while lines.open_streams > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "output still open:\n{}",
                text(&lines.lines)
            );
            lines = self
                .grown
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The whole log as text, for panics.
    pub(crate) fn text(&self) -> String {
        text(&self.lock().lines)
    }
}

fn find(lines: &[LogLine], event: &str, mark: usize) -> Option<LogLine> {
    lines
        .iter()
        .skip(mark)
        .find(|line| line.event() == Some(event))
        .cloned()
}

fn text(lines: &[LogLine]) -> String {
    let raw: Vec<&str> = lines.iter().map(|line| line.raw.as_str()).collect();
    raw.join("\n")
}
