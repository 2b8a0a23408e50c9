//! Which operations of the simulated file system are to fail.

use std::io;

/// Kinds of operations that can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Listing a directory.
    List,
    /// Opening or reading a file.
    Read,
    /// Creating a directory.
    CreateDir,
    /// Creating a file.
    Create,
    /// A write without a sync: zero-fill, the new control file.
    Write,
    /// A synced write.
    WriteDurable,
    /// Syncing a file.
    Sync,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
    /// Syncing a directory.
    SyncDir,
}

/// What is to fail.
#[derive(Debug, Default)]
pub(super) struct Plan {
    faults: Vec<Fault>,
    /// From this operation of the record on everything fails: the disk is gone.
    dead_from: Option<usize>,
}

#[derive(Debug)]
struct Fault {
    kind: OpKind,
    /// So many of this kind still succeed.
    spared: u64,
    error: io::ErrorKind,
    lasting: bool,
}

impl Plan {
    pub(super) fn add(&mut self, kind: OpKind, spared: u64, error: io::ErrorKind, lasting: bool) {
        self.faults.push(Fault {
            kind,
            spared,
            error,
            lasting,
        });
    }

    pub(super) fn die_at(&mut self, op: usize) {
        self.dead_from = Some(op);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The error for an operation of this kind that would be number `op` of the record, if it is to fail.
    pub(super) fn check(&mut self, kind: OpKind, op: usize) -> Option<io::Error> {
        if self.dead_from.is_some_and(|dead| op >= dead) {
            return Some(io::Error::other("simulated: the disk is gone"));
        }
        let mut failed = None;
        for (at, fault) in self
            .faults
            .iter_mut()
            .enumerate()
            .filter(|(_, fault)| fault.kind == kind)
        {
            if fault.spared > 0 {
                fault.spared -= 1;
            } else {
                failed = Some((at, fault.error, fault.lasting));
                break;
            }
        }
        let (at, error, lasting) = failed?;
        if !lasting {
            self.faults.remove(at);
        }
        Some(io::Error::new(error, "simulated failure"))
    }
}
