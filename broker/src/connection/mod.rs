//! One socket, from accept to its one log line.
//!
//! `edge` is what all sockets of a master share, `serve` the life of one,
//! `end` every way it can end. What the bytes mean is the protocol's.

mod edge;
mod end;
mod serve;

pub(crate) use edge::{Edge, EdgeSettings};
pub(crate) use end::End;
pub(crate) use serve::serve;
