//! Random but valid work: what a broker could submit, from a seed.

use std::collections::BTreeMap;

use super::model::{PRODUCERS, Step, Unit};
use crate::{QueueId, Seq, StagedId};

/// A small generator of its own, so that a seed means the same for ever.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// Makes one unit of work after the other.
pub(crate) struct Script {
    random: Random,
    queues: BTreeMap<QueueId, Queue>,
    sequences: BTreeMap<u8, u64>,
    open: Option<Open>,
}

#[derive(Default)]
struct Queue {
    next: u64,
    live: Vec<Seq>,
    mark: u64,
}

struct Open {
    id: StagedId,
    messages: Vec<(QueueId, Seq)>,
}

/// Hands out ids as the store does.
pub(crate) struct Ids<'a> {
    pub(crate) queue: &'a dyn Fn() -> QueueId,
    pub(crate) staged: &'a dyn Fn() -> StagedId,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            queues: BTreeMap::new(),
            sequences: BTreeMap::new(),
            open: None,
        }
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// After a restart: what was staged is void.
    pub(crate) fn restart(&mut self) {
        self.open = None;
    }

    /// The next unit of work.
    pub(crate) fn next(&mut self, ids: &Ids<'_>) -> Unit {
        if self.queues.len() < 2 {
            return self.new_queue(ids);
        }
        match self.random.below(40) {
            0 => self.new_queue(ids),
            1 if self.queues.len() > 3 => self.remove_queue(),
            2..=5 => self.stage(ids),
            6 => self.end_staged(),
            7..=8 => self.mark(),
            9..=11 => self.redeliver(),
            12..=22 => self.acknowledge(),
            23..=26 => self.transaction(),
            _ => Unit::Work(vec![self.message()]),
        }
    }

    fn new_queue(&mut self, ids: &Ids<'_>) -> Unit {
        let id = (ids.queue)();
        let before = self.queues.insert(
            id,
            Queue {
                next: 1,
                ..Queue::default()
            },
        );
        assert!(before.is_none(), "{id} was given out twice");
        Unit::Work(vec![Step::Queue(
            id,
            format!("queue-{}", id.0).into_bytes(),
        )])
    }

    fn remove_queue(&mut self) -> Unit {
        let id = self.any_queue();
        self.queues.remove(&id);
        Unit::Work(vec![Step::QueueRemoved(id)])
    }

    fn message(&mut self) -> Step {
        let step = self.hidden_message();
        if let Step::Message { queue, seq, .. } = &step {
            self.queues
                .get_mut(queue)
                .expect("chosen from them")
                .live
                .push(*seq);
        }
        step
    }

    /// A message that is not live yet.
    fn hidden_message(&mut self) -> Step {
        let queue = self.any_queue();
        let at = self.queues.get_mut(&queue).expect("chosen from them");
        let seq = Seq(at.next);
        at.next += 1;
        let len = if self.random.below(30) == 0 {
            20_000
        } else {
            self.random.below(3_000)
        };
        let fill = u8::try_from(self.random.below(256)).expect("below 256");
        let mut payload = vec![fill; usize::try_from(len).expect("small")];
        payload.extend_from_slice(format!("{queue} {seq}").as_bytes());
        let producer = (self.random.below(3) > 0).then(|| {
            let producer = u8::try_from(self.random.below(u64::from(PRODUCERS))).expect("few");
            let sequence = self.sequences.entry(producer).or_insert(0);
            *sequence += 1;
            (producer, *sequence)
        });
        Step::Message {
            queue,
            seq,
            producer,
            payload,
        }
    }

    fn acknowledge(&mut self) -> Unit {
        let queue = self.any_queue();
        let seqs = self.take_live(queue);
        Unit::Work(vec![Step::Removed(queue, seqs)])
    }

    fn take_live(&mut self, queue: QueueId) -> Vec<Seq> {
        let live = &mut self.queues.get_mut(&queue).expect("chosen from them").live;
        let count = self.random.below(1 + live.len() as u64);
        let from_front = self.random.below(4) > 0;
        let count = usize::try_from(count).expect("few");
        if from_front {
            live.drain(..count).collect()
        } else {
            live.split_off(live.len() - count)
        }
    }

    fn transaction(&mut self) -> Unit {
        let mut steps = Vec::new();
        for _ in 0..=self.random.below(4) {
            steps.push(self.message());
        }
        let queue = self.any_queue();
        steps.push(Step::Removed(queue, self.take_live(queue)));
        let transaction = u8::try_from(self.random.below(u64::from(PRODUCERS))).expect("few");
        steps.push(Step::Outcome(transaction, self.random.below(2) == 0));
        Unit::Work(steps)
    }

    fn stage(&mut self, ids: &Ids<'_>) -> Unit {
        let mut open = self.open.take().unwrap_or_else(|| Open {
            id: (ids.staged)(),
            messages: Vec::new(),
        });
        let mut steps = Vec::new();
        for _ in 0..=self.random.below(3) {
            let step = self.hidden_message();
            if let Step::Message { queue, seq, .. } = &step {
                open.messages.push((*queue, *seq));
            }
            steps.push(step);
        }
        let queue = self.any_queue();
        steps.push(Step::Removed(queue, self.take_live(queue)));
        let id = open.id;
        self.open = Some(open);
        Unit::Stage(id, steps)
    }

    fn end_staged(&mut self) -> Unit {
        let Some(open) = self.open.take() else {
            return self.acknowledge();
        };
        if self.random.below(4) == 0 {
            return Unit::Work(vec![Step::StagedRollback(open.id)]);
        }
        for (queue, seq) in open.messages {
            if let Some(queue) = self.queues.get_mut(&queue) {
                queue.live.push(seq);
            }
        }
        Unit::Work(vec![Step::Outcome(0, true), Step::StagedCommit(open.id)])
    }

    fn mark(&mut self) -> Unit {
        let id = self.any_queue();
        let queue = self.queues.get_mut(&id).expect("chosen from them");
        queue.mark = queue.mark.max(queue.next + self.random.below(10));
        Unit::Work(vec![Step::Mark(id, Seq(queue.mark))])
    }

    fn redeliver(&mut self) -> Unit {
        let id = self.any_queue();
        let live = &self.queues[&id].live;
        if live.is_empty() {
            return Unit::Work(Vec::new());
        }
        let at = usize::try_from(self.random.below(live.len() as u64)).expect("few");
        let count = u16::try_from(1 + self.random.below(9)).expect("few");
        Unit::Work(vec![Step::Redelivered(id, live[at], count)])
    }

    fn any_queue(&mut self) -> QueueId {
        let at = usize::try_from(self.random.below(self.queues.len() as u64)).expect("few");
        *self.queues.keys().nth(at).expect("below their number")
    }
}
