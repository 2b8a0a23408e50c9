//! The promises of Holdfast, kept by real processes: one file per promise, all in one test binary.
//!
//! `support` has the brokers, the load, the history and its checker. A promise that no test here tries to break is not
//! a promise.

mod bad_input;
mod bench;
mod checker;
mod clean_stop;
mod command_line;
mod events;
mod full_store;
mod processors;
mod recovery;
mod redelivery;
mod support;
mod surroundings;
mod takeover;
mod tidy;
mod zombie;
