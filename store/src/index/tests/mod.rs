//! Tests of the index as a whole.

mod checkpoints;
mod damage;
mod giving_up;
mod model;
mod reference;
mod rig;
mod step;
mod sweep;
