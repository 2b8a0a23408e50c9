//! `holdfast send`: messages into a queue, through the death of masters.
//!
//! Guarantees that a persistent message was answered, so is safe, before it is counted, and that one that had to be sent
//! again is stored once. The last line, on standard output, has the counts.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use client::{Attempt, Error, Message, Resender, Value};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use wire::openwire::Destination;

use super::client_args::{self, ClientArgs, Failure};
use super::progress::Progress;
use crate::config;

/// Flags of `holdfast send`.
#[derive(Debug, clap::Args)]
pub(crate) struct SendArgs {
    /// Queue to send to.
    queue: String,
    #[command(flatten)]
    client: ClientArgs,
    /// How many messages [default: 1, or one per line of standard input].
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Messages of this size: `n=NUMBER`, filled up.
    #[arg(long, value_name = "BYTES", value_parser = config::bytes, conflicts_with = "body")]
    size: Option<u64>,
    /// Messages with this text; `{n}` becomes the message's number. Without --size and --body each line of standard
    /// input is a message.
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Messages that need not survive the broker: faster, and lost with it.
    #[arg(long)]
    non_persistent: bool,
    /// At most this many messages a second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Send in transactions of this many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    transaction: Option<u32>,
    /// A property of every message; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    property: Vec<(String, String)>,
}

/// Runs it.
pub(crate) fn run(args: SendArgs) -> ExitCode {
    client_args::run("send", send(args))
}

async fn send(args: SendArgs) -> Result<(), Failure> {
    let destination = Destination::queue(args.queue.as_str());
    let reconnect = args.client.reconnect()?;
    let sender = match args.transaction {
        Some(_) => Resender::transacted(reconnect, destination),
        None => Resender::new(reconnect, destination),
    };
    let mut source = Source::new(args.size, args.body, args.count);
    let style = Style {
        persistent: !args.non_persistent,
        properties: args.property,
    };
    let pace = Pace::new(args.rate);
    let mut work = Work {
        sender,
        progress: Progress::new(),
        pace,
        sent: 0,
        retried: 0,
    };
    let per_unit = args.transaction.unwrap_or(1) as usize;
    loop {
        let mut messages = Vec::with_capacity(per_unit);
        while messages.len() < per_unit {
            let Some(text) = source.next().await? else {
                break;
            };
            messages.push(style.message(text));
        }
        if messages.is_empty() {
            break;
        }
        work.pace.wait(work.sent).await;
        match args.transaction {
            Some(_) => work.send_transaction(&messages).await?,
            None => work.send_one(&messages[0]).await?,
        }
    }
    work.finish().await
}

/// What is under way.
struct Work {
    sender: Resender,
    progress: Progress,
    pace: Pace,
    sent: u64,
    retried: u64,
}

impl Work {
    async fn send_one(&mut self, message: &Message) -> Result<(), Failure> {
        let sent = self.sender.send(message).await?;
        self.retried += u64::from(sent.repeats > 0);
        self.count(1);
        Ok(())
    }

    /// Repeats the transaction until it is committed; messages that were in doubt are asked about, never doubled.
    async fn send_transaction(&mut self, messages: &[Message]) -> Result<(), Failure> {
        let first = self.sender.reserve(messages.len());
        loop {
            match self.sender.try_transaction(messages, first).await? {
                Attempt::Committed => break,
                Attempt::RolledBack {
                    cause: cause @ Error::Refused { .. },
                } => return Err(cause.into()),
                Attempt::RolledBack { .. } => self.retried += messages.len() as u64,
            }
        }
        self.count(messages.len() as u64);
        Ok(())
    }

    fn count(&mut self, more: u64) {
        self.sent += more;
        self.progress
            .connected(self.sender.connections(), self.sender.uri());
        let (sent, retried) = (self.sent, self.retried);
        self.progress
            .tick(sent, || format!("sent {sent}, retried {retried}"));
    }

