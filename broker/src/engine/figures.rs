//! Numbers for people and monitors; nothing decides by them.

/// What the engine uses.
#[derive(Debug, Clone, Copy)]
pub struct EngineUsage {
    /// The store's use of space and disk.
    pub store: store::Usage,
    /// Bytes of messages in memory.
    pub memory_bytes: usize,
    /// The limit for it.
    pub memory_limit: usize,
    /// Bytes sent by clients and not yet durable or placed.
    pub in_flight_bytes: usize,
    /// Connected clients.
    pub connections: usize,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFigures {
    /// Its name.
    pub name: String,
    /// Whether it is a temporary queue.
    pub temporary: bool,
    /// Messages in it, those that consumers hold included.
    pub messages: u64,
    /// Messages that consumers hold and have not acknowledged.
    pub in_flight: u64,
    /// Consumers, browsers not counted.
    pub consumers: usize,
    /// Messages that came in since this master started.
    pub enqueued: u64,
    /// Messages acknowledged since then.
    pub dequeued: u64,
}
