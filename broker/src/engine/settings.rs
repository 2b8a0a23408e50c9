//! What an operator may set about the engine, and the clock it goes by.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits;

/// Settings of an engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Name of the broker, as clients and advisories see it.
    pub broker_name: String,
    /// Where clients reach it, for advisories only.
    pub broker_url: String,
    /// Bytes of messages kept in memory: beyond, persistent ones stay in the
    /// store and senders of non-persistent ones wait.
    pub memory_limit: usize,
    /// How often queues are searched for expired messages that nobody asks for.
    pub expiry_period: Duration,
    /// Whether the processors are kept from sleeping while the store is busy.
    pub keep_awake: bool,
    /// The store's own settings.
    pub store: store::Settings,
    /// The wall clock that timestamps and expirations are compared with.
    pub clock: Clock,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            broker_name: "localhost".to_owned(),
            broker_url: String::new(),
            memory_limit: limits::MEMORY_BYTES,
            expiry_period: limits::EXPIRY_PERIOD,
            keep_awake: false,
            store: store::Settings::default(),
            clock: Clock::default(),
        }
    }
}

/// Milliseconds since 1970, from the system or from a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> i64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new(|| {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
