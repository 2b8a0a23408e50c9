//! What the promises' files share: real brokers, load, histories and their checker.
//!
//! A broker here is the real program in a process of its own, always reaped. Everything waits on a condition with a
//! deadline (`wait`); nothing sleeps. The judging lives in `checker`, which knows no broker.

pub(crate) mod body;
pub(crate) mod broker_process;
pub(crate) mod checker;
pub(crate) mod clients;
pub(crate) mod cluster;
pub(crate) mod facts;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod port;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod source;
pub(crate) mod wait;
