//! `holdfast receive`: messages out of a queue, through the death of masters.
//!
//! Messages go to standard output, progress and the last line with the counts to standard error. It counts what came
//! twice, apart for messages that said so (allowed) and that did not (a broken promise), and what came out of order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use client::{
    AckMode, Connection, Consumer, DEFAULT_PREFETCH, Delivery, Error, Reconnect, Session,
};
use wire::openwire::{Destination, MessageId};

use super::client_args::{self, ClientArgs, Failure};
use super::progress::Progress;
use crate::config;
use crate::limits::MAX_REMEMBERED_IDS;

/// How received messages are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Ack {
    /// Each as it comes, without waiting.
    Auto,
    /// After every --batch messages, waiting until that is safe.
    Client,
    /// With a transaction of --batch messages.
    Transaction,
}

/// How received messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The body, a line each.
    Text,
    /// An object with id, flags and body, a line each.
    Json,
    /// Not at all.
    None,
}

/// Flags of `holdfast receive`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReceiveArgs {
    /// Queue to receive from.
    queue: String,
    #[command(flatten)]
    client: ClientArgs,
    /// End after this many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End when nothing came for this long.
    #[arg(long, value_name = "TIME", value_parser = config::duration)]
    timeout: Option<Duration>,
    /// How to acknowledge.
    #[arg(long, value_enum, default_value_t = Ack::Auto)]
    ack: Ack,
    /// Messages per acknowledgement or transaction.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// How to print messages.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Runs it.
pub(crate) fn run(args: ReceiveArgs) -> ExitCode {
    client_args::run("receive", receive(args))
}

async fn receive(args: ReceiveArgs) -> Result<(), Failure> {
    let mut work = Work {
        destination: Destination::queue(args.queue.as_str()),
        reconnect: args.client.reconnect()?,
        plan: Plan {
            count: args.count.unwrap_or(u64::MAX),
            timeout: args.timeout,
            ack: args.ack,
            batch: args.batch,
            format: args.format,
        },
        progress: Progress::new(),
        tally: Tally::default(),
        last_news: Instant::now(),
    };
    let ended = work.run().await;
    let rest = work.progress.finish(work.tally.received);
    let _ = writeln!(std::io::stderr(), "{} {rest}", work.tally);
    ended?;
    match args.count {
        Some(wanted) if work.tally.received < wanted => {
            let received = work.tally.received;
            Err(Failure::Short(format!(
                "received {received} of {wanted} messages; more may come later"
            )))
        }
        _ => Ok(()),
    }
}

/// What was asked for.
struct Plan {
    count: u64,
    timeout: Option<Duration>,
    ack: Ack,
    batch: u64,
    format: Format,
}

/// What is under way.
struct Work {
    destination: Destination,
    reconnect: Reconnect,
    plan: Plan,
    progress: Progress,
    tally: Tally,
    last_news: Instant,
}

/// What exists while a connection does.
struct Live {
    consumer: Consumer,
    session: Session,
    connection: Connection,
    /// Received and not yet acknowledged.
    open: u64,
}

