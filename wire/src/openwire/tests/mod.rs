//! Tests of the codec as a whole, against bytes and fields captured from
//! ActiveMQ and against itself. They live inside the crate to use its `Writer`
//! and `Reader` traits: `view.rs` is a writer that makes JSON, `random.rs` a
//! reader that makes things up.

mod captures;
mod declarations;
mod fixtures;
mod golden;
mod hostile;
mod negotiation;
mod primitives;
mod random;
mod round_trip;
mod view;
