//! Exit codes that scripts know: those of sysexits.

use std::process::ExitCode;

/// A sysexits code as the process's exit code.
pub(super) fn exit(code: exitcode::ExitCode) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
