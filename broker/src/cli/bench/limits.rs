//! The bounds of a run, with their reasons.

use std::time::Duration;

/// Threads when nobody asks for a number: more generators than that would measure themselves.
pub(super) const MOST_THREADS: usize = 4;

/// Producers: what a body has room to name.
pub(super) const MOST_PRODUCERS: usize = 1 << 16;

/// Connections and queues of one run: more than a machine has ports for.
pub(super) const MOST_OF_ANYTHING: usize = 1 << 16;

/// Warm-up of a run that ends by time.
pub(super) const DEFAULT_WARMUP: Duration = Duration::from_secs(2);

/// Length of a run that ends by time.
pub(super) const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// Sends in a row before other tasks of the thread get their turn, when nothing else makes a producer wait.
pub(super) const TURN: u64 = 64;

/// Bodies are cut from buffers of at least this size: small, so that those of many producers stay in the processor's cache.
pub(super) const BODY_BUFFER: usize = 4 << 10;

/// Longer latencies are recorded as this.
pub(super) const LONGEST_LATENCY: Duration = Duration::from_secs(600);

/// Seconds of a series that are kept; what comes later counts in the totals only.
pub(super) const MOST_SECONDS: usize = 3_600;

/// Numbers of one producer and queue that a judge remembers, 2 GiB of memory if it came to that; a body that claims more
/// is foreign.
pub(super) const MOST_SEQUENCES: u64 = 1 << 34;

/// Producers that a drain tells apart; bodies of others are foreign.
pub(super) const MOST_STREAMS: usize = 1 << 16;
