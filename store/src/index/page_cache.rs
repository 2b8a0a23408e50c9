//! Which pages are in memory, how much they take, and which may leave.
//!
//! A clock: each page that comes into memory gets a ticket at the end of the line; at the front, one that was used since
//! goes to the end again, one that is as in the database leaves. The pages themselves are in their queues.

use std::collections::VecDeque;

use crate::position::QueueId;

/// Looks at this many pages at most when one is loaded, so that nobody waits for a long search.
const EVICT_STEP: usize = 64;

/// A queue and the number of a page of it.
pub(super) type PageName = (QueueId, u64);

/// What to do with the page at the front of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not in memory any more, or has another ticket: the line forgets it.
    Stale,
    /// It stays for another round.
    Stays,
    /// It has left memory; it took so many bytes.
    Left(usize),
}

/// See the module.
pub(super) struct PageCache {
    limit: usize,
    bytes: usize,
    pages: usize,
    next_ticket: u64,
    line: VecDeque<(PageName, u64)>,
    /// Pages that the next checkpoint looks at; some may have gone since.
    dirty: Vec<PageName>,
}

impl PageCache {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            pages: 0,
            next_ticket: 0,
            line: VecDeque::new(),
            dirty: Vec::new(),
        }
    }

    /// A page came into memory; answers its ticket.
    pub(super) fn enter(&mut self, name: PageName, bytes: usize) -> u64 {
        self.next_ticket += 1;
        self.pages += 1;
        self.bytes += bytes;
        self.line.push_back((name, self.next_ticket));
        self.next_ticket
    }

    pub(super) fn leave(&mut self, bytes: usize) {
        self.pages -= 1;
        self.bytes -= bytes;
    }

    pub(super) fn resized(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes - before + after;
    }

    pub(super) fn list_dirty(&mut self, name: PageName) {
        self.dirty.push(name);
    }

    pub(super) fn take_dirty(&mut self) -> Vec<PageName> {
        std::mem::take(&mut self.dirty)
    }

    pub(super) fn dirty_pages(&self) -> usize {
        self.dirty.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the line holds more that is gone than what is there.
    pub(super) fn is_stale(&self) -> bool {
        self.line.len() > 2 * self.pages + EVICT_STEP
    }

    /// Drops from the line what is not in memory under that ticket.
    pub(super) fn prune(&mut self, is_there: impl Fn(PageName, u64) -> bool) {
        self.line.retain(|(name, ticket)| is_there(*name, *ticket));
    }

    /// Goes along the line while there is too much in memory: a few steps, or all of it twice if `thorough`.
    pub(super) fn evict(
        &mut self,
        thorough: bool,
        mut judge: impl FnMut(PageName, u64) -> Verdict,
    ) {
        let steps = if thorough {
            self.line.len() * 2
        } else {
            EVICT_STEP
        };
        for _ in 0..steps {
            if self.bytes <= self.limit {
                return;
            }
            let Some((name, ticket)) = self.line.pop_front() else {
                return;
            };
            match judge(name, ticket) {
                Verdict::Stale => {}
                Verdict::Stays => self.line.push_back((name, ticket)),
                Verdict::Left(bytes) => self.leave(bytes),
            }
        }
    }
}
