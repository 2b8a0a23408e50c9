//! Flags of `holdfast bench`, and what they come to.

use std::str::FromStr;
use std::time::Duration;

use client::{BrokerUri, DEFAULT_PREFETCH};
use wire::openwire::Destination;

use super::body::IDENTITY_BYTES;
use super::limits::{
    DEFAULT_DURATION, DEFAULT_WARMUP, MOST_OF_ANYTHING, MOST_PRODUCERS, MOST_THREADS,
};
use super::plan::{Ack, Plan, Sending};
use crate::cli::client_args::DEFAULT_URL;
use crate::config;

/// Flags of `holdfast bench`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Address of a broker; the first of several that answers is taken.
    #[arg(long = "url", value_name = "URI", default_value = DEFAULT_URL)]
    urls: Vec<BrokerUri>,
    /// Queue to use.
    #[arg(long, value_name = "NAME", default_value = "bench")]
    queue: String,
    /// With more than 1: queues NAME.0, NAME.1 and so on, which get the messages in turn; where they are more than
    /// producers, each producer has a share of them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(1, MOST_OF_ANYTHING))]
    queues: usize,
    /// Producers, each with a session of its own; 0 receives what is there.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(0, MOST_PRODUCERS))]
    producers: usize,
    /// Connections that the producers share, as the sessions of a pool do [default: one for each producer].
    #[arg(long, value_name = "N", value_parser = count(1, MOST_PRODUCERS))]
    connections: Option<usize>,
    /// Consumers, each with a connection of its own; 0 only sends.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(0, MOST_OF_ANYTHING))]
    consumers: usize,
    /// Bytes of a body, at least 16.
    #[arg(long, value_name = "BYTES", default_value = "1024", value_parser = size)]
    size: usize,
    /// Send this many messages in all, warm-up included; without producers: receive this many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Send for this long after the warm-up [default: 10s, unless --messages is given or nobody sends].
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    duration: Option<Duration>,
    /// Messages a second of all producers together; latencies then count from when a message was due.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Sends of a producer that may be without an answer; 1 waits for each, as JMS does.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count(1, MOST_OF_ANYTHING))]
    window: usize,
    /// Send in transactions of this many messages.
    #[arg(long, value_name = "N", value_parser = count(1, MOST_OF_ANYTHING))]
    transaction: Option<usize>,
    /// How consumers acknowledge: auto (ranges of what was consumed, up to half of the prefetch, without waiting), each
    /// (every message by itself, without waiting), client (ranges, waiting), individual (every message, waiting), or
    /// transaction:N.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    ack: Ack,
    /// Messages that need not survive the broker. They are not answered, so --window means nothing.
    #[arg(long)]
    non_persistent: bool,
    /// Messages that the broker may send ahead; with 0 each is asked for.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PREFETCH)]
    prefetch: u16,
    /// Time at the start that is not measured [default: 2s, with --messages or without producers 0].
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    warmup: Option<Duration>,
    /// When nobody sends any more: end after a silence of this length.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = config::duration)]
    idle_timeout: Duration,
    /// Threads of the generator [default: one per core, at most 4].
    #[arg(long, value_name = "N", value_parser = count(1, 64))]
    threads: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

impl BenchArgs {
    /// What is to be done, or why it makes no sense.
    pub(super) fn plan(self) -> Result<Plan, String> {
        if self.producers + self.consumers == 0 {
            return Err("without producers and consumers there is nothing to do".to_owned());
        }
        if self.transaction.is_some() && self.window > 1 {
            return Err(
                "--window and --transaction exclude each other: a commit is waited for".to_owned(),
            );
        }
        let connections = self.connections.unwrap_or(self.producers);
        if connections > self.producers {
            return Err(format!(
                "--connections {connections} for --producers {}: some would have nothing to do",
                self.producers
            ));
        }
        let by_time = self.messages.is_none() && self.producers > 0;
        let duration = self.duration.or(by_time.then_some(DEFAULT_DURATION));
        let warmup = if by_time {
            DEFAULT_WARMUP
        } else {
            Duration::ZERO
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = self.threads.unwrap_or(cores.min(MOST_THREADS));
        Ok(Plan {
            queues: queues(&self.queue, self.queues),
            sending: self.sending(),
            urls: self.urls,
            producers: self.producers,
            connections,
            consumers: self.consumers,
            size: self.size,
            messages: self.messages,
            duration,
            rate: self.rate,
            persistent: !self.non_persistent,
            ack: self.ack,
            prefetch: self.prefetch,
            warmup: self.warmup.unwrap_or(warmup),
            idle_timeout: self.idle_timeout,
            threads: lanes.min(connections.max(self.consumers)),
        })
    }

    fn sending(&self) -> Sending {
        match (self.transaction, self.non_persistent, self.window) {
            (Some(count), _, _) => Sending::Transactions(count),
            (None, true, _) => Sending::Unanswered,
            (None, false, 1) => Sending::OneByOne,
            (None, false, window) => Sending::Pipelined(window),
        }
    }
}

fn queues(name: &str, count: usize) -> Vec<Destination> {
    if count == 1 {
        return vec![Destination::queue(name)];
    }
    let numbered = |number| Destination::queue(format!("{name}.{number}").as_str());
    (0..count).map(numbered).collect()
}

/// A number in bounds, for clap.
fn count(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("write a number from {least} to {most}")),
    }
}