impl Work {
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            match self.one_connection().await {
                // What was not acknowledged comes again, flagged, from the next master.
                Err(Failure::Client(error)) if error.is_retry() => {}
                other => return other,
            }
        }
    }

    /// Receives until the end, or until the connection is lost.
    async fn one_connection(&mut self) -> Result<(), Failure> {
        let mut live = self.open().await?;
        self.progress
            .connected(self.reconnect.connections(), live.connection.uri());
        while self.tally.received < self.plan.count {
            let Some(delivery) = self.next(&mut live).await? else {
                break;
            };
            self.last_news = Instant::now();
            self.tally.note(&delivery);
            print(&delivery, self.plan.format)?;
            live.open += 1;
            if live.open >= self.plan.batch {
                live.acknowledge(self.plan.ack).await?;
            }
            self.tick();
        }
        live.acknowledge(self.plan.ack).await?;
        live.consumer.close().await?;
        live.connection.close().await?;
        Ok(())
    }

    async fn open(&mut self) -> Result<Live, Error> {
        let connection = self.reconnect.connect().await?;
        let mode = match self.plan.ack {
            Ack::Auto => AckMode::Auto,
            Ack::Client => AckMode::Client,
            Ack::Transaction => AckMode::Transacted,
        };
        let mut session = connection.session(mode).await?;
        let consumer = session
            .consumer(&self.destination, DEFAULT_PREFETCH)
            .await?;
        Ok(Live {
            consumer,
            session,
            connection,
            open: 0,
        })
    }

    /// The next message; none when nothing came for long enough. A pause in the flow is used to acknowledge.
    async fn next(&mut self, live: &mut Live) -> Result<Option<Delivery>, Error> {
        if let Some(delivery) = live.consumer.receive_now().await? {
            return Ok(Some(delivery));
        }
        loop {
            let left = self
                .plan
                .timeout
                .map(|limit| limit.saturating_sub(self.last_news.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let pause = left.map_or(PAUSE, |left| left.min(PAUSE));
            if let Some(delivery) = live.consumer.receive_within(pause).await? {
                return Ok(Some(delivery));
            }
            live.acknowledge(self.plan.ack).await?;
            self.tick();
        }
    }

    fn tick(&mut self) {
        let tally = &self.tally;
        self.progress.tick(tally.received, || {
            let (received, flagged, unflagged) = (tally.received, tally.flagged, tally.unflagged);
            format!("received {received}, again {flagged} flagged and {unflagged} unflagged")
        });
    }
}

/// After this long without a message what is open is acknowledged, however few they are.
const PAUSE: Duration = Duration::from_millis(200);

impl Live {
    async fn acknowledge(&mut self, ack: Ack) -> Result<(), Error> {
        if self.open == 0 {
            return Ok(());
        }
        match ack {
            Ack::Auto => {}
            Ack::Client => self.consumer.acknowledge().await?,
            Ack::Transaction => self.session.commit().await?,
        }
        self.open = 0;
        Ok(())
    }
}

/// What was seen so far.
#[derive(Default)]
struct Tally {
    received: u64,
    /// Came again and said so.
    flagged: u64,
    /// Came again and did not say so.
    unflagged: u64,
    /// Came, unflagged, after a later one of the same producer.
    disorder: u64,
    seen: HashSet<MessageId>,
    oldest: VecDeque<MessageId>,
    last_number: HashMap<String, u64>,
}

impl Tally {
    fn note(&mut self, delivery: &Delivery) {
        let number = delivery.text().ok().and_then(|text| number_of(&text));
        let producer = delivery
            .id()
            .producer_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        self.note_parts(
            delivery.id().clone(),
            &producer,
            number,
            delivery.is_redelivered(),
        );
    }

    fn note_parts(
        &mut self,
        id: MessageId,
        producer: &str,
        number: Option<u64>,
        redelivered: bool,
    ) {
        let again = !self.remember(id);
        match (again, redelivered) {
            (false, _) => self.received += 1,
            (true, true) => self.flagged += 1,
            (true, false) => self.unflagged += 1,
        }
        let Some(number) = number else { return };
        match self.last_number.get_mut(producer) {
            Some(last) if number < *last => self.disorder += u64::from(!redelivered),
            Some(last) => *last = number,
            None => {
                self.last_number.insert(producer.to_owned(), number);
            }
        }
    }

    /// True when it is new, as far as the bounded memory reaches.
    fn remember(&mut self, id: MessageId) -> bool {
        if !self.seen.insert(id.clone()) {
            return false;
        }
        self.oldest.push_back(id);
        if self.oldest.len() > MAX_REMEMBERED_IDS
            && let Some(forgotten) = self.oldest.pop_front()
        {
            self.seen.remove(&forgotten);
        }
        true
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            received,
            flagged,
            unflagged,
            disorder,
            ..
        } = self;
        write!(
            f,
            "received={received} duplicates_flagged={flagged} duplicates_unflagged={unflagged} \
             order_violations={disorder}"
        )
    }
}

/// The number in a body that begins with `n=17`.
fn number_of(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("n=")?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn print(delivery: &Delivery, format: Format) -> Result<(), Failure> {
    let line = match format {
        Format::None => return Ok(()),
        Format::Text => body(delivery),
        Format::Json => serde_json::json!({
            "id": delivery.id().to_string(),
            "queue": delivery.destination().physical_name.to_string(),
            "persistent": delivery.is_persistent(),
            "redelivered": delivery.is_redelivered(),
            "body": body(delivery),
        })
        .to_string(),
    };
    writeln!(std::io::stdout().lock(), "{line}")
        .map_err(|error| Failure::Io("cannot write to standard output", error))
}

/// Text as it is; anything else by its size, since a terminal is no place for it.
fn body(delivery: &Delivery) -> String {
    match delivery.text() {
        Ok(text) => text,
        Err(_) => {
            let length = delivery
                .message()
                .content
                .as_ref()
                .map_or(0, bytes::Bytes::len);
            format!("({length} bytes, {:?} message)", delivery.message().kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> MessageId {
        MessageId {
            producer_sequence_id: number,
            ..MessageId::default()
        }
    }

    #[test]
    fn numbers_are_read_from_bodies() {
        assert_eq!(number_of("n=17 xxx"), Some(17));
        assert_eq!(number_of("n=17"), Some(17));
        assert_eq!(number_of("n=x"), None);
        assert_eq!(number_of("m=17"), None);
    }

    #[test]
    fn repeats_and_disorder_are_counted_apart() {
        let mut tally = Tally::default();
        tally.note_parts(id(1), "p", Some(1), false);
        tally.note_parts(id(2), "p", Some(2), false);
        tally.note_parts(id(1), "p", Some(1), true);
        tally.note_parts(id(2), "p", Some(2), false);
        tally.note_parts(id(4), "p", Some(4), false);
        tally.note_parts(id(3), "p", Some(3), false);
        tally.note_parts(id(9), "q", Some(1), false);
        let line = "received=5 duplicates_flagged=1 duplicates_unflagged=1 order_violations=1";
        assert_eq!(tally.to_string(), line);
    }

    #[test]
    fn memory_is_bounded() {
        let mut tally = Tally::default();
        for number in 0..=MAX_REMEMBERED_IDS {
            tally.remember(id(i64::try_from(number).unwrap()));
        }
        assert_eq!(tally.seen.len(), MAX_REMEMBERED_IDS);
        assert!(tally.remember(id(0)) && !tally.remember(id(5)));
    }
}
