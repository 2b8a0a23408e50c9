//! The simulated file system as the store sees it, and the handles by which a test drives it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Choice, Disk, Node};
use super::fault::{OpKind, Plan};
use super::file::{SimRead, SimRemains, SimSegment};
use super::op::{Data, Op};
use crate::fs::contract::{Fs, ReadFile, Remains, SegmentFile};

/// A file system in memory. Clones are the same file system.
#[derive(Clone, Debug, Default)]
pub struct SimFs {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The state before the first recorded operation.
    base: Disk,
    disk: Disk,
    ops: Vec<Op>,
    plan: Plan,
    space: Option<u64>,
    next_inode: u64,
    locked: BTreeSet<u64>,
}

impl SimFs {
    /// An empty one; only `/` exists.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next `spared` operations of this kind succeed, the one after them fails, and with `lasting` all that follow.
    /// A failed write may have reached the disk in part; a failed sync makes nothing durable, ever.
    pub fn fail(&self, kind: OpKind, spared: u64, error: io::ErrorKind, lasting: bool) {
        self.shared().plan.add(kind, spared, error, lasting);
    }

    /// Operation number `op` of the record and everything after it fails.
    pub fn die_at(&self, op: usize) {
        self.shared().plan.die_at(op);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.shared().plan.clear();
    }

