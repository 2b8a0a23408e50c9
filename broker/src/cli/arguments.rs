//! The top of the command line and its way into the subcommands.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::bench::BenchArgs;
use super::broker::BrokerArgs;
use super::exit::exit;
use super::receive::ReceiveArgs;
use super::send::SendArgs;
use super::status::StatusArgs;
use super::{bench, broker, receive, send, status};

/// Message broker for master/slave pairs on shared storage.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, about, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a broker: master if it gets the lock of its directory, else slave.
    Broker(Box<BrokerArgs>),
    /// Say who is master of a directory; works without the network.
    Status(StatusArgs),
    /// Send messages to a queue.
    Send(SendArgs),
    /// Receive messages from a queue.
    Receive(ReceiveArgs),
    /// Load a broker, measure it and check that it kept its promises.
    Bench(Box<BenchArgs>),
}

/// Runs the process. Exit codes are those of sysexits; wrong usage is 64.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                exitcode::USAGE
            } else {
                exitcode::OK
            };
            // Nothing can be said when even this cannot be printed.
            let _ = error.print();
            let _ = std::io::stdout().flush();
            return exit(code);
        }
    };
    match arguments.command {
        Command::Broker(args) => broker::run(*args),
        Command::Status(args) => status::run(args),
        Command::Send(args) => send::run(args),
        Command::Receive(args) => receive::run(args),
        Command::Bench(args) => bench::run(*args),
    }
}