fn size(text: &str) -> Result<usize, String> {
    let bytes = usize::try_from(config::bytes(text)?).map_err(|error| error.to_string())?;
    if bytes < IDENTITY_BYTES {
        return Err(format!(
            "a body needs {IDENTITY_BYTES} bytes to say who it is"
        ));
    }
    Ok(bytes)
}

impl FromStr for Ack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "each" => Ok(Self::Each),
            "client" => Ok(Self::Client),
            "individual" => Ok(Self::Individual),
            other => match other.strip_prefix("transaction:").map(str::parse) {
                Some(Ok(count)) if count > 0 => Ok(Self::Transactions(count)),
                _ => Err("write auto, each, client, individual or transaction:N".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan(line: &str) -> Result<Plan, String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        let only = Only::try_parse_from(words).map_err(|error| error.to_string())?;
        only.args.plan()
    }

    #[test]
    fn nothing_given_is_a_run_of_ten_seconds() {
        let plan = plan("").unwrap();
        assert_eq!((plan.producers, plan.consumers, plan.size), (1, 1, 1024));
        assert_eq!(plan.queues, [Destination::queue("bench")]);
        assert_eq!(plan.sending, Sending::OneByOne);
        assert_eq!((plan.ack, plan.prefetch), (Ack::Auto, 1000));
        assert_eq!(plan.duration, Some(Duration::from_secs(10)));
        assert_eq!(plan.warmup, Duration::from_secs(2));
        assert_eq!(plan.idle_timeout, Duration::from_secs(10));
        assert!(plan.persistent && plan.messages.is_none() && plan.rate.is_none());
        assert!((1..=2).contains(&plan.threads), "no more than have work");
    }

    #[test]
    fn everything_given_arrives() {
        let plan = plan(
            "--url tcp://a:1 --url tcp://b:2 --queue q --queues 2 --producers 3 --connections 2 --consumers 4 --size 2KiB \
             --messages 100 --duration 5s --rate 50 --window 7 --ack transaction:20 --prefetch 9 --warmup 1s \
             --idle-timeout 500ms --threads 2",
        )
        .unwrap();
        assert_eq!(plan.urls[1].to_string(), "tcp://b:2");
        assert_eq!(
            plan.queues,
            [Destination::queue("q.0"), Destination::queue("q.1")]
        );
        assert_eq!((plan.producers, plan.consumers, plan.size), (3, 4, 2048));
        assert_eq!(plan.connections, 2);
        assert_eq!((plan.messages, plan.rate), (Some(100), Some(50)));
        assert_eq!(plan.duration, Some(Duration::from_secs(5)));
        assert_eq!(plan.sending, Sending::Pipelined(7));
        assert_eq!((plan.ack, plan.prefetch), (Ack::Transactions(20), 9));
        assert_eq!(plan.warmup, Duration::from_secs(1));
        assert_eq!(plan.idle_timeout, Duration::from_millis(500));
        assert_eq!(plan.threads, 2);
    }

    #[test]
    fn producers_have_a_connection_each_and_no_thread_is_without_one() {
        let alone = plan("--producers 5 --consumers 0 --threads 8").unwrap();
        assert_eq!((alone.connections, alone.threads), (5, 5));
        let pooled = plan("--producers 5 --connections 1 --consumers 0 --threads 8").unwrap();
        assert_eq!((pooled.connections, pooled.threads), (1, 1));
    }

    #[test]
    fn a_run_by_count_or_without_producers_needs_no_warm_up_and_no_time() {
        for line in ["--messages 5", "--producers 0"] {
            let plan = plan(line).unwrap();
            assert_eq!((plan.duration, plan.warmup), (None, Duration::ZERO));
        }
    }

    #[test]
    fn the_ways_to_send() {
        for (line, sending) in [
            ("--transaction 5", Sending::Transactions(5)),
            ("--transaction 5 --non-persistent", Sending::Transactions(5)),
            ("--non-persistent --window 9", Sending::Unanswered),
        ] {
            assert_eq!(plan(line).unwrap().sending, sending, "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (line, reason) in [
            ("--producers 0 --consumers 0", "nothing to do"),
            ("--window 2 --transaction 2", "exclude each other"),
            ("--producers 2 --connections 3", "nothing to do"),
            ("--connections 0", "from 1 to"),
            ("--size 15", "16 bytes"),
            ("--ack transaction:0", "write auto"),
            ("--ack sometimes", "write auto"),
            ("--queues 0", "from 1 to 65536"),
            ("--window 0", "from 1 to"),
            ("--rate 0", "0 is not in"),
            ("--duration 10", "needs a unit"),
        ] {
            let error = plan(line).err().unwrap_or_default();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