    async fn finish(mut self) -> Result<(), Failure> {
        // Everything was answered; a broker that dies now takes nothing with it.
        let closed = self.sender.close().await;
        if let Err(error) = closed
            && !error.is_retry()
        {
            return Err(error.into());
        }
        let rest = self.progress.finish(self.sent);
        writeln!(
            std::io::stdout(),
            "sent={} retried={} {rest}",
            self.sent,
            self.retried
        )
        .map_err(|error| Failure::Io("cannot write to standard output", error))
    }
}

/// What every message has.
struct Style {
    persistent: bool,
    properties: Vec<(String, String)>,
}

impl Style {
    fn message(&self, text: String) -> Message {
        let mut message = Message::text(text);
        message.persistent = self.persistent;
        for (key, value) in &self.properties {
            message = message.property(key, Value::String(value.into()));
        }
        message
    }
}

/// Where the texts come from.
enum Source {
    Filled {
        size: usize,
        next: u64,
        last: u64,
    },
    Text {
        text: String,
        next: u64,
        last: u64,
    },
    Input {
        lines: Lines<BufReader<Stdin>>,
        left: u64,
    },
}

impl Source {
    fn new(size: Option<u64>, body: Option<String>, count: Option<u64>) -> Self {
        let last = count.unwrap_or(1);
        if let Some(size) = size {
            return Self::Filled {
                size: usize::try_from(size).unwrap_or(usize::MAX),
                next: 1,
                last,
            };
        }
        match body {
            Some(text) => Self::Text {
                text,
                next: 1,
                last,
            },
            None => {
                let lines = BufReader::new(tokio::io::stdin()).lines();
                Self::Input {
                    lines,
                    left: count.unwrap_or(u64::MAX),
                }
            }
        }
    }

    async fn next(&mut self) -> Result<Option<String>, Failure> {
        match self {
            Self::Filled { next, last, .. } | Self::Text { next, last, .. } if *next > *last => {
                Ok(None)
            }
            Self::Filled { size, next, .. } => {
                *next += 1;
                Ok(Some(filled(*next - 1, *size)))
            }
            Self::Text { text, next, .. } => {
                *next += 1;
                Ok(Some(text.replace("{n}", &(*next - 1).to_string())))
            }
            Self::Input { left: 0, .. } => Ok(None),
            Self::Input { lines, left } => {
                *left -= 1;
                let failed = |error| Failure::Io("cannot read standard input", error);
                lines.next_line().await.map_err(failed)
            }
        }
    }
}

/// `n=17 xxxx`, never cut shorter than the number.
fn filled(number: u64, size: usize) -> String {
    let mut text = format!("n={number} ");
    if text.len() < size {
        text.push_str(&"x".repeat(size - text.len()));
    }
    text
}

/// Holds a sender to a rate. Late messages catch up, so that the rate is met on average.
struct Pace {
    started: tokio::time::Instant,
    rate: Option<u32>,
}

impl Pace {
    fn new(rate: Option<u32>) -> Self {
        Self {
            started: tokio::time::Instant::now(),
            rate,
        }
    }

    async fn wait(&self, sent: u64) {
        let Some(rate) = self.rate else { return };
        let due = Duration::from_secs_f64(sent as f64 / f64::from(rate));
        tokio::time::sleep_until(self.started + due).await;
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_carry_their_number_and_have_their_size() {
        assert_eq!(filled(17, 10), "n=17 xxxxx");
        assert_eq!(filled(17, 0), "n=17 ");
        assert_eq!(filled(1, 1024).len(), 1024);
    }

    #[test]
    fn properties_need_a_key() {
        assert_eq!(
            key_and_value("a=b=c"),
            Ok(("a".to_owned(), "b=c".to_owned()))
        );
        assert!(key_and_value("=b").is_err() && key_and_value("ab").is_err());
    }

    #[tokio::test]
    async fn texts_end_after_their_count() {
        let mut source = Source::new(None, Some("m{n}".to_owned()), Some(2));
        let mut texts = Vec::new();
        while let Some(text) = source.next().await.unwrap() {
            texts.push(text);
        }
        assert_eq!(texts, ["m1", "m2"]);
    }
}
