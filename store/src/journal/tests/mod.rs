//! Tests of the journal as a whole, on the simulated file system unless they say otherwise.

mod crash;
mod damage;
mod fence;
mod real;
mod support;
mod write;
