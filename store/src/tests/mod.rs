//! Tests of the store as a whole: everything together, against a model, through crashes.

mod basics;
mod crash;
mod full;
mod loss;
mod model;
mod pace;
mod reopen;
mod script;
mod space;
mod stop;
mod support;
mod zombie;
