//! The client against a fake broker: what it writes, what it makes of answers, and what bad peers cost it.

mod bad_peers;
mod connecting;
mod receiving;
mod reconnecting;
mod sending;
mod transactions;
