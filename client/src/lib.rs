//! An asynchronous client for OpenWire brokers, and the parts that a failover client is made of.
//!
//! The story: a [`BrokerUri`] says where; [`Connection::connect`] makes the socket, negotiates and introduces itself
//! with the [`ConnectOptions`]; [`Connection::session`] opens a [`Session`] of one [`AckMode`]; it makes a [`Producer`]
//! ([`Producer::send`] returns once the broker has the message on disk) and a [`Consumer`] ([`Consumer::receive`],
//! [`Consumer::acknowledge`]); [`Session::commit`] ends a transaction. Below them, `exchange` matches answers to
//! requests and deliveries to consumers (a `mailbox` each), and `link` owns the socket. [`Reconnect`] tries several
//! addresses in turn, and [`Resender`] sends through it so that each message is stored once, however often the master
//! dies.
//!
//! What must be fast is done once a burst rather than once a message: commands that nobody waits for share a write, all
//! commands of one read are handed over before a consumer is woken, and [`AckMode::DupsOk`] acknowledges ranges.
//! [`Producer::send_pipelined`] and [`Consumer::take_at_hand`] are the ways in.
//!
//! Guarantees: one socket per connection, two tasks, all mailboxes bounded; whatever a broker sends costs at most its
//! own connection; dropping a connection ends its tasks.
//!
//! Deliberately not here yet: `failover:` and `discovery:` addresses, topics, XA, message listeners, TLS.

mod connection;
mod consumer;
mod delivery;
mod error;
mod exchange;
mod frames;
mod handshake;
mod identity;
mod ledger;
mod limits;
mod link;
mod mailbox;
mod message;
mod options;
mod producer;
mod pulse;
mod receipt;
mod reconnect;
mod requests;
mod resender;
mod session;
mod unit;
mod uri;

#[cfg(test)]
mod fake_broker;
#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use consumer::Consumer;
pub use delivery::Delivery;
pub use error::{Action, Error};
pub use identity::Identity;
pub use limits::DEFAULT_PREFETCH;
pub use message::{Body, Message, Value};
pub use options::ConnectOptions;
pub use producer::Producer;
pub use receipt::Receipt;
pub use reconnect::Reconnect;
pub use resender::{Attempt, Resender, Sent};
pub use session::{AckMode, Session};
pub use uri::BrokerUri;
