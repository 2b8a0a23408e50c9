//! The results: added up, as one line or as one JSON object.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::clock::Moment;
use super::figures::{self, Figures, Latencies};
use super::judge::{self, Counts, Judge, Sent};
use super::lane::Outcome;
use super::stage::Stage;

/// The percentiles that are reported, by their names.
const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("p99.99", 99.99),
];

/// What may be missing from a whole second.
const NEARLY: Duration = Duration::from_millis(50);

/// What came of a run.
pub(super) struct Report {
    pub(super) counts: Counts,
    object: Value,
}

impl Report {
    /// Adds everything up.
    pub(super) fn new(stage: &Stage, figures: &Figures, outcome: Outcome) -> Self {
        let errors = outcome.made.iter().map(|made| made.errors).sum::<u64>()
            + outcome.watched.iter().map(|one| one.errors).sum::<u64>();
        let counts = judge_all(stage, outcome);
        let start = figures.start();
        let first = figures.first_message.map(|first| first.since(start.at));
        let sending = figures.last_sent.map(|last| last.since(start.measured));
        let receiving = span(figures.first_received, figures.last_received);
        let consumed = figures.last_received.map(|last| last.since(start.measured));
        let last = figures.last_sent.max(figures.last_received);
        let seconds = last.map_or(Duration::ZERO, |last| last.since(start.measured));
        let object = json!({
            "sent": figures.sent,
            "received": counts.received,
            "foreign": counts.foreign,
            "seconds": round(seconds.as_secs_f64()),
            "send_per_second": rate(figures.measured_sent, sending),
            "receive_per_second": rate(figures.measured_received, receiving),
            "errors": errors,
            "lost": counts.lost,
            "duplicates": counts.duplicates,
            "redelivered": counts.redelivered,
            "out_of_order": counts.out_of_order,
            "first_message_ms": first.map(|first| round(first.as_secs_f64() * 1e3)),
            "send_latency_us": latencies(&figures.send),
            "send_latency_counts": counts_of(&figures.send),
            "end_to_end_us": latencies(&figures.end_to_end),
            "series": {
                "sent": whole(&figures.sent_by_second, sending),
                "received": whole(&figures.received_by_second, consumed),
                "send_p99_us": p99_by_second(figures, sending),
            },
        });
        Self { counts, object }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        self.object.to_string()
    }

    /// One line for people: counts, rates, percentiles.
    pub(super) fn text(&self) -> String {
        let mut words = Vec::new();
        for key in [
            "sent",
            "received",
            "foreign",
            "seconds",
            "send_per_second",
            "receive_per_second",
            "errors",
            "lost",
            "duplicates",
            "redelivered",
            "out_of_order",
            "first_message_ms",
        ] {
            words.push(format!("{key}={}", self.object[key]));
        }
        for key in ["send_latency_us", "end_to_end_us"] {
            for name in ["p50", "p99", "p99.9", "max"] {
                if let Some(value) = self.object[key].get(name) {
                    words.push(format!("{key}.{name}={value}"));
                }
            }
        }
        words.join(" ")
    }
}

/// Brings the judges of each queue together.
fn judge_all(stage: &Stage, outcome: Outcome) -> Counts {
    let plan = &stage.plan;
    let mut judges: Vec<Vec<Judge>> = plan.queues.iter().map(|_| Vec::new()).collect();
    for one in outcome.watched {
        judges[one.queue].push(one.judge);
    }
    let mut sent: Vec<Vec<Sent>> = vec![Vec::new(); plan.producers];
    for made in outcome.made {
        sent[made.producer] = made.sent;
    }
    let mut counts = Counts::default();
    for (queue, judges) in judges.into_iter().enumerate() {
        // Nobody misses what nobody was to receive, or what was cut off by a failure, which is reported instead.
        let sent: Vec<Sent> = if plan.consumers == 0 || stage.has_failed() {
            Vec::new()
        } else {
            let to_queue = |made: &Vec<Sent>| made.get(queue).cloned().unwrap_or_default();
            sent.iter().map(to_queue).collect()
        };
        counts.add(judge::conclude(judges, stage.run, &sent));
    }
    if let (true, Some(wanted)) = (plan.is_drain(), plan.messages) {
        counts.lost += wanted.saturating_sub(counts.received);
    }
    counts
}

fn span(first: Option<Moment>, last: Option<Moment>) -> Option<Duration> {
    Some(last?.since(first?))
}

fn rate(count: u64, time: Option<Duration>) -> f64 {
    match time {
        Some(time) if !time.is_zero() => round(count as f64 / time.as_secs_f64()),
        _ => 0.0,
    }
}

fn latencies(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let mut object = serde_json::Map::new();
    for (name, percentile) in PERCENTILES {
        let value = histogram.value_at_percentile(percentile);
        object.insert(name.to_owned(), microseconds(value).into());
    }
    object.insert("max".to_owned(), microseconds(histogram.max()).into());
    Value::Object(object)
}

/// How many took how long, at most so many microseconds each and no more than a hundredth less: what percentiles of
/// several runs together are made from.
fn counts_of(histogram: &Latencies) -> Vec<(f64, u64)> {
    let mut coarse = figures::coarse();
    // Same bounds, so adding cannot fail.
    let _ = coarse.add(histogram);
    let recorded = coarse.iter_recorded();
    recorded
        .map(|one| {
            let most = microseconds(one.value_iterated_to());
            (most, one.count_since_last_iteration())
        })
        .collect()
}

/// The part of a series that lies in whole seconds.
fn whole(series: &[u64], time: Option<Duration>) -> &[u64] {
    &series[..series.len().min(whole_seconds(time))]
}

fn p99_by_second(figures: &Figures, time: Option<Duration>) -> Vec<Option<f64>> {
    let seconds = figures.send_by_second.iter().take(whole_seconds(time));
    seconds.map(p99).collect()
}

/// The last message of a run of ten seconds comes just before they are over.
fn whole_seconds(time: Option<Duration>) -> usize {
    let seconds = (time.unwrap_or_default() + NEARLY).as_secs();
    usize::try_from(seconds).unwrap_or(usize::MAX)
}

fn p99(histogram: &Histogram<u32>) -> Option<f64> {
    (!histogram.is_empty()).then(|| microseconds(histogram.value_at_percentile(99.0)))
}

fn microseconds(nanoseconds: u64) -> f64 {
    round(nanoseconds as f64 / 1e3)
}

/// To the thousandth: more digits would pretend.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
