//! OpenWire over real loopback sockets, with the wire crate as the client.

mod handshake;
mod hostile;
mod replay;
mod support;
