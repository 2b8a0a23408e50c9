//! Whether a queue kept its promises: nothing lost, nothing twice without saying so, each producer's messages in order.
//!
//! Each consumer of a queue has a judge of its own, so that judging needs no lock; at the end those of one queue are
//! brought together, which is when duplicates across consumers and losses show. A flagged message may be a repetition
//! and may come late; it is counted and forgiven.

use std::collections::{BTreeSet, HashMap};

use super::body::Identity;
use super::limits::MOST_STREAMS;
use super::seen::Seen;

/// Whose messages are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jurisdiction {
    /// Those of this run; all others are foreign.
    Run(u16),
    /// All that look like a bench's: nobody sends, so what is there is of earlier runs.
    All,
}

/// What one producer has sent to one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Sequences below this were used.
    pub(super) next: u64,
    /// Those that were refused, or never answered.
    pub(super) unsure: BTreeSet<u64>,
}

impl Sent {
    /// How many were confirmed.
    pub(super) fn confirmed(&self) -> u64 {
        self.next - self.unsure.len() as u64
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ours, and the first time that this judge sees it.
    New,
    /// Ours, and perhaps or certainly not for the first time.
    Again,
    /// Not ours.
    Foreign,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Deliveries that were not foreign.
    pub(super) received: u64,
    pub(super) foreign: u64,
    /// Deliveries that were flagged as redelivered.
    pub(super) redelivered: u64,
    /// Deliveries of a message that was there already, without the flag.
    pub(super) duplicates: u64,
    pub(super) out_of_order: u64,
    pub(super) lost: u64,
}

impl Counts {
    /// Adds another's.
    pub(super) fn add(&mut self, other: Self) {
        self.received += other.received;
        self.foreign += other.foreign;
        self.redelivered += other.redelivered;
        self.duplicates += other.duplicates;
        self.out_of_order += other.out_of_order;
        self.lost += other.lost;
    }

    /// Whether a promise was broken.
    pub(super) fn is_broken(&self) -> bool {
        self.lost + self.duplicates + self.out_of_order > 0
    }
}

/// A run and a producer of it.
type Source = (u16, u16);

/// What was seen of one source.
#[derive(Default)]
struct Stream {
    seen: Seen,
    /// Those that were flagged.
    flagged: Seen,
    /// One above the highest.
    next: u64,
}

/// One consumer's judge.
pub(super) struct Judge {
    jurisdiction: Jurisdiction,
    places: HashMap<Source, usize>,
    streams: Vec<Stream>,
    /// The last delivery's: the next is often of the same.
    recent: Option<(Source, usize)>,
    counts: Counts,
}

impl Judge {
    pub(super) fn new(jurisdiction: Jurisdiction) -> Self {
        Self {
            jurisdiction,
            places: HashMap::new(),
            streams: Vec::new(),
            recent: None,
            counts: Counts::default(),
        }
    }

    /// Looks at a delivery.
    pub(super) fn take(&mut self, identity: Option<Identity>, flagged: bool) -> Verdict {
        let place = identity.and_then(|identity| Some((identity, self.place(&identity)?)));
        let Some((identity, place)) = place else {
            self.counts.foreign += 1;
            return Verdict::Foreign;
        };
        let stream = &mut self.streams[place];
        self.counts.received += 1;
        let is_new = stream.seen.insert(identity.sequence);
        let is_late = identity.sequence < stream.next;
        stream.next = stream.next.max(identity.sequence + 1);
        if flagged {
            stream.flagged.insert(identity.sequence);
            self.counts.redelivered += 1;
            return Verdict::Again;
        }
        if !is_new {
            self.counts.duplicates += 1;
            return Verdict::Again;
        }
        self.counts.out_of_order += u64::from(is_late);
        Verdict::New
    }

    fn place(&mut self, identity: &Identity) -> Option<usize> {
        let source = (identity.run, identity.producer);
        if let Some((recent, place)) = self.recent
            && recent == source
        {
            return Some(place);
        }
        if matches!(self.jurisdiction, Jurisdiction::Run(run) if run != identity.run) {
            return None;
        }
        let place = match self.places.get(&source) {
            Some(&place) => place,
            None if self.streams.len() >= MOST_STREAMS => return None,
            None => {
                self.streams.push(Stream::default());
                self.places.insert(source, self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        self.recent = Some((source, place));
        Some(place)
    }
}

/// Brings the judges of one queue together, and looks for what `sent` says was sent to it, by producer.
pub(super) fn conclude(judges: Vec<Judge>, run: u16, sent: &[Sent]) -> Counts {
    let mut counts = Counts::default();
    let mut all: HashMap<Source, Stream> = HashMap::new();
    for judge in judges {
        counts.add(judge.counts);
        let mut streams = judge.streams;
        for (source, place) in judge.places {
            let stream = std::mem::take(&mut streams[place]);
            match all.get_mut(&source) {
                Some(known) => counts.duplicates += unite(known, &stream),
                None => {
                    all.insert(source, stream);
                }
            }
        }
    }
    for (producer, sent) in sent.iter().enumerate() {
        let source = u16::try_from(producer).map(|producer| (run, producer));
        let seen = source.ok().and_then(|source| all.get(&source));
        counts.lost += missing(sent, seen.map(|stream| &stream.seen));
    }
    counts
}

/// Adds a stream, and counts what both had although neither said so.
fn unite(known: &mut Stream, other: &Stream) -> u64 {
    let mut duplicates = 0;
    for number in other.flagged.iter() {
        known.flagged.insert(number);
    }
    for number in other.seen.iter() {
        let is_new = known.seen.insert(number);
        duplicates += u64::from(!is_new && !known.flagged.contains(number));
    }
    duplicates
}

fn missing(sent: &Sent, seen: Option<&Seen>) -> u64 {
    let has = |number: u64| seen.is_some_and(|seen| seen.contains(number));
    // The quick way, since nearly always nothing is missing.
    if sent.unsure.is_empty() && seen.is_some_and(|seen| seen.len() == sent.next) {
        return 0;
    }
    let wanted = (0..sent.next).filter(|number| !sent.unsure.contains(number));
    wanted.filter(|&number| !has(number)).count() as u64
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
