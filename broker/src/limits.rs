//! Every bound of the broker, with its reason. What an operator may want to
//! change is a setting (`config.rs`) whose default stands here.

use std::time::Duration;

// ---- edge: sockets and frames -------------------------------------------

/// Largest frame accepted and announced: what a stock ActiveMQ broker uses, and
/// 6.x clients derive their decompression limit from it.
pub(crate) const MAX_FRAME_BYTES: usize = 104_857_600;
/// No configuration allows more: a message is one unit of work of the store, which takes 256 MiB.
pub(crate) const LARGEST_FRAME_BYTES: u64 = 240 * 1024 * 1024;
/// Largest frame before ConnectionInfo: a WireFormatInfo has 400 bytes, a
/// ConnectionInfo little more, and nobody is known yet.
pub(crate) const MAX_EARLY_FRAME_BYTES: usize = 64 * 1024;
/// Connected clients served at once, unless configured.
pub(crate) const MAX_CONNECTIONS: usize = 1_000;
/// Sockets that have not sent ConnectionInfo: handshakes and the spare sockets
/// that failover clients keep (`backup=true`). Their own cap, so that silent
/// sockets cannot use up the places of clients.
pub(crate) const MAX_WAITING_SOCKETS: usize = 512;
/// Files that sockets leave to the rest of the process: 128 segments that are
/// read from, those being written, the index, the lock, log and runtime.
pub(crate) const OWN_FILES: usize = 256;
/// Files asked for where the system sets no limit.
pub(crate) const WANTED_FILES: u64 = 65_536;
/// A socket that has not said which format it speaks after this is dropped.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A refused client gets this long to read the exception before the socket closes.
pub(crate) const REFUSED_LINGER: Duration = Duration::from_secs(2);
/// Inactivity limit announced, the ActiveMQ default.
pub(crate) const MAX_INACTIVITY: Duration = Duration::from_secs(30);
/// Delay before the first inactivity check announced, the ActiveMQ default.
pub(crate) const INACTIVITY_INITIAL_DELAY: Duration = Duration::from_secs(10);
/// Pending connections of a listener: a failover storm of every client at once.
pub(crate) const LISTEN_BACKLOG: u32 = 1024;
/// How long a new master tries to bind a port that is still taken: a master
/// killed on this host gives its lock up before the last of its sockets.
pub(crate) const LISTEN_PATIENCE: Duration =
    Duration::from_millis(if cfg!(test) { 100 } else { 2_000 });
/// Pause between two tries.
pub(crate) const LISTEN_PAUSE: Duration = Duration::from_millis(5);
/// Accepting pauses this long when the process is out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// At most one `connection.refused` line per kind in this time.
pub(crate) const REFUSED_LOG_PERIOD: Duration = Duration::from_secs(1);
/// At most so many `connection.failed` lines in that time.
pub(crate) const FAILED_LOG_LINES: u32 = 20;
/// Bytes asked of the socket in one read.
pub(crate) const READ_BYTES: usize = 32 * 1024;
/// Frames above this are read into a buffer of their own, whose slices the
/// message keeps; smaller ones are copied out of the shared read buffer.
pub(crate) const OWN_BUFFER_BYTES: usize = 16 * 1024;
/// A frame's buffer grows with what has arrived, by at most this per step, so
/// that a size field alone cannot make the broker allocate 100 MiB.
pub(crate) const FRAME_GROWTH_BYTES: usize = 1024 * 1024;

// ---- outbox ---------------------------------------------------------------

/// An outbox above this takes no more deliveries: a client that does not read
/// costs this much, and its messages stay available to others.
pub(crate) const OUTBOX_BYTES: usize = 1024 * 1024;
/// An outbox above this stops the reading of its own socket: a client that
/// sends commands and never reads the answers.
pub(crate) const OUTBOX_STOP_READING_BYTES: usize = 8 * 1024 * 1024;
/// Encoded bytes gathered for one socket write.
pub(crate) const WRITE_CHUNK_BYTES: usize = 64 * 1024;
/// What one thread writes inline for others before the writer task goes on:
/// about what a socket buffer takes, so the committing thread is soon back.
pub(crate) const INLINE_FLUSH_BYTES: usize = 256 * 1024;
/// What the writer task writes before it lets other tasks run.
pub(crate) const WRITER_FLUSH_BYTES: usize = 1024 * 1024;
/// A larger encode buffer is given back after a big message.
pub(crate) const KEPT_BUFFER_BYTES: usize = 256 * 1024;

// ---- life -------------------------------------------------------------------

/// A demoted broker waits this long for its sockets to be closed.
pub(crate) const DROP_SOCKETS_DEADLINE: Duration = Duration::from_secs(1);
/// A mastership lost sooner than this is followed by a pause, so that a cause
/// that stays cannot make a spinning process.
pub(crate) const SHORT_MASTERSHIP: Duration = Duration::from_secs(10);
/// That pause; whoever waits for the lock takes it meanwhile.
pub(crate) const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A stop that takes longer than this ends anyway, saying what was not done.
pub(crate) const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// Before an orderly stop the master still serves for at most so long, while the successor's replay is made short.
pub(crate) const SHORTEN_REPLAY_TIME: Duration = Duration::from_millis(250);

// ---- engine -----------------------------------------------------------------

/// A limit that is small in tests, so that what happens at it happens in every one.
const fn shrunk(limit: usize, in_tests: usize) -> usize {
    if cfg!(test) { in_tests } else { limit }
}

