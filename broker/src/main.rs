//! The `holdfast` binary: everything is in the library's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    broker::main()
}
