//! One connected client, as the engine sees it: the commands of its
//! connection, executed in order.
//!
//! [`Peer`] is the handle that the connection's read task owns; what it stands
//! for lives in a `cell`, because a client that reconnects takes its own old
//! state apart from another thread. `burst` gathers the sends and
//! acknowledgements of one read so that a queue is locked once for many of
//! them; `sending`, `acking`, `consuming`, `transacting`, `temporary` and
//! `closing` are the commands.

mod ack;
mod consumer_spec;
mod peer;

pub use ack::{Ack, AckKind};
pub use consumer_spec::ConsumerSpec;
pub use peer::{Admission, Cause, Peer};
