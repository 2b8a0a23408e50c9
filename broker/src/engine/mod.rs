//! What a master does with messages, below any protocol.
//!
//! One message's way: [`Peer::send`](crate::Peer::send) stages it in the
//! connection's burst; the burst gives it a place in its queue and submits a
//! `store::Work`; the `committer` hears that it is durable, puts it into the
//! queue and dispatches; the delivery lands in a consumer's `Outbox`; the
//! consumer's [`Peer::ack`](crate::Peer::ack) takes it out and submits the removal.
//!
//! `master` owns the store and everything shared; `connections` knows who is
//! connected and lets a reconnecting client take over from its own dead
//! socket; `hello` is what a client says of itself, and `guard` what follows from it
//! for duplicates; `settings` and `figures` are what goes in and what can be seen from outside.

mod connections;
mod figures;
mod guard;
mod hello;
mod master;
mod settings;
mod settle;

#[cfg(test)]
mod tests;

pub use figures::{EngineUsage, QueueFigures};
pub(crate) use guard::Guard;
pub use hello::Hello;
pub use master::Engine;
pub(crate) use master::missing;
pub use settings::{Clock, EngineSettings};
