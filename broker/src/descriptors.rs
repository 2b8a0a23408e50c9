//! Files that this process may have open: as many as the system allows, and
//! shared out so that sockets cannot take those of the store.
//!
//! A store that cannot open its next file is lost. So a socket too many must
//! cost that socket only, whatever the limit is that the process was given.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::{MAX_WAITING_SOCKETS, OWN_FILES, WANTED_FILES};

/// How many sockets may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Clients at once.
    pub(crate) clients: usize,
    /// Sockets that are no clients yet, at once.
    pub(crate) waiting: usize,
}

/// Asks for as many files as may be had. Where that is refused, what there is
/// has to do.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(WANTED_FILES);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(wanted);
        let _ = setrlimit(Resource::Nofile, Rlimit { current, ..limit });
    }
}

/// Places for so many clients, or as many as the limit allows.
pub(crate) fn places(clients: usize) -> Places {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let places = share(limit.unwrap_or(usize::MAX), clients);
    if places.clients < clients {
        tracing::warn!(
            limit,
            clients = places.clients,
            wanted = clients,
            "fewer clients are served at once: raise the limit of open files"
        );
    }
    places
}

fn share(limit: usize, clients: usize) -> Places {
    let sockets = limit - OWN_FILES.min(limit / 2);
    let waiting = MAX_WAITING_SOCKETS.min(sockets / 3);
    let clients = clients.min(sockets - waiting);
    Places { clients, waiting }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_leave_the_store_its_files() {
        for limit in [64, 200, 256, 1_024, 1_700, 2_000, 65_536, usize::MAX] {
            let Places { clients, waiting } = share(limit, 1_000);
            assert!(clients > 0 && waiting > 0, "{limit}");
            let left = limit - clients - waiting;
            assert!(left >= OWN_FILES.min(limit / 2), "{limit}: {left} are left");
        }
        let all = Places {
            clients: 1_000,
            waiting: MAX_WAITING_SOCKETS,
        };
        assert_eq!(share(65_536, 1_000), all);
    }

    #[test]
    fn the_limit_is_what_may_be_had() {
        raise();
        let limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.unwrap_or(WANTED_FILES);
        assert!(limit.current.is_none_or(|current| current >= wanted));
    }
}
