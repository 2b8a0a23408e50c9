//! A message comes in: it is given its place when it is submitted, and becomes
//! deliverable when it is durable (or at once, when nothing has to be stored
//! and nothing before it is still on its way).

use store::{QueueId, Seq, Work};

use super::entry::Entry;
use super::queue::QueueState;
use super::ranges::Ranges;
use crate::effects::Effects;
use crate::flow::Room;
use crate::limits::{MARK_STEP, READY_BYTES, READY_FLOOR_BYTES};

impl QueueState {
    /// Gives out the next place.
    pub(crate) fn next_place(&mut self) -> Seq {
        let seq = self.next_seq;
        self.next_seq = seq.next();
        seq
    }

    /// Gives out a place to a transaction that spills.
    pub(crate) fn stage_place(&mut self) -> Seq {
        let seq = self.next_place();
        self.cursor.stage(seq);
        seq
    }

    /// Makes the store know the queue before its first use.
    pub(crate) fn record(&mut self, id: QueueId, work: &mut Work) {
        if !self.recorded {
            self.recorded = true;
            work.queue(id, self.destination.physical_name.as_bytes());
        }
    }

    /// The work with the record in it was not taken.
    pub(crate) fn forget_record(&mut self) {
        self.recorded = false;
    }

    /// Takes the dispatch mark along with a message that will be dispatched as
    /// soon as it is durable. Without consumers, or behind a backlog, that is
    /// far off, and marking now would flag what nobody has seen.
    pub(crate) fn mark_along(&mut self, id: QueueId, seq: Seq, work: &mut Work) -> Option<Seq> {
        let soon = (self.ready.len() as u64) < MARK_STEP && self.cursor.caught_up();
        if self.subscriptions.is_empty() || !soon {
            return None;
        }
        let mark = self.mark.raise(seq)?;
        work.dispatch_mark(id, mark);
        Some(mark)
    }

    /// A submitted mark is durable.
    pub(crate) fn settle_mark(&mut self, mark: Seq) {
        self.mark.settle(mark);
    }

    /// Whether what is not stored has to go through the committer, so as not
    /// to overtake what is on its way.
    pub(crate) fn has_undurable(&self) -> bool {
        self.undurable > 0
    }

    /// Messages were submitted.
    pub(crate) fn submitted(&mut self, messages: usize) {
        self.undurable += messages;
    }

    /// A submitted message came through the committer. `room`: what there is
    /// in the broker's memory.
    pub(crate) fn arrive(&mut self, entry: Entry, room: Room, effects: &mut Effects) {
        self.undurable -= 1;
        if !entry.stored {
            return self.arrive_now(entry, effects);
        }
        self.counts.messages += 1;
        self.counts.enqueued += 1;
        if self.cursor.arrive(entry.seq, self.has_room(room)) {
            self.make_ready(entry, effects);
        }
    }

    /// A message that is not stored and overtakes nothing.
    pub(crate) fn arrive_now(&mut self, entry: Entry, effects: &mut Effects) {
        if self.removed {
            return;
        }
        self.counts.messages += 1;
        self.counts.enqueued += 1;
        self.make_ready(entry, effects);
    }

    /// A spilled transaction came through the committer.
    pub(crate) fn arrive_staged(&mut self, committed: &Ranges, dropped: &Ranges) {
        self.undurable -= 1;
        for seq in committed.iter() {
            self.cursor.unstage(seq, true);
            self.counts.messages += 1;
            self.counts.enqueued += 1;
        }
        self.forget_staged(dropped);
    }

    /// Of a spilled transaction nothing will ever be at these places.
    pub(crate) fn forget_staged(&mut self, seqs: &Ranges) {
        seqs.iter().for_each(|seq| self.cursor.unstage(seq, false));
    }

    /// Puts a message where consumers are served from.
    pub(super) fn make_ready(&mut self, entry: Entry, effects: &mut Effects) {
        effects.loaded += entry.size;
        self.put_back(entry);
    }

    /// The same for one that is in memory already.
    pub(super) fn put_back(&mut self, entry: Entry) {
        self.ready_bytes += entry.size;
        self.ready.insert(entry.seq, entry);
    }

    /// Another stored message may wait in memory.
    pub(super) fn has_room(&self, room: Room) -> bool {
        match (room, self.subscriptions.is_empty()) {
            (Room::Plenty | Room::Scarce, false) => self.ready_bytes < READY_BYTES,
            (Room::Plenty, true) => self.ready_bytes < READY_FLOOR_BYTES,
            // One at a time, so that no queue starves another.
            (Room::Full, false) => self.ready.is_empty(),
            (Room::Scarce | Room::Full, true) => false,
        }
    }
}
