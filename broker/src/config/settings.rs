//! The settings of a broker: every key, documented once, at its field.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::listen_uri::ListenUri;
use super::value;
use crate::error::Error;
use crate::{boot, limits};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How a slave waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Block on local file systems, poll on network ones.
    Auto,
    /// Block in the system call whatever the file system.
    Block,
    /// Poll whatever the file system.
    Poll,
}

/// Whether processors may sleep while messages come quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAwake {
    /// Not while messages follow each other within two milliseconds, where
    /// the system lets us say so.
    Auto,
    /// As the system likes.
    Never,
}

const LOG_FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
const LOCK_MODES: &[(&str, LockMode)] = &[
    ("auto", LockMode::Auto),
    ("block", LockMode::Block),
    ("poll", LockMode::Poll),
];
const KEEP_AWAKE: &[(&str, KeepAwake)] = &[("auto", KeepAwake::Auto), ("never", KeepAwake::Never)];

/// Every key that a flag (`--max-connections`), a variable
/// (`HOLDFAST_MAX_CONNECTIONS`) or the file (`max_connections`) may set.
pub const KEYS: &[&str] = &[
    "name",
    "data",
    "listen",
    "advertise",
    "log_format",
    "log_level",
    "max_connections",
    "max_frame",
    "max_inactivity",
    "memory_limit",
    "store_limit",
    "lock_mode",
    "lock_poll",
    "segment_size",
    "checkpoint_size",
    "keep_awake",
    "sync_delay",
    "recovery_progress",
];

/// What one broker process was told. Valid once `check` has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `name`: the broker's name in its log, in BrokerInfo and in the lock
    /// file. Default: the host name.
    pub name: String,
    /// `data`: the directory that all brokers of a set share; made if missing,
    /// its parent must exist. Default: `./holdfast-data`.
    pub data: PathBuf,
    /// `listen`: where the master listens (`tcp://host:port`), comma-separated
    /// or a list. Default: `tcp://127.0.0.1:61616`.
    pub listen: Vec<ListenUri>,
    /// `advertise`: the URIs written into the lock file for people and tools,
    /// where they differ from `listen`. Default: the listeners.
    pub advertise: Vec<String>,
    /// `log_format`: `text` or `json`. Default: `text`.
    pub log_format: LogFormat,
    /// `log_level`: `error`, `warn`, `info`, `debug`, `trace`, or a filter in
    /// the syntax of tracing (`info,broker=debug`). Default: `info`.
    pub log_level: String,
    /// `max_connections`: clients served at once; more are refused with
    /// `connection.refused`. Default: 1000.
    pub max_connections: usize,
    /// `max_frame`: largest frame, so roughly the largest message, taken from
    /// a client. Default: 100 MiB.
    pub max_frame: u64,
    /// `max_inactivity`: a client silent for this long is dropped (clients
    /// may ask for less); `0` switches the check off. Default: 30 s.
    pub max_inactivity: Duration,
    /// `memory_limit`: message bodies held in memory. Beyond it persistent
    /// messages stay on disk and producers of other messages wait.
    /// Default: 256 MiB.
    pub memory_limit: u64,
    /// `store_limit`: bytes the journal may take on disk; at the limit
    /// producers wait (`store.full`). Default: what the disk has.
    pub store_limit: Option<u64>,
    /// `lock_mode`: `auto`, `block` or `poll`. Default: `auto`, by file system.
    pub lock_mode: LockMode,
    /// `lock_poll`: time between two tries of a polling slave. Default: 250 ms.
    pub lock_poll: Duration,
    /// `segment_size`: size of a journal file. Default: 32 MiB.
    pub segment_size: Option<u64>,
    /// `checkpoint_size`: journal bytes between two checkpoints, which bounds
    /// what a takeover replays. Default: 16 MiB.
    pub checkpoint_size: Option<u64>,
    /// `keep_awake`: `auto` or `never`. With `auto` the processors do not sleep
    /// while messages that somebody waits for follow each other within two
    /// milliseconds; needs write access to `/dev/cpu_dma_latency` and costs
    /// power. Default: `auto`.
    pub keep_awake: KeepAwake,
    /// `sync_delay`: waits after each sync, to see how a slower disk behaves.
    /// For tests and measurements. Default: 0.
    pub sync_delay: Duration,
    /// `recovery_progress`: how often a long recovery says how far it is
    /// (`recovery.progress`); `0` says it after every batch. Default: 1 s.
    pub recovery_progress: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: host_name(),
            data: PathBuf::from("./holdfast-data"),
            listen: vec![ListenUri {
                host: "127.0.0.1".to_owned(),
                port: 61616,
            }],
            advertise: Vec::new(),
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            max_connections: limits::MAX_CONNECTIONS,
            max_frame: limits::MAX_FRAME_BYTES as u64,
            max_inactivity: limits::MAX_INACTIVITY,
            memory_limit: 256 * 1024 * 1024,
            store_limit: None,
            lock_mode: LockMode::Auto,
            lock_poll: Duration::from_millis(250),
            segment_size: None,
            checkpoint_size: None,
            keep_awake: KeepAwake::Auto,
            sync_delay: Duration::ZERO,
            recovery_progress: store::Settings::default().progress_interval,
        }
    }
}

