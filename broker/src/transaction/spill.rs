//! A transaction that is too big for memory: its messages go into the journal
//! ahead of the commit, under a tag that makes them invisible until then.
//!
//! They are given their places in the queues now, and the queues know that
//! these places are not to be believed yet. Only the ids for the guard against
//! duplicates stay in memory: the guard may be told at the commit only, because
//! a client may roll back, or fail over, and send the same messages again.

use std::sync::Arc;

use store::{ProducerSequence, Seq, StagedId, Work};

use super::staged::{StagedSend, Transaction};
use crate::committer::{Receipt, Token};
use crate::destination::{Queue, Ranges};
use crate::message;
use crate::outgoing::Refusal;
use crate::peer::Cell;

/// What is in the journal.
pub(super) struct Spill {
    pub(super) id: StagedId,
    pub(super) parts: Vec<Part>,
    /// In the order of sending: the guard knows nothing of what lies far back.
    pub(super) sent: Vec<SentId>,
    /// Key of the producer of the last message, shared by its messages.
    last_key: Option<Arc<[u8]>>,
}

/// What is in the journal for one queue.
pub(super) struct Part {
    pub(super) queue: Arc<Queue>,
    pub(super) seqs: Ranges,
}

/// What the guard against duplicates needs to know of a message.
pub(super) struct SentId {
    /// Which part it belongs to.
    pub(super) part: usize,
    pub(super) seq: Seq,
    pub(super) producer: Arc<[u8]>,
    pub(super) sequence: u64,
}

impl Transaction {
    /// Moves what can be stored into the journal.
    pub(super) fn spill_over(&mut self, cell: &Arc<Cell>) -> Result<(), Refusal> {
        let store = &cell.engine.store;
        let spill = self.spill.get_or_insert_with(|| Spill {
            id: store.new_staged(),
            parts: Vec::new(),
            sent: Vec::new(),
            last_key: None,
        });
        let mut work = Work::new();
        let mut payload = Vec::new();
        let (mut spilled, noted) = (0, spill.sent.len());
        let mut kept = Vec::new();
        for send in self.sends.drain(..) {
            if send.queue.store_id().is_none() {
                kept.push(send);
                continue;
            }
            spill.add(&send, &mut work, &mut payload)?;
            spilled += send.size;
        }
        let id = spill.id;
        let notes = (spill.sent.len() - noted) * size_of::<SentId>();
        self.sends = kept;
        self.bytes = self.bytes - spilled + notes;
        self.storable = 0;
        self.notes += notes;
        if work.is_empty() {
            return Ok(());
        }
        cell.engine.memory.stage(notes);
        cell.engine.memory.unstage(spilled);
        if cell.engine.memory.book(0, spilled) {
            cell.engine.chores.let_in();
        }
        // A lost store is answered by nobody.
        if store.stage(id, work).is_ok() {
            cell.departed(spilled);
            cell.engine
                .submit(Work::new(), Token::Staged(Receipt::silent(cell, spilled)));
        }
        Ok(())
    }
}

impl Spill {
    fn add(
        &mut self,
        send: &StagedSend,
        work: &mut Work,
        payload: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let Some(id) = send.queue.store_id() else {
            return Ok(());
        };
        payload.clear();
        message::encode(&send.message, payload)?;
        let mut state = send.queue.lock();
        state.record(id, work);
        let seq = state.stage_place();
        drop(state);
        let part = self.part_of(&send.queue);
        self.parts[part].seqs.insert(seq);
        let sent = self.sent_id(send, part, seq);
        let producer = sent.as_ref().map(|sent| ProducerSequence {
            producer: &sent.producer,
            sequence: sent.sequence,
        });
        work.message(id, seq, producer, 0, payload);
        self.sent.extend(sent);
        Ok(())
    }

    fn sent_id(&mut self, send: &StagedSend, part: usize, seq: Seq) -> Option<SentId> {
        let (producer, sequence) = message::producer_sequence(&send.message)?;
        let key = message::producer_key(producer);
        let known = self.last_key.take().filter(|known| **known == *key);
        let producer = known.unwrap_or_else(|| key.into());
        self.last_key = Some(Arc::clone(&producer));
        Some(SentId {
            part,
            seq,
            producer,
            sequence,
        })
    }

    fn part_of(&mut self, queue: &Arc<Queue>) -> usize {
        let known = self
            .parts
            .iter()
            .position(|part| Arc::ptr_eq(&part.queue, queue));
        known.unwrap_or_else(|| {
            let queue = Arc::clone(queue);
            self.parts.push(Part {
                queue,
                seqs: Ranges::default(),
            });
            self.parts.len() - 1
        })
    }

    pub(super) fn roll_back(self, cell: &Cell) {
        let mut work = Work::new();
        work.staged_rollback(self.id);
        cell.engine.submit_unawaited(&mut work);
        for part in self.parts {
            part.queue.lock().forget_staged(&part.seqs);
        }
    }
}
