//! The run as a whole: threads, gate, progress, and the exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::arguments::BenchArgs;
use super::figures::Figures;
use super::lane::{self, News, Outcome, Tally};
use super::report::Report;
use super::stage::{Stage, Start};
use crate::cli::client_args::{self, Failure};
use crate::cli::exit::exit;
use crate::{descriptors, huge_pages};

/// Between two lines of progress.
const PERIOD: Duration = Duration::from_secs(1);

/// A run in which nothing moves for so long, and for the idle timeout, is stuck: a broker that is full holds its producers
/// up for ever.
const STANDSTILL: Duration = Duration::from_secs(10);

/// Runs it. Exit code 65 means that a promise was broken.
pub(crate) fn run(args: BenchArgs) -> ExitCode {
    let json = args.json;
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(why) => {
            // Nothing can be said when even this cannot be printed.
            let _ = writeln!(std::io::stderr(), "holdfast bench: {why}");
            return exit(exitcode::USAGE);
        }
    };
    let mut broken = false;
    let code = client_args::run("bench", async {
        descriptors::raise();
        huge_pages::refuse();
        let stage = Arc::new(Stage::new(plan, random_run()?));
        let report = conduct(&stage).await?;
        broken = report.counts.is_broken();
        let text = if json { report.json() } else { report.text() };
        writeln!(std::io::stdout(), "{text}")
            .map_err(|error| Failure::Io("cannot write to standard output", error))?;
        stage.take_failure().map_or(Ok(()), Err)
    });
    if broken && code == ExitCode::SUCCESS {
        return exit(exitcode::DATAERR);
    }
    code
}

/// A number that earlier runs hardly had.
fn random_run() -> Result<u16, Failure> {
    let mut random = [0; 2];
    match getrandom::fill(&mut random) {
        Ok(()) => Ok(u16::from_ne_bytes(random)),
        Err(error) => {
            let error = std::io::Error::other(error.to_string());
            Err(Failure::Io("cannot get randomness", error))
        }
    }
}

/// Starts the threads and waits for them.
async fn conduct(stage: &Arc<Stage>) -> Result<Report, Failure> {
    let threads = stage.plan.threads;
    // Each thread says three things.
    let (sender, mut news) = mpsc::channel(threads * 3);
    for number in 0..threads {
        let (shared, sender) = (Arc::clone(stage), sender.clone());
        let builder = std::thread::Builder::new().name(format!("bench-{number}"));
        let spawned = builder.spawn(move || lane::run(number, &shared, &sender));
        if let Err(error) = spawned {
            stage.end();
            return Err(Failure::Io("cannot start a thread", error));
        }
    }
    drop(sender);
    let mut performance = Performance::default();
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            one = news.recv() => match one {
                Some(one) => performance.hear(one, stage),
                None => break,
            },
            _ = ticks.tick() => performance.look(stage),
        }
    }
    performance.finish(stage)
}

/// What the conductor knows.
#[derive(Default)]
struct Performance {
    ready: usize,
    ended: usize,
    start: Option<Start>,
    tallies: Vec<Tally>,
    outcome: Outcome,
    /// Sent and received, a period ago.
    seen: (u64, u64),
    standstill: Duration,
}

impl Performance {
    fn hear(&mut self, news: News, stage: &Stage) {
        match news {
            News::Ready => {
                self.ready += 1;
                if self.ready == stage.plan.threads {
                    self.start = Some(stage.open());
                }
            }
            News::Counting(tally) => self.tallies.push(tally),
            News::Ended(outcome) => {
                self.ended += 1;
                self.outcome.made.extend(outcome.made);
                self.outcome.watched.extend(outcome.watched);
            }
        }
    }

    /// Looks how far it is: says so to a person, and ends a run that is stuck.
    fn look(&mut self, stage: &Stage) {
        let sums = |(sent, received), tally: &Tally| {
            let figures = tally.lock();
            (sent + figures.sent, received + figures.received)
        };
        let now = self.tallies.iter().fold((0, 0), sums);
        if self.start.is_some() && now == self.seen {
            self.standstill += PERIOD;
        } else {
            self.standstill = Duration::ZERO;
        }
        let limit = stage.plan.idle_timeout + STANDSTILL;
        if self.standstill >= limit {
            stage.fail(Failure::Short(format!(
                "nothing was sent or received for {limit:?}: is the broker's memory or disk full?"
            )));
        }
        if !self.tallies.is_empty() && std::io::stderr().is_terminal() {
            say(now, self.seen);
        }
        self.seen = now;
    }

    /// Adds up. A run that never started has nothing to report but its failure.
    fn finish(self, stage: &Stage) -> Result<Report, Failure> {
        let Some(start) = self.start else {
            let unknown = || Failure::Short("a thread ended without a word".to_owned());
            return Err(stage.take_failure().unwrap_or_else(unknown));
        };
        let plan = &stage.plan;
        let mut figures = Figures::new(start);
        for tally in &self.tallies {
            figures.merge(&tally.lock());
        }
        let expected = plan.producers;
        if self.ended < plan.threads || self.outcome.made.len() < expected {
            stage.fail(Failure::Short("a part of the run broke off".to_owned()));
        }
        Ok(Report::new(stage, &figures, self.outcome))
    }
}

/// One line on a terminal, over the one before.
fn say(now: (u64, u64), before: (u64, u64)) {
    let line = format!(
        "sent {} ({}/s), received {} ({}/s)",
        now.0,
        now.0 - before.0,
        now.1,
        now.1 - before.1
    );
    // Blanks over what was longer, and back to the line's start.
    let _ = write!(std::io::stderr(), "\r{line:<78}\r");
}