/// Messages kept in memory unless configured: enough for 200,000 small ones, a
/// quarter of a small server.
pub(crate) const MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// Expired messages that nobody asks for are looked for this often, as ActiveMQ does.
pub(crate) const EXPIRY_PERIOD: Duration = Duration::from_secs(30);
/// A dispatch mark covers this many messages ahead: one small record per step,
/// and at most so many messages flagged redelivered in vain after a takeover.
pub(crate) const MARK_STEP: u64 = shrunk(1_000, 40) as u64;
/// The next mark is submitted when deliveries are this close to the last one,
/// so that it is durable before they get there.
pub(crate) const MARK_AHEAD: u64 = MARK_STEP / 2;
/// Messages of one queue that wait in memory for consumers that are there; the
/// rest waits in the store. Covers a few default prefetches of usual messages.
pub(crate) const READY_BYTES: usize = shrunk(16 * 1024 * 1024, 128 * 1024);
/// The same without consumers, as long as less than half of the memory is
/// used; and what a queue with consumers reads ahead from the store.
pub(crate) const READY_FLOOR_BYTES: usize = shrunk(1024 * 1024, 16 * 1024);
/// Messages read from the store at once: one prefetch of small ones comes in
/// two reads, and the first is delivered while the second is read.
pub(crate) const PAGE_MESSAGES: usize = shrunk(500, 7);
/// Bytes read from the store at once.
pub(crate) const PAGE_BYTES: usize = 1024 * 1024;
/// A page that could not be read is tried again after this.
pub(crate) const PAGE_RETRY: Duration = Duration::from_secs(1);
/// One connection may have this much sent and neither durable nor placed;
/// then its socket is read no further.
pub(crate) const PEER_IN_FLIGHT_BYTES: usize = 4 * 1024 * 1024;
/// All connections together, so that a thousand of them cannot have 4 GiB.
pub(crate) const IN_FLIGHT_BYTES: usize = 128 * 1024 * 1024;
/// Of which each may have this much in any case, so that nobody starves.
pub(crate) const PEER_SHARE_BYTES: usize = 64 * 1024;
/// Sends and acknowledgements gathered before they take effect, if the burst
/// of commands is that long: bounds how long the first of them waits.
pub(crate) const BURST_COMMANDS: usize = shrunk(256, 8);
/// Bytes of sends gathered before they take effect.
pub(crate) const BURST_BYTES: usize = 256 * 1024;
/// A transaction whose messages exceed this spills them into the journal.
pub(crate) const TRANSACTION_MEMORY: usize = shrunk(8 * 1024 * 1024, 64 * 1024);
/// The same when the broker's memory is full.
pub(crate) const TRANSACTION_FLOOR: usize = shrunk(256 * 1024, 16 * 1024);
/// Messages of all open transactions of one connection: their ids stay in memory until the commit.
pub(crate) const TRANSACTION_MESSAGES: usize = 1_000_000;
/// Memory of all open transactions of one connection: a few large ones, or the ids of the messages above.
pub(crate) const PEER_STAGED_BYTES: usize = shrunk(48 * 1024 * 1024, 160 * 1024);
/// Of which each connection has this much in any case, so that nobody starves.
pub(crate) const PEER_STAGED_SHARE_BYTES: usize = shrunk(64 * 1024, 4 * 1024);
/// One part in so many of the broker's memory is for the open transactions of all connections.
pub(crate) const STAGED_PART: usize = 2;
/// Open transactions of one connection.
pub(crate) const TRANSACTIONS: usize = 1_000;
/// Queues and temporary queues of a broker: each costs some kilobytes.
pub(crate) const QUEUES: usize = 100_000;
/// Sessions, producers and consumers of one connection, each.
pub(crate) const PEER_CHILDREN: usize = 10_000;
/// Length of a destination name in bytes.
pub(crate) const NAME_BYTES: usize = 4_096;
/// Destinations whose queue a connection keeps at hand.
pub(crate) const KNOWN_QUEUES: usize = 256;
/// Outboxes that the committing thread writes itself; the rest of a batch's
/// are left to their own tasks, so that many connections use many cores.
pub(crate) const INLINE_FLUSHES: usize = 2;
/// A batch of at most so many changes is a small one: its answers and its
/// deliveries, one each, are all written by the committing thread: waking a task
/// costs more than a write.
pub(crate) const SMALL_BATCH: usize = 8;
/// Not more, though one change may reach any number of subscribers.
pub(crate) const SMALL_BATCH_FLUSHES: usize = 2 * SMALL_BATCH;
/// A stale acknowledgement is looked for among so many waiting messages.
pub(crate) const STALE_ACK_SEARCH: usize = 2_000;
/// Stale acknowledgements that wait for a page of their queue: those of a few
/// consumers that fail over at once.
pub(crate) const STALE_ACKS: usize = 1_000;
/// Fixed memory of a message beside its body and properties: the structure, its places in the queue and in the
/// allocator. Estimated from a broker full of messages of 16 bytes.
pub(crate) const MESSAGE_OVERHEAD: usize = 896;
/// Messages a browser is shown in one step.
pub(crate) const BROWSE_MESSAGES: usize = shrunk(200, 9);

/// Message ids that `holdfast receive` remembers to notice repeats: some 100 MB at most, and far more than a queue
/// hands out again after a takeover.
pub(crate) const MAX_REMEMBERED_IDS: usize = 500_000;
