//! OpenWire on a socket.
//!
//! `serve` is the life of a connection: `handshake` agrees on the format,
//! `frames` cuts the stream, `session` turns commands into calls on the
//! engine's `Peer`, `format` turns answers and deliveries into frames, and
//! `inactivity` keeps both sides sure of each other. The layouts are the wire
//! crate's; what commands do is the engine's.

mod consuming;
mod format;
mod frames;
mod handshake;
mod inactivity;
mod serve;
mod session;
#[cfg(test)]
mod tests;
mod transacting;

pub(crate) use serve::serve;
