//! The state of the simulated disk: what can be read now, what is durable, and what a crash may make of the difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::op::{Data, Op};

const SECTOR: usize = 512;

/// What of the unsynced changes had reached the disk when it crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing.
    Lost,
    /// Everything, as after a crash of the process only.
    Kept,
    /// Some of it, in sectors of 512 bytes; the same for the same number.
    Seed(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(u64),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// Unsynced writes, oldest first; a length change is a write of no bytes at the new end.
    pending: Vec<(u64, Data)>,
    /// Unsynced writes that a failed sync has made clean: no later sync makes them durable.
    stuck: Vec<(u64, Data)>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
        node: Node,
    },
}

/// Files and names.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    pending_names: Vec<(PathBuf, NameChange)>,
}

impl Disk {
    pub(super) fn node(&self, path: &Path) -> Option<&Node> {
        if path.parent().is_none() {
            Some(&Node::Dir)
        } else {
            self.names.get(path)
        }
    }

    pub(super) fn children(&self, dir: &Path) -> Vec<PathBuf> {
        self.names
            .keys()
            .filter(|path| path.parent() == Some(dir))
            .cloned()
            .collect()
    }

    pub(super) fn content(&self, inode: u64) -> &[u8] {
        &self.inode(inode).visible
    }

    /// Bytes taken by files that have a name.
    pub(super) fn used(&self) -> u64 {
        let files = self.names.values().filter_map(|node| match node {
            Node::File(inode) => Some(self.inode(*inode).visible.len() as u64),
            Node::Dir => None,
        });
        files.sum()
    }

    /// Changes a file behind everybody's back, durably.
    pub(super) fn edit(&mut self, inode: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let file = self.inode_mut(inode);
        change(&mut file.visible);
        file.durable = file.visible.clone();
        file.pending.clear();
    }

    /// Begins and completes an operation.
    pub(super) fn apply(&mut self, op: &Op) {
        self.begin(op);
        self.complete(op);
    }

    /// Makes its effect readable; durable it is only when complete.
    pub(super) fn begin(&mut self, op: &Op) {
        match op {
            Op::CreateDir { path } => self.change(NameChange::Set(path.clone(), Node::Dir)),
            Op::Create { path, inode, len } => {
                self.inodes.insert(*inode, Inode::default());
                self.inode_mut(*inode).write(*len, &Data::Zeros(0));
                self.change(NameChange::Set(path.clone(), Node::File(*inode)));
            }
            Op::Write {
                inode,
                offset,
                data,
            }
            | Op::WriteDurable {
                inode,
                offset,
                data,
            } => {
                self.inode_mut(*inode).write(*offset, data);
            }
            Op::Rename { from, to } => {
                let node = self
                    .names
                    .get(from)
                    .cloned()
                    .expect("the simulation renames what exists");
                self.change(NameChange::Rename {
                    from: from.clone(),
                    to: to.clone(),
                    node,
                });
            }
            Op::Remove { path } => self.change(NameChange::Remove(path.clone())),
            Op::Failed(op) => {
                self.begin(op);
                self.fail(op);
            }
            Op::Shrink { inode, len } => self.inode_mut(*inode).shrink(*len),
            Op::DropCache { inode } => self.inode_mut(*inode).drop_cache(),
            Op::Sync { .. } | Op::SyncDir { .. } | Op::Mark(_) => {}
        }
    }

    fn complete(&mut self, op: &Op) {
        match op {
            Op::WriteDurable { inode, .. } => {
                let file = self.inode_mut(*inode);
                if let Some((offset, data)) = file.pending.pop() {
                    put(&mut file.durable, offset, &data);
                }
            }
            Op::Sync { inode } => {
                let file = self.inode_mut(*inode);
                for (offset, data) in std::mem::take(&mut file.pending) {
                    put(&mut file.durable, offset, &data);
                }
            }
            Op::SyncDir { path } => {
                for (dir, change) in std::mem::take(&mut self.pending_names) {
                    if dir == *path {
                        change.apply(&mut self.durable_names);
                    } else {
                        self.pending_names.push((dir, change));
                    }
                }
            }
            _ => {}
        }
    }

    fn fail(&mut self, op: &Op) {
        if let Op::WriteDurable { inode, .. } | Op::Sync { inode } = op {
            let file = self.inode_mut(*inode);
            let pending = std::mem::take(&mut file.pending);
            file.stuck.extend(pending);
        }
    }

    /// The disk as the next start finds it.
    pub(super) fn crashed(&self, choice: Choice) -> Self {
        let mut picks = Picks::new(choice);
        let mut names = self.durable_names.clone();
        for (_, change) in &self.pending_names {
            if picks.whole() {
                change.apply(&mut names);
            }
        }
        drop_orphans(&mut names);
        let mut inodes = BTreeMap::new();
        for node in names.values() {
            if let Node::File(number) = node {
                let content = self.inode(*number).crashed(&mut picks);
                let (pending, stuck) = (Vec::new(), Vec::new());
                inodes.insert(
                    *number,
                    Inode {
                        visible: content.clone(),
                        durable: content,
                        pending,
                        stuck,
                    },
                );
            }
        }
        Self {
            inodes,
            durable_names: names.clone(),
            names,
            pending_names: Vec::new(),
        }
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        let path = match &change {
            NameChange::Set(path, _)
            | NameChange::Remove(path)
            | NameChange::Rename { to: path, .. } => path,
        };
        let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        self.pending_names.push((dir, change));
    }

