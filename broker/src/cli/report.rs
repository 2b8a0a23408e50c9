//! How an error ends the process: one line on standard error that says what,
//! where and what to do, and an exit code that scripts know (sysexits).

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::exit::exit;
use crate::error::Error;

/// Prints the error's line and gives its exit code.
pub(crate) fn fail(error: &Error) -> ExitCode {
    let (code, advice) = verdict(error);
    say(&format!("{error}; {advice}"));
    exit(code)
}

/// One line on standard error.
pub(super) fn say(text: &str) {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr(), "holdfast: {line}");
}

fn verdict(error: &Error) -> (exitcode::ExitCode, &'static str) {
    match error {
        Error::Configuration { .. } => (exitcode::CONFIG, "see holdfast broker --help"),
        Error::Listen { source, .. } => listen(source),
        Error::Directory { source, .. } => files(source, exitcode::CANTCREAT),
        Error::Lock(error) => lock_verdict(error),
        Error::Store(error) => store_verdict(error),
        Error::Restart { .. } => (exitcode::TEMPFAIL, "start it again"),
        Error::System { .. } => (exitcode::OSERR, "check the limits of this process"),
    }
}

fn listen(source: &io::Error) -> (exitcode::ExitCode, &'static str) {
    match source.kind() {
        ErrorKind::PermissionDenied => (exitcode::NOPERM, "choose a port above 1023 with --listen"),
        ErrorKind::AddrInUse => (
            exitcode::UNAVAILABLE,
            "stop the process that uses the port or choose another with --listen",
        ),
        _ => (
            exitcode::UNAVAILABLE,
            "check the address given with --listen",
        ),
    }
}

/// Advice by what the system said about a file or directory.
fn files(source: &io::Error, otherwise: exitcode::ExitCode) -> (exitcode::ExitCode, &'static str) {
    match source.kind() {
        ErrorKind::PermissionDenied => (
            exitcode::NOPERM,
            "give this user read and write access to the data directory",
        ),
        ErrorKind::ReadOnlyFilesystem => (exitcode::CANTCREAT, "mount the file system read-write"),
        ErrorKind::NotFound => (
            otherwise,
            "create the parent directory, mount it, or choose another with --data",
        ),
        ErrorKind::NotADirectory => (otherwise, "choose a directory with --data"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            (exitcode::TEMPFAIL, "free some space and start again")
        }
        _ => (otherwise, "check the disk or file server"),
    }
}

fn lock_verdict(error: &lock::Error) -> (exitcode::ExitCode, &'static str) {
    match error {
        lock::Error::Io { source, .. } => files(source, exitcode::IOERR),
        lock::Error::Foreign { .. } => (exitcode::DATAERR, "nothing in it was touched"),
        lock::Error::UnsafeFilesystem { .. } => (
            exitcode::CONFIG,
            "mount it as the README says, or choose another with --data",
        ),
        lock::Error::Settings(_) => (exitcode::CONFIG, "see holdfast broker --help"),
        lock::Error::AlreadyOpen { .. } => (exitcode::SOFTWARE, "report this"),
        _ => (exitcode::TEMPFAIL, "start it again"),
    }
}

fn store_verdict(error: &store::Error) -> (exitcode::ExitCode, &'static str) {
    match error {
        store::Error::Io { source, .. } => files(source, exitcode::IOERR),
        store::Error::Damaged { .. } => (
            exitcode::DATAERR,
            "restore the data directory from a copy, or remove it to start empty",
        ),
        store::Error::NotOurs { .. } => {
            (exitcode::DATAERR, "choose an empty directory with --data")
        }
        store::Error::Format { .. } => (
            exitcode::DATAERR,
            "use the version of holdfast that wrote it",
        ),
        store::Error::Full { .. } => (
            exitcode::TEMPFAIL,
            "free some space or raise store_limit, and start again",
        ),
        store::Error::Setting { .. } => (exitcode::CONFIG, "see holdfast broker --help"),
        store::Error::LostMastership(_)
        | store::Error::Overtaken { .. }
        | store::Error::Closed
        | store::Error::Poisoned => (exitcode::TEMPFAIL, "start it again"),
        _ => (exitcode::IOERR, "check the disk or file server"),
    }
}
