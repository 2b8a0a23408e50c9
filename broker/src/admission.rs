//! Who may hold a socket: the bounds on clients and on sockets that have not
//! become clients yet.
//!
//! A socket starts as a waiting one. When too many wait, the oldest silent one
//! goes, then the oldest spare one: a flood of half-open sockets must not keep
//! clients out. A socket becomes a client with its ConnectionInfo; at the limit
//! of clients it is refused. Not here: who the client is (`engine`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The bounds of one broker, shared by its listeners.
pub(crate) struct Admission {
    waiting: Mutex<Waiting>,
    waiting_limit: usize,
    clients: Arc<Semaphore>,
    clients_limit: usize,
    /// Cancelled when every socket must go.
    stop: CancellationToken,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    sockets: BTreeMap<u64, Socket>,
}

struct Socket {
    /// It has said its WireFormatInfo: a spare socket of a failover client, or
    /// a client about to connect.
    spoke: bool,
    evict: CancellationToken,
}

/// A socket's place among those that wait; given back on drop.
pub(crate) struct WaitingPlace {
    id: u64,
    admission: Arc<Admission>,
    over: CancellationToken,
}

/// A client's place; given back on drop.
pub(crate) struct ClientPlace(#[allow(dead_code)] OwnedSemaphorePermit);

impl Admission {
    /// Bounds for `clients_limit` clients and `waiting_limit` waiting sockets, which all go with `stop`.
    pub(crate) fn new(
        clients_limit: usize,
        waiting_limit: usize,
        stop: CancellationToken,
    ) -> Arc<Admission> {
        let permits = clients_limit.min(Semaphore::MAX_PERMITS);
        Arc::new(Admission {
            waiting: Mutex::default(),
            waiting_limit,
            clients: Arc::new(Semaphore::new(permits)),
            clients_limit,
            stop,
        })
    }

    /// Takes a place for a new socket. True in the answer says that another
    /// one was evicted for it.
    pub(crate) fn wait(self: &Arc<Self>) -> (WaitingPlace, bool) {
        let over = self.stop.child_token();
        let mut waiting = self.lock();
        let evicted = waiting.sockets.len() >= self.waiting_limit && waiting.evict_one();
        let id = waiting.next;
        waiting.next += 1;
        let socket = Socket {
            spoke: false,
            evict: over.clone(),
        };
        waiting.sockets.insert(id, socket);
        drop(waiting);
        let place = WaitingPlace {
            id,
            admission: Arc::clone(self),
            over,
        };
        (place, evicted)
    }

    /// A place among the clients, if there is one at once.
    pub(crate) fn client(&self) -> Option<ClientPlace> {
        let permit = Arc::clone(&self.clients).try_acquire_owned().ok()?;
        Some(ClientPlace(permit))
    }

    /// How many clients are served at once.
    pub(crate) fn clients_limit(&self) -> usize {
        self.clients_limit
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change under this lock is one map operation.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn evict_one(&mut self) -> bool {
        let silent = self.sockets.iter().find(|(_, socket)| !socket.spoke);
        let Some((&id, _)) = silent.or_else(|| self.sockets.first_key_value()) else {
            return false;
        };
        if let Some(socket) = self.sockets.remove(&id) {
            socket.evict.cancel();
        }
        true
    }
}

impl WaitingPlace {
    /// The socket said which format it speaks.
    pub(crate) fn spoke(&self) {
        if let Some(socket) = self.admission.lock().sockets.get_mut(&self.id) {
            socket.spoke = true;
        }
    }

    /// Cancelled when the place was needed for another, or every socket must go. Whoever ends this socket for a reason of
    /// its own may cancel it too: one thing to watch with every read.
    pub(crate) fn over(&self) -> &CancellationToken {
        &self.over
    }
}

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        self.admission.lock().sockets.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_sockets_go_before_spare_ones() {
        let admission = Admission::new(10, 2, CancellationToken::new());
        let (spare, none) = admission.wait();
        spare.spoke();
        let (silent, _) = admission.wait();
        assert!(!none);
        let (newest, evicted) = admission.wait();
        assert!(evicted && silent.over().is_cancelled());
        assert!(!spare.over().is_cancelled());
        newest.spoke();
        let (_last, evicted) = admission.wait();
        assert!(evicted && spare.over().is_cancelled());
    }

    #[test]
    fn places_come_back() {
        let admission = Admission::new(1, 1, CancellationToken::new());
        let first = admission.client();
        assert!(first.is_some() && admission.client().is_none());
        drop(first);
        assert!(admission.client().is_some());
        drop(admission.wait());
        assert!(!admission.wait().1);
    }
}