    fn inode(&self, inode: u64) -> &Inode {
        self.inodes
            .get(&inode)
            .expect("the simulation hands out inodes that exist")
    }

    fn inode_mut(&mut self, inode: u64) -> &mut Inode {
        self.inodes
            .get_mut(&inode)
            .expect("the simulation hands out inodes that exist")
    }
}

impl Inode {
    fn write(&mut self, offset: u64, data: &Data) {
        put(&mut self.visible, offset, data);
        self.pending.push((offset, data.clone()));
    }

    fn shrink(&mut self, len: u64) {
        let len = usize::try_from(len).expect("a simulated file fits into memory");
        self.pending.clear();
        self.stuck.clear();
        self.visible.truncate(len);
        self.durable.clone_from(&self.visible);
    }

    /// What a failed sync left in doubt turns out not to be there; unsynced writes stay cached.
    fn drop_cache(&mut self) {
        self.stuck.clear();
        self.visible = self.durable.clone();
        for (offset, data) in &self.pending {
            put(&mut self.visible, *offset, data);
        }
    }

    fn crashed(&self, picks: &mut Picks) -> Vec<u8> {
        let mut content = self.durable.clone();
        for (offset, data) in self.stuck.iter().chain(&self.pending) {
            match data {
                // Zeros over zeros: only the length can differ, and that is one piece of metadata.
                Data::Zeros(_) => {
                    if picks.whole() {
                        put(&mut content, *offset, data);
                    }
                }
                Data::Bytes(bytes) => tear(&mut content, *offset, bytes, picks),
            }
        }
        content
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Set(path, node) => {
                names.insert(path.clone(), node.clone());
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename { from, to, node } => {
                names.remove(from);
                names.insert(to.clone(), node.clone());
            }
        }
    }
}

fn put(content: &mut Vec<u8>, offset: u64, data: &Data) {
    let from = usize::try_from(offset).expect("simulated files fit into memory");
    let to = from + usize::try_from(data.len()).expect("simulated files fit into memory");
    if content.len() < to {
        content.resize(to, 0);
    }
    match data {
        Data::Zeros(_) => content[from..to].fill(0),
        Data::Bytes(bytes) => content[from..to].copy_from_slice(bytes),
    }
}

/// Sectors of one write reach the disk in any combination.
fn tear(content: &mut Vec<u8>, offset: u64, bytes: &[u8], picks: &mut Picks) {
    let mut pattern = picks.pattern(bytes.len().div_ceil(SECTOR));
    for (at, sector) in bytes.chunks(SECTOR).enumerate() {
        if pattern.keeps(at) {
            put(
                content,
                offset + (at * SECTOR) as u64,
                &Data::Bytes(sector.into()),
            );
        }
    }
}

/// A directory that is gone takes what was in it along.
fn drop_orphans(names: &mut BTreeMap<PathBuf, Node>) {
    loop {
        let has_dir = |path: &PathBuf| {
            path.parent()
                .is_none_or(|dir| dir.parent().is_none() || names.get(dir) == Some(&Node::Dir))
        };
        let Some(orphan) = names.keys().find(|path| !has_dir(path)).cloned() else {
            return;
        };
        names.remove(&orphan);
    }
}

/// Draws what survives.
struct Picks {
    choice: Choice,
    state: u64,
}

enum Pattern {
    None,
    All,
    Below(usize),
    From(usize),
    Random(u64),
}

impl Picks {
    fn new(choice: Choice) -> Self {
        let state = if let Choice::Seed(seed) = choice {
            seed
        } else {
            0
        };
        Self { choice, state }
    }

    fn whole(&mut self) -> bool {
        match self.choice {
            Choice::Lost => false,
            Choice::Kept => true,
            Choice::Seed(_) => self.draw() & 1 == 1,
        }
    }

    fn pattern(&mut self, sectors: usize) -> Pattern {
        match self.choice {
            Choice::Lost => return Pattern::None,
            Choice::Kept => return Pattern::All,
            Choice::Seed(_) => {}
        }
        let cut = usize::try_from(self.draw() % (sectors as u64 + 1)).expect("a number of sectors");
        match self.draw() % 5 {
            0 => Pattern::None,
            1 => Pattern::All,
            2 => Pattern::Below(cut),
            3 => Pattern::From(cut),
            _ => Pattern::Random(self.draw()),
        }
    }

    fn draw(&mut self) -> u64 {
        splitmix(&mut self.state)
    }
}

impl Pattern {
    fn keeps(&mut self, sector: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Below(cut) => sector < *cut,
            Self::From(cut) => sector >= *cut,
            Self::Random(state) => splitmix(state) & 1 == 1,
        }
    }
}

/// Splitmix64: seeded, good enough for picking, no dependency.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
