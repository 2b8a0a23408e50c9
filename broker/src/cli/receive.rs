//! `holdfast receive`: being written.

use std::process::ExitCode;

/// Flags of `holdfast receive`.
#[derive(Debug, clap::Args)]
pub struct ReceiveArgs {}

/// Runs it.
pub fn run(_args: ReceiveArgs) -> ExitCode {
    ExitCode::FAILURE
}
