//! The promises of Holdfast, kept by real processes: one file per promise, all in one test binary.
//!
//! `support` has the brokers, the load, the history and its checker. A promise that no test here tries to break is not
//! a promise.

mod checker;
mod support;
mod takeover;
mod tidy;
