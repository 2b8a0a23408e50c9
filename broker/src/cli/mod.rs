//! The command line: one file per subcommand, `arguments` for the whole,
//! `report` for how errors end the process.

mod arguments;
mod bench;
mod broker;
mod client_args;
mod exit;
mod progress;
mod receive;
mod report;
mod send;
mod status;

pub use arguments::{Arguments, main};