impl Settings {
    /// Sets one key from its text; the error says what is wrong with the value
    /// or names the known key nearest to an unknown one.
    pub(super) fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        match key {
            "name" => self.name = value::text(text)?,
            "data" => self.data = PathBuf::from(value::text(text)?),
            "listen" => self.listen = list(text, ListenUri::from_str)?,
            "advertise" => self.advertise = list(text, value::text)?,
            "log_format" => self.log_format = value::choice(text, LOG_FORMATS)?,
            "log_level" => self.log_level = value::text(text)?,
            "max_connections" => self.max_connections = value::number(text)?,
            "max_frame" => self.max_frame = value::bytes(text)?,
            "max_inactivity" => self.max_inactivity = value::duration(text)?,
            "memory_limit" => self.memory_limit = value::bytes(text)?,
            "store_limit" => self.store_limit = Some(value::bytes(text)?),
            "lock_mode" => self.lock_mode = value::choice(text, LOCK_MODES)?,
            "lock_poll" => self.lock_poll = value::duration(text)?,
            "segment_size" => self.segment_size = Some(value::bytes(text)?),
            "checkpoint_size" => self.checkpoint_size = Some(value::bytes(text)?),
            "keep_awake" => self.keep_awake = value::choice(text, KEEP_AWAKE)?,
            "sync_delay" => self.sync_delay = value::duration(text)?,
            "recovery_progress" => self.recovery_progress = value::duration(text)?,
            unknown => return Err(unknown_key(unknown)),
        }
        Ok(())
    }

    /// Checks what no single value can tell, before anything is touched.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |key: &str, what: String| {
            Err(Error::Configuration {
                place: format!("setting {key}"),
                what,
            })
        };
        if self.listen.is_empty() {
            return wrong("listen", "at least one listener is needed".to_owned());
        }
        if self.max_connections == 0 {
            return wrong("max_connections", "must be at least 1".to_owned());
        }
        if !(1024 * 1024..=limits::LARGEST_FRAME_BYTES).contains(&self.max_frame) {
            return wrong("max_frame", "must be between 1 MiB and 240 MiB".to_owned());
        }
        if self.memory_limit < 1024 * 1024 {
            return wrong("memory_limit", "must be at least 1 MiB".to_owned());
        }
        if self.lock_poll < Duration::from_millis(10) {
            return wrong("lock_poll", "must be at least 10ms".to_owned());
        }
        if !self.max_inactivity.is_zero() && self.max_inactivity < Duration::from_millis(100) {
            return wrong("max_inactivity", "must be 0 or at least 100ms".to_owned());
        }
        boot::lock_settings(self).check()?;
        boot::store_settings(self).check()?;
        Ok(())
    }

    /// The URIs that the lock file names.
    pub(crate) fn advertised(&self) -> Vec<String> {
        if self.advertise.is_empty() {
            return self.listen.iter().map(ListenUri::to_string).collect();
        }
        self.advertise.clone()
    }
}

/// The known key nearest to `key`, when one is near enough to be meant.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let scored = KEYS
        .iter()
        .map(|known| (strsim::jaro_winkler(known, key), *known));
    scored
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn unknown_key(key: &str) -> String {
    match nearest(key) {
        Some(known) => format!("unknown key '{key}'; did you mean '{known}'?"),
        None => format!("unknown key '{key}'; known are {}", KEYS.join(", ")),
    }
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(parse).collect()
}

fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}
