//! The `holdfast` binary: everything is in the library's command line.

use std::process::ExitCode;

/// Messages are many small pieces that one thread makes and another drops; see Cargo.toml.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    broker::main()
}
