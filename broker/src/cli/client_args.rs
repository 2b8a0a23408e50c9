//! What `send` and `receive` have in common: addresses, patience, the runtime, and how an error ends the process.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use client::{BrokerUri, ConnectOptions, Error, Reconnect};

use super::exit::exit;
use crate::config;

/// Where a broker listens that nobody configured.
pub(super) const DEFAULT_URL: &str = "tcp://127.0.0.1:61616";

/// How to find a broker.
#[derive(Debug, clap::Args)]
pub(super) struct ClientArgs {
    /// Address of a broker; several are tried in turn, and again whenever the connection is lost.
    #[arg(long = "url", value_name = "URI", default_value = DEFAULT_URL)]
    urls: Vec<BrokerUri>,
    /// End with an error when no broker was found for this long.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = config::duration)]
    give_up: Duration,
}

impl ClientArgs {
    /// The way to a broker.
    pub(super) fn reconnect(self) -> Result<Reconnect, Error> {
        Reconnect::new(self.urls, ConnectOptions::default(), Some(self.give_up))
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// A broker, or none.
    Client(Error),
    /// Standard input or output.
    Io(&'static str, std::io::Error),
    /// It ended, but not as was asked.
    Short(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<(&'static str, std::io::Error)> for Failure {
    fn from((what, error): (&'static str, std::io::Error)) -> Self {
        Self::Io(what, error)
    }
}

/// Runs a command to its end on a runtime of its own: one thread is enough for one connection.
pub(super) fn run(name: &str, work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(Failure::Io("cannot start", error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, line) = describe(&failure);
            // Nothing can be said when even this cannot be printed.
            let _ = writeln!(std::io::stderr(), "holdfast {name}: {line}");
            exit(code)
        }
    }
}

/// The exit code, and one line: what, where, what to do.
fn describe(failure: &Failure) -> (exitcode::ExitCode, String) {
    match failure {
        Failure::Io(what, error) => (exitcode::IOERR, format!("{what}: {error}")),
        Failure::Short(line) => (exitcode::TEMPFAIL, line.clone()),
        Failure::Client(error) => describe_client(error),
    }
}

fn describe_client(error: &Error) -> (exitcode::ExitCode, String) {
    let (code, advice) = match error {
        Error::Uri { .. } => (exitcode::USAGE, "write tcp://host:port"),
        Error::Refused { class, .. } if class.ends_with("SecurityException") => {
            (exitcode::NOPERM, "ask who runs the broker")
        }
        Error::Refused { .. } | Error::UnexpectedAnswer { .. } => {
            (exitcode::UNAVAILABLE, "the broker's log may say more")
        }
        Error::Encode(_) | Error::Content { .. } => (exitcode::DATAERR, "nothing of it was sent"),
        Error::Misuse { .. } => (exitcode::SOFTWARE, "please report this"),
        _ => (
            exitcode::UNAVAILABLE,
            "is a broker running there? name others with --url",
        ),
    };
    (code, format!("{error}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let refused = |class: &str| Error::Refused {
            class: class.to_owned(),
            message: "m".to_owned(),
        };
        for (failure, code) in [
            (Failure::Client(refused("java.lang.SecurityException")), 77),
            (Failure::Client(refused("javax.jms.JMSException")), 69),
            (
                Failure::Client("tcp:x".parse::<BrokerUri>().unwrap_err()),
                64,
            ),
            (
                Failure::Io("cannot read", std::io::Error::other("gone")),
                74,
            ),
            (Failure::Short("received 3 of 5".to_owned()), 75),
        ] {
            let (found, line) = describe(&failure);
            assert_eq!(found, code, "{line}");
            assert!(!line.contains('\n'));
        }
    }
}
