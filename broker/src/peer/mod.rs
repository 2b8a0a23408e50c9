//! One connected client, as the engine sees it: the commands of its
//! connection, executed in order.
//!
//! [`Peer`] is the handle that the connection's read task owns; what it stands
//! for lives in a [`Cell`], because a client that reconnects takes its own old
//! state apart from another thread. `state` is what a client has; `burst`
//! gathers the sends and acknowledgements of one read so that a queue is
//! locked once for many of them; `sending`, `acking`, `consuming`,
//! `transacting`, `temporary` and `closing` are the commands.

mod ack;
mod acking;
mod burst;
mod cell;
mod closing;
mod consumer_spec;
mod consuming;
mod handle;
mod scratch;
mod sending;
mod state;
mod temporary;
mod transacting;

pub use ack::{Ack, AckKind};
pub(crate) use cell::Cell;
pub use consumer_spec::ConsumerSpec;
pub use handle::{Admission, Cause, Peer};
