//! Every bound of the client, with its reason. What a user may choose (prefetch, timeouts) is an option elsewhere; here
//! are defaults and the fixed bounds.

use std::time::Duration;

/// Port of a URI that names none: what ActiveMQ brokers listen on.
pub(crate) const DEFAULT_PORT: u16 = 61_616;

/// Time for a TCP connection to stand. On a local network it takes a millisecond; more than a few seconds means that
/// the host is gone, and the next one should be tried.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the peer to introduce itself and to accept the connection, as in the Java client.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a closing connection waits for the broker's word, as in the Java client.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Silence after which a connection is given up; the broker may ask for less.
pub(crate) const INACTIVITY: Duration = Duration::from_secs(30);

/// Encoded bytes that may wait for the socket before senders wait: a thousand small messages. More would only add to the
/// time that a message waits, and fall out of the processor's cache.
pub(crate) const MAX_UNWRITTEN_BYTES: usize = 256 << 10;

/// Encoded bytes that are written at once by whoever added the last of them, rather than left to the writer task: one
/// system call for some two hundred small messages costs next to nothing for each.
pub(crate) const WRITE_BYTES: usize = 64 << 10;

/// An empty buffer larger than this is given back: one large message should not be paid for ever after.
pub(crate) const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// Requests that may be without an answer at a time. Bounds the table of waiting requests; a pipelined sender gains
/// nothing from more.
pub(crate) const MAX_UNANSWERED: usize = 8_192;

/// Bytes that are read from the socket at a time.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// Messages that the broker may send ahead, as in the Java client for queues.
pub const DEFAULT_PREFETCH: u16 = 1_000;

/// Deliveries beyond the prefetch that a mailbox takes before the broker is in breach: room for brokers that count
/// acknowledged messages a little later than we do.
pub(crate) const MAILBOX_SLACK: usize = 64;

/// Refusals of requests that nobody waits for, kept for the application to ask; older ones are dropped.
pub(crate) const MAX_KEPT_REFUSALS: usize = 64;

/// First pause of a reconnecting loop after every address failed; it doubles.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Longest pause of a reconnecting loop. A takeover takes milliseconds, and a refused connection costs nobody much.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Extra time for a null answer to a pull whose own time has passed, before the broker is taken for stuck.
pub(crate) const PULL_GRACE: Duration = Duration::from_secs(10);

/// Frames at least this large keep the buffer that they were read into; smaller ones are copied out of it, since a
/// message may be kept for long and its burst should not.
pub(crate) const OWN_BUFFER_BYTES: usize = 16 << 10;
