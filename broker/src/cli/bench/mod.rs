//! `holdfast bench`: load for a broker, measured and judged.
//!
//! The story: `arguments` become a `plan`; the `conductor` starts a thread per `lane`, each with its share of producers
//! and consumers on a runtime of its own, opens the gate of the `stage` when all are connected, and says how far they
//! are; a `producer` sends bodies that say who they are (`body`), when the `pace` says so; a `consumer` hands what comes
//! to its `judge`; `figures` hold what is measured, and the `report` adds all of it up.
//!
//! Guarantees that every sent and confirmed message is looked for, and that latencies under a rate count from the moment
//! a message was due. It speaks plain OpenWire, so it measures any broker that does. It does not reconnect: a broker that
//! dies ends the run.

mod arguments;
mod body;
mod clock;
mod conductor;
mod consumer;
mod figures;
mod judge;
mod lane;
mod limits;
mod pace;
mod plan;
mod producer;
mod report;
mod seen;
mod stage;

pub(super) use arguments::BenchArgs;
pub(super) use conductor::run;
