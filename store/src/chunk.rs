//! A batch that is being filled, with the tokens that wait for it and where one unit of work ends and the next begins.
//!
//! The boundaries matter only when the journal is full: then acknowledgements go ahead and messages wait.

use crate::journal::Batch;
use crate::work::Work;

/// Work submitted together, in order.
pub(crate) struct Chunk<T> {
    pub(crate) batch: Batch,
    pub(crate) tokens: Vec<T>,
    units: Vec<Unit>,
}

/// One unit of work in a chunk.
#[derive(Clone, Copy)]
struct Unit {
    bytes: usize,
    count: u32,
    ordered: bool,
    token: bool,
}

impl<T> Chunk<T> {
    pub(crate) fn new() -> Self {
        Self {
            batch: Batch::new(),
            tokens: Vec::new(),
            units: Vec::new(),
        }
    }

    /// Appends one unit of work and who waits for it.
    pub(crate) fn add(&mut self, work: &Work, token: Option<T>) {
        let unit = Unit {
            bytes: work.bytes(),
            count: work.count(),
            ordered: work.is_ordered(),
            token: token.is_some(),
        };
        self.add_unit(unit, work.records(), token);
    }

    /// Whether no work, not even an empty one, is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Whether it holds records that must stay behind messages waiting for room.
    pub(crate) fn has_ordered(&self) -> bool {
        self.units.iter().any(|unit| unit.ordered && unit.bytes > 0)
    }

    /// Bytes of records in it.
    pub(crate) fn bytes(&self) -> usize {
        self.batch.records().len()
    }

    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.batch.clear();
        self.tokens.clear();
        self.units.clear();
    }

    /// Moves the units that may overtake waiting messages to `urgent` and the others to `ordered`.
    pub(crate) fn split(mut self, urgent: &mut Self, ordered: &mut Self) {
        let mut tokens = self.tokens.drain(..);
        let mut at = 0;
        for unit in &self.units {
            let records = &self.batch.records()[at..at + unit.bytes];
            at += unit.bytes;
            let token = if unit.token { tokens.next() } else { None };
            let to = if unit.ordered {
                &mut *ordered
            } else {
                &mut *urgent
            };
            to.add_unit(*unit, records, token);
        }
    }

    /// Takes in all of another chunk, behind what is here.
    pub(crate) fn append(&mut self, mut other: Self) {
        let count = other.units.iter().map(|unit| unit.count).sum();
        self.batch.append_encoded(other.batch.records(), count);
        self.tokens.append(&mut other.tokens);
        self.units.append(&mut other.units);
    }

    fn add_unit(&mut self, unit: Unit, records: &[u8], token: Option<T>) {
        self.batch.append_encoded(records, unit.count);
        self.tokens.extend(token);
        self.units.push(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{QueueId, Seq};

    #[test]
    fn splitting_keeps_order_and_tokens_on_both_sides() {
        let mut chunk = Chunk::new();
        for seq in 1..=3 {
            let mut work = Work::new();
            work.message(QueueId(1), Seq(seq), None, 0, b"m");
            chunk.add(&work, Some(seq));
            work.clear();
            work.removed(QueueId(1), &[Seq(seq + 10)]);
            chunk.add(&work, (seq != 2).then_some(seq + 10));
        }
        chunk.add(&Work::new(), Some(99));
        let (mut urgent, mut ordered) = (Chunk::new(), Chunk::new());
        let bytes = chunk.bytes();
        chunk.split(&mut urgent, &mut ordered);
        assert_eq!(ordered.tokens, [1, 2, 3, 99]);
        assert_eq!(urgent.tokens, [11, 13]);
        assert_eq!(urgent.bytes() + ordered.bytes(), bytes);
        let kinds = |chunk: &Chunk<u64>| crate::codec::decode_all(chunk.batch.records()).count();
        assert_eq!((kinds(&urgent), kinds(&ordered)), (3, 3));
    }
}
