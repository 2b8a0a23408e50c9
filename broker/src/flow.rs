//! How much may be under way: messages in memory, and bytes that clients have
//! sent and that are neither durable nor placed yet.
//!
//! Guarantee: at a limit producers wait, consumers go on. Who waits is told
//! when there is room; nobody polls.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

use tokio::sync::Notify;

use crate::limits::{IN_FLIGHT_BYTES, STAGED_PART};
use crate::peer::Cell;

/// How much memory there is for another stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Less than half is used: messages may stay that nobody waits for yet.
    Plenty,
    /// For messages that consumers wait for.
    Scarce,
    /// For what nobody could go on without.
    Full,
}

/// Bytes of messages in memory.
pub(crate) struct Memory {
    used: AtomicUsize,
    /// Of that, what open transactions hold.
    staged: AtomicUsize,
    limit: usize,
    /// Somebody was turned away and waits for room.
    starved: AtomicBool,
    waiting: Mutex<Vec<Weak<Cell>>>,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Memory {
        Memory {
            used: AtomicUsize::new(0),
            staged: AtomicUsize::new(0),
            limit,
            starved: AtomicBool::new(false),
            waiting: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.used.load(Ordering::SeqCst) < self.limit
    }

    pub(crate) fn room(&self) -> Room {
        let used = self.used.load(Ordering::SeqCst);
        match used {
            _ if used < self.limit / 2 => Room::Plenty,
            _ if used < self.limit => Room::Scarce,
            _ => Room::Full,
        }
    }

    /// Whether open transactions of all connections together leave enough to
    /// everything else.
    pub(crate) fn has_room_for_transactions(&self) -> bool {
        self.staged.load(Ordering::SeqCst) < self.limit / STAGED_PART
    }

    /// Books what a transaction takes.
    pub(crate) fn stage(&self, bytes: usize) {
        self.staged.fetch_add(bytes, Ordering::SeqCst);
        self.book(bytes, 0);
    }

    /// A transaction gives this up; it stays booked as used until it is
    /// released.
    pub(crate) fn unstage(&self, bytes: usize) {
        self.staged.fetch_sub(bytes, Ordering::SeqCst);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Books a change. True: those who wait should be let in.
    pub(crate) fn book(&self, loaded: usize, released: usize) -> bool {
        if loaded > 0 {
            self.used.fetch_add(loaded, Ordering::SeqCst);
        }
        if released > 0 {
            self.used.fetch_sub(released, Ordering::SeqCst);
        }
        // `wait` sets `starved` before it looks at `used` again, so either this
        // thread sees the wish or that thread sees the room.
        self.has_room() && self.starved.load(Ordering::SeqCst)
    }

    /// Remembers a client that waits for room. False: there is room already,
    /// so let it in.
    pub(crate) fn wait(&self, cell: Weak<Cell>) -> bool {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(cell);
        self.starved.store(true, Ordering::SeqCst);
        !self.has_room()
    }

    /// Takes those who wait.
    pub(crate) fn take_waiting(&self) -> Vec<Weak<Cell>> {
        self.starved.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Bytes under way of all connections.
#[derive(Default)]
pub(crate) struct Traffic {
    bytes: AtomicUsize,
    /// Told when there is room again.
    pub(crate) room: Notify,
}

impl Traffic {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes() < IN_FLIGHT_BYTES
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(crate) fn subtract(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before >= IN_FLIGHT_BYTES && before - bytes < IN_FLIGHT_BYTES {
            self.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_remembered_until_there_is_room() {
        let memory = Memory::new(100);
        assert!(!memory.book(100, 0));
        assert!(!memory.has_room());
        assert!(memory.wait(Weak::new()), "full: has to wait");
        assert!(!memory.book(50, 50), "still full");
        assert!(memory.book(0, 1), "room, and somebody waits");
        assert_eq!(memory.take_waiting().len(), 1);
        assert!(!memory.book(0, 1), "nobody waits any more");
        assert!(!memory.wait(Weak::new()), "room already");
        assert_eq!(memory.used(), 98);
    }
}
