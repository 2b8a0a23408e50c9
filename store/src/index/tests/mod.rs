//! Tests of the index as a whole.

mod checkpoints;
mod damage;
mod model;
mod reference;
mod rig;
mod step;
mod sweep;
