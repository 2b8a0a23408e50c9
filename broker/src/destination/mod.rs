//! Queues: where messages wait for consumers.
//!
//! [`Queue`] is one lock around [`QueueState`], whose parts have a file each:
//! `arrival` (a message comes in), `cursor` and `paging` (what is in memory
//! and what in the store), `mark` (how far deliveries can have gone),
//! `subscription` and `dispatch` (who gets what), `acking` (what a consumer
//! says about it), `returning` (it comes back), `pull` and `browse` (the two
//! unusual ways to read), `expiry`. `name` says what may be a destination,
//! `registry` finds it.
//!
//! Under a queue's lock nothing waits and no other lock is taken but an
//! outbox's; what follows elsewhere is written into `Effects`.

mod acking;
mod arrival;
mod browse;
mod cursor;
mod dispatch;
mod entry;
mod expiry;
mod mark;
mod name;
mod paging;
mod pull;
mod queue;
mod ranges;
mod registry;
mod returning;
mod subscription;

pub(crate) use acking::Acked;
pub(crate) use browse::{Shown, Step};
pub(crate) use entry::Entry;
pub(crate) use name::{advisory_topics, check_queue, check_temporary};
pub(crate) use queue::{Queue, QueueState};
pub(crate) use ranges::Ranges;
pub(crate) use registry::Registry;
pub(crate) use returning::UNKNOWN;
pub(crate) use subscription::{Pending, Subscription, SubscriptionId};
