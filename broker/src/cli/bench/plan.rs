//! What a run does: plain data, checked, and who of it does what.

use std::time::Duration;

use client::{AckMode, BrokerUri};
use wire::openwire::Destination;

/// How producers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Each message is waited for.
    OneByOne,
    /// So many may be without an answer.
    Pipelined(usize),
    /// Nobody answers.
    Unanswered,
    /// So many to a commit, which is waited for.
    Transactions(usize),
}

/// How consumers acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// Ranges of what was consumed, without waiting.
    Auto,
    /// Every message by itself, without waiting.
    Each,
    /// Ranges of what was consumed, waiting.
    Client,
    /// Every message by itself, waiting.
    Individual,
    /// So many to a commit, which is waited for.
    Transactions(usize),
}

impl Ack {
    /// The session that does so.
    pub(super) fn mode(self) -> AckMode {
        match self {
            Self::Auto => AckMode::DupsOk,
            Self::Each => AckMode::Auto,
            Self::Client => AckMode::Client,
            Self::Individual => AckMode::Individual,
            Self::Transactions(_) => AckMode::Transacted,
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) urls: Vec<BrokerUri>,
    pub(super) queues: Vec<Destination>,
    pub(super) producers: usize,
    /// Of the producers together.
    pub(super) connections: usize,
    pub(super) consumers: usize,
    pub(super) size: usize,
    pub(super) messages: Option<u64>,
    pub(super) duration: Option<Duration>,
    pub(super) rate: Option<u32>,
    pub(super) sending: Sending,
    pub(super) persistent: bool,
    pub(super) ack: Ack,
    pub(super) prefetch: u16,
    pub(super) warmup: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) threads: usize,
}

impl Plan {
    /// How many of the messages producer `index` sends.
    pub(super) fn share(&self, index: usize) -> u64 {
        let Some(messages) = self.messages else {
            return u64::MAX;
        };
        let producers = self.producers as u64;
        messages / producers + u64::from((index as u64) < messages % producers)
    }

    /// The queues of consumer `index`: its share of them or, when there are more consumers than queues, its one.
    pub(super) fn queues_of(&self, index: usize) -> Vec<usize> {
        let queues = self.queues.len();
        if self.consumers >= queues {
            return vec![index % queues];
        }
        (index..queues).step_by(self.consumers).collect()
    }

    /// The queues that producer `index` sends to in turn: all, or its share where they are more than producers.
    pub(super) fn targets_of(&self, index: usize) -> Vec<usize> {
        let queues = self.queues.len();
        if self.producers >= queues {
            return (0..queues).collect();
        }
        (index..queues).step_by(self.producers).collect()
    }

    /// The producers on connection `line`.
    pub(super) fn producers_on(&self, line: usize) -> impl Iterator<Item = usize> {
        (line..self.producers).step_by(self.connections)
    }

    /// Deliveries of one acknowledgement at most, where the consumer itself decides: half of what comes ahead, so that
    /// more comes meanwhile.
    pub(super) fn ack_batch(&self) -> usize {
        match self.ack {
            Ack::Transactions(count) => count,
            Ack::Individual => 1,
            Ack::Auto | Ack::Each | Ack::Client => usize::from(self.prefetch / 2).max(1),
        }
    }

    /// Whether what is received was sent by others.
    pub(super) fn is_drain(&self) -> bool {
        self.producers == 0
    }

    /// Those of `count` that thread `lane` takes care of.
    pub(super) fn lane(&self, lane: usize, count: usize) -> impl Iterator<Item = usize> {
        (lane..count).step_by(self.threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(producers: usize, consumers: usize, queues: usize) -> Plan {
        Plan {
            urls: Vec::new(),
            queues: vec![Destination::queue("q"); queues],
            producers,
            connections: producers,
            consumers,
            size: 16,
            messages: Some(10),
            duration: None,
            rate: None,
            sending: Sending::OneByOne,
            persistent: true,
            ack: Ack::Auto,
            prefetch: 1,
            warmup: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            threads: 2,
        }
    }

    #[test]
    fn every_queue_has_a_producer_and_every_producer_a_queue() {
        for (producers, queues) in [(1, 1), (4, 1), (1, 5), (2, 5), (5, 5)] {
            let plan = plan(producers, 1, queues);
            let all: Vec<Vec<usize>> = (0..producers).map(|one| plan.targets_of(one)).collect();
            assert!(all.iter().all(|queues| !queues.is_empty()));
            assert!((0..queues).all(|queue| all.iter().flatten().any(|&one| one == queue)));
        }
    }

    #[test]
    fn shares_add_up() {
        for producers in [1, 3, 10, 11] {
            let plan = plan(producers, 1, 1);
            let all: u64 = (0..producers).map(|index| plan.share(index)).sum();
            assert_eq!(all, 10, "{producers}");
        }
    }

    #[test]
    fn every_queue_has_a_consumer_and_every_consumer_a_queue() {
        for (consumers, queues) in [(1, 1), (4, 1), (4, 3), (1, 5), (2, 5), (5, 5)] {
            let plan = plan(1, consumers, queues);
            let all: Vec<Vec<usize>> = (0..consumers).map(|index| plan.queues_of(index)).collect();
            assert!(all.iter().all(|queues| !queues.is_empty()));
            for queue in 0..queues {
                let count = all.iter().flatten().filter(|&&one| one == queue).count();
                let least = (consumers / queues).max(1);
                assert!((least..=least + 1).contains(&count), "{consumers} {queues}");
            }
        }
    }

    #[test]
    fn every_producer_is_on_one_connection() {
        let mut plan = plan(5, 1, 1);
        plan.connections = 2;
        let lines: Vec<Vec<usize>> = (0..2)
            .map(|line| plan.producers_on(line).collect())
            .collect();
        assert_eq!(lines, [vec![0, 2, 4], vec![1, 3]]);
    }

    #[test]
    fn lanes_share_everybody_out() {
        let plan = plan(5, 1, 1);
        let mut all: Vec<usize> = (0..2).flat_map(|lane| plan.lane(lane, 5)).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }
}
