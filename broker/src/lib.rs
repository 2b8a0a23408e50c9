//! The Holdfast broker: one process of a master/slave set on shared storage.
//!
//! A message's way through, by name: `listener` accepts, `connection` reads
//! frames in bursts, `protocol::openwire` decodes them into calls on a `Peer`
//! of the `engine`, which submits a `store::Work`; the store's committing
//! thread hands durable work to the `committer`, the only gate for answers,
//! which moves queue state on and pushes answers and deliveries into each
//! connection's `Outbox`, written on the spot.
//!
//! `role` is the life of the process: slave, master, demoted. `boot` does the
//! steps of a takeover in their order. `config` is every setting, `cli` the
//! command line.

mod admission;
mod advisory;
mod boot;
mod chores;
mod cli;
mod committer;
mod config;
mod connection;
mod dead_letter;
mod descriptors;
mod destination;
mod directory;
mod effects;
mod engine;
mod error;
mod flow;
mod huge_pages;
pub(crate) mod limits;
mod listener;
mod loader;
mod logs;
mod message;
mod outbox;
mod outgoing;
mod peer;
mod processors;
mod protocol;
mod role;
mod touched;
mod transaction;

pub use cli::{Arguments, main};
pub use config::{KEYS, KeepAwake, ListenUri, LockMode, LogFormat, Settings, Sources, load};
pub use engine::{Clock, Engine, EngineSettings, EngineUsage, Hello, QueueFigures};
pub use error::{Action, Error};
pub use logs::EVENTS;
pub use outbox::{Format, Outbox};
pub use outgoing::{Delivery, Outgoing, Refusal, Reply};
pub use peer::{Ack, AckKind, Admission, Cause, ConsumerSpec, Peer};
