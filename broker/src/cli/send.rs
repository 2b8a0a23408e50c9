//! `holdfast send`: being written.

use std::process::ExitCode;

/// Flags of `holdfast send`.
#[derive(Debug, clap::Args)]
pub struct SendArgs {}

/// Runs it.
pub fn run(_args: SendArgs) -> ExitCode {
    ExitCode::FAILURE
}
