//! The engine on a real store in a temporary directory, with clients whose
//! outboxes record what would be written. No sockets.

mod acks;
mod backlog;
mod client;
mod dead_letters;
mod duplicates;
mod harness;
mod model;
mod queues;
mod reading;
mod takeover;
mod temporary;
mod transactions;