    /// The disk has this many bytes in all, or has no end.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.shared().space = bytes;
    }

    /// Notes something in the record of operations.
    pub fn mark(&self, mark: u64) {
        self.shared().ops.push(Op::Mark(mark));
    }

    /// How many operations were recorded.
    #[must_use]
    pub fn op_count(&self) -> usize {
        self.shared().ops.len()
    }

    /// The recorded operations.
    #[must_use]
    pub fn ops(&self) -> Vec<Op> {
        self.shared().ops.clone()
    }

    /// The file system after a crash right now. Handles of this one stay with this one.
    #[must_use]
    pub fn crash(&self, choice: Choice) -> Self {
        let shared = self.shared();
        Self::on(shared.disk.crashed(choice), shared.next_inode)
    }

    /// The file system after a crash during operation number `op`, which had begun and not completed.
    #[must_use]
    pub fn crash_at(&self, op: usize, choice: Choice) -> Self {
        let shared = self.shared();
        Self::on(shared.disk_at(op).crashed(choice), shared.next_inode)
    }

    /// The file system after the process was killed during operation number `op`: everything begun can be read, and what
    /// was not synced may still vanish in a later crash.
    #[must_use]
    pub fn killed_at(&self, op: usize) -> Self {
        let shared = self.shared();
        Self::on(shared.disk_at(op), shared.next_inode)
    }

    /// Calls `visit` with the number of operations completed, the marks noted by then and the file system after the crash,
    /// for every operation and every choice.
    pub fn for_each_crash(&self, choices: &[Choice], mut visit: impl FnMut(usize, &[u64], SimFs)) {
        let (mut disk, ops, next_inode) = {
            let shared = self.shared();
            (shared.base.clone(), shared.ops.clone(), shared.next_inode)
        };
        let mut marks = Vec::new();
        for at in 0..=ops.len() {
            let mut begun = disk.clone();
            if let Some(op) = ops.get(at) {
                begun.begin(op);
            }
            for choice in choices {
                visit(at, &marks, Self::on(begun.crashed(*choice), next_inode));
            }
            if let Some(op) = ops.get(at) {
                disk.apply(op);
                marks.extend(if let Op::Mark(mark) = op {
                    Some(*mark)
                } else {
                    None
                });
            }
        }
    }

    /// What can be read from a file now.
    ///
    /// # Panics
    /// When there is no such file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Vec<u8> {
        let shared = self.shared();
        let inode = shared
            .file(path)
            .expect("the test names a file that exists");
        shared.disk.content(inode).to_vec()
    }

    /// Changes a file behind the store's back, durably and without a record: damage.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn edit(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut shared = self.shared();
        let inode = shared
            .file(path)
            .expect("the test names a file that exists");
        shared.disk.edit(inode, change);
        // The record starts anew: what it could replay no longer leads here.
        shared.base = shared.disk.clone();
        shared.ops.clear();
    }

    /// An independent copy, with nothing recorded yet.
    #[must_use]
    pub fn copy(&self) -> Self {
        let shared = self.shared();
        Self::on(shared.disk.clone(), shared.next_inode)
    }

    fn on(disk: Disk, next_inode: u64) -> Self {
        let shared = Shared {
            base: disk.clone(),
            disk,
            next_inode,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn disk_at(&self, op: usize) -> Disk {
        let mut disk = self.base.clone();
        for done in &self.ops[..op] {
            disk.apply(done);
        }
        if let Some(begun) = self.ops.get(op) {
            disk.begin(begun);
        }
        disk
    }

    /// Records and does a change, or fails it as planned.
    pub(super) fn change(&mut self, op: Op) -> io::Result<()> {
        let kind = op.kind().expect("only operations are done");
        if let Some(error) = self.plan.check(kind, self.ops.len()) {
            // A failed creation, removal or renaming leaves no trace; a failed write or sync leaves doubt.
            if matches!(kind, OpKind::Write | OpKind::WriteDurable | OpKind::Sync) {
                let failed = Op::Failed(Box::new(op));
                self.disk.begin(&failed);
                self.ops.push(failed);
            }
            return Err(error);
        }
        self.disk.apply(&op);
        self.ops.push(op);
        Ok(())
    }

    pub(super) fn look(&mut self, kind: OpKind) -> io::Result<()> {
        let at = self.ops.len();
        self.plan.check(kind, at).map_or(Ok(()), Err)
    }

    pub(super) fn content(&self, inode: u64) -> &[u8] {
        self.disk.content(inode)
    }

    /// Whether `more` bytes fit.
    pub(super) fn check_space(&self, more: u64) -> io::Result<()> {
        match self.space {
            Some(space) if self.disk.used() + more > space => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn lock(&mut self, inode: u64) -> io::Result<()> {
        if self.locked.insert(inode) {
            Ok(())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    pub(super) fn unlock(&mut self, inode: u64) {
        self.locked.remove(&inode);
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        match self.disk.node(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&mut self, path: &Path, len: u64) -> io::Result<u64> {
        if self.disk.node(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if path.parent().and_then(|dir| self.disk.node(dir)) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.check_space(len)?;
        let inode = self.next_inode;
        self.change(Op::Create {
            path: path.to_owned(),
            inode,
            len,
        })?;
        self.next_inode += 1;
        Ok(inode)
    }
}

impl Fs for SimFs {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut shared = self.shared();
        shared.look(OpKind::List)?;
        if shared.disk.node(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = shared.disk.children(dir).into_iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            Some(name.to_owned())
        });
        Ok(names.collect())
    }

    fn refresh_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut shared = self.shared();
        let mut missing: Vec<PathBuf> = Vec::new();
        for dir in dir.ancestors() {
            match shared.disk.node(dir) {
                Some(Node::Dir) => break,
                Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => missing.push(dir.to_owned()),
            }
        }
        for path in missing.into_iter().rev() {
            shared.change(Op::CreateDir { path })?;
        }
        Ok(())
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn SegmentFile>> {
        let inode = self.shared().create(path, len)?;
        Ok(Box::new(SimSegment::new(self.clone(), inode, len)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        let mut shared = self.shared();
        shared.look(OpKind::Read)?;
        Ok(Arc::new(SimRead::new(self.clone(), shared.file(path)?)))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        let shared = self.shared();
        Ok(shared.content(shared.file(path)?).len() as u64)
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut shared = self.shared();
        shared.look(OpKind::Read)?;
        Ok(shared.content(shared.file(path)?).to_vec())
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let mut shared = self.shared();
        // The real one truncates what a crash left; a new file under the name is the same after every crash.
        if shared.disk.node(&new).is_some() {
            shared.change(Op::Remove { path: new.clone() })?;
        }
        let inode = shared.create(&new, 0)?;
        shared.check_space(bytes.len() as u64)?;
        shared.change(Op::Write {
            inode,
            offset: 0,
            data: Data::Bytes(bytes.into()),
        })?;
        shared.change(Op::Sync { inode })?;
        shared.change(Op::Rename {
            from: new,
            to: path.to_owned(),
        })?;
        match path.parent() {
            Some(dir) => shared.change(Op::SyncDir {
                path: dir.to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<Box<dyn Remains>> {
        let mut shared = self.shared();
        let inode = shared.file(path)?;
        shared.change(Op::Remove {
            path: path.to_owned(),
        })?;
        Ok(Box::new(SimRemains::new(self.clone(), inode)))
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        let mut shared = self.shared();
        let inode = shared.file(path)?;
        shared.change(Op::Sync { inode })?;
        shared.change(Op::DropCache { inode })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared().change(Op::SyncDir {
            path: dir.to_owned(),
        })
    }

    fn available_space(&self, _dir: &Path) -> io::Result<u64> {
        let shared = self.shared();
        Ok(shared
            .space
            .map_or(u64::MAX, |space| space.saturating_sub(shared.disk.used())))
    }
}
