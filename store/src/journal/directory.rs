//! The journal's directory: which segments there are, where, and how large.
//!
//! The only place that lists, names and removes segment files. Shared by the writer, its preparer, readers and
//! reclaim. It does not look into the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::segment::SegmentName;
use super::spares::is_full;
use crate::error::{Error, Result};
use crate::fs::{Fs, ReadFile, Remains};
use crate::limits::{OPEN_SEGMENTS, SHRINK_BYTES};
use crate::position::SegmentNumber;

/// One segment file of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentInfo {
    /// Its number.
    pub(crate) number: SegmentNumber,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Length of its file in bytes.
    pub(crate) bytes: u64,
}

/// The segments of one journal.
pub(crate) struct Directory {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Keyed by number first: two masters may have given out the same number, never the same name.
    files: BTreeMap<(SegmentNumber, u64), u64>,
    /// Files that hold nothing and wait for their removal.
    set_aside: BTreeMap<(SegmentNumber, u64), u64>,
    /// Most recently used last.
    open: Vec<(SegmentName, Arc<dyn ReadFile>)>,
}

impl Directory {
    /// Lists the journal at `path` (`DIR/journal`), creating it if there is none.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Damaged`] for a name that is not a segment's.
    pub(crate) fn open(fs: Arc<dyn Fs>, path: &Path) -> Result<Self> {
        fs.create_dir_all(path).map_err(Error::io("create", path))?;
        if let Some(parent) = path.parent() {
            fs.sync_dir(parent).map_err(Error::io("sync", parent))?;
        }
        fs.refresh_dir(path).map_err(Error::io("refresh", path))?;
        let mut files = BTreeMap::new();
        for name in names(&*fs, path)? {
            let file = path.join(name.to_string());
            match fs.file_len(&file) {
                Ok(bytes) => {
                    files.insert((name.number, name.epoch), bytes);
                }
                // The last master was still removing what holds nothing.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read the length of", &file)(error)),
            }
        }
        Ok(Self {
            fs,
            path: path.to_owned(),
            state: Mutex::new(State {
                files,
                ..State::default()
            }),
        })
    }

    /// Highest epoch in any segment's name, 0 without one: a new master must go above it.
    ///
    /// # Errors
    /// As [`Directory::open`]; a directory that does not exist has no epochs.
    pub(crate) fn highest_epoch(fs: &dyn Fs, path: &Path) -> Result<u64> {
        match names(fs, path) {
            Ok(names) => Ok(names.iter().map(|name| name.epoch).max().unwrap_or(0)),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Segment files by number: those of the journal, and behind the one being written the spares.
    pub(crate) fn segments(&self) -> Vec<SegmentInfo> {
        let state = self.state();
        state
            .files
            .iter()
            .map(|(&(number, epoch), &bytes)| SegmentInfo {
                number,
                epoch,
                bytes,
            })
            .collect()
    }

    /// Disk taken by all segment files, spares included.
    pub(crate) fn bytes_on_disk(&self) -> u64 {
        let state = self.state();
        state.files.values().chain(state.set_aside.values()).sum()
    }

    /// Bytes free on the disk below.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn available_space(&self) -> Result<u64> {
        self.fs
            .available_space(&self.path)
            .map_err(Error::io("read the free space of", &self.path))
    }

    /// Removes every file with this number or a lower one, oldest first, durably, and answers what may be shrunk of them.
    /// Lists them anew: a master that was replaced may have made some after we had looked. Files of an epoch above ours
    /// are not ours to touch. The space of a file that a reader still holds comes back when it lets go.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn remove_through(&self, number: SegmentNumber) -> Result<Vec<Box<dyn Remains>>> {
        let listed = self.fs.list(&self.path);
        let listed = listed.map_err(Error::io("list", &self.path))?;
        let ours = self.state().files.keys().map(|(_, epoch)| *epoch).max();
        let ours = ours.unwrap_or(0);
        let mut gone: Vec<SegmentName> =
            listed.iter().filter_map(|name| name.parse().ok()).collect();
        gone.retain(|name| name.number <= number && name.epoch <= ours);
        gone.sort_unstable_by_key(|name| (name.number, name.epoch));
        let mut remains = Vec::new();
        for name in &gone {
            remains.extend(self.remove_file(&self.path.join(name.to_string()))?);
        }
        self.sync()?;
        Ok(remains)
    }

    /// Gives back some of the room of a removed file; false when it is all back.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn shrink(&self, remains: &mut dyn Remains) -> Result<bool> {
        match remains.shrink(SHRINK_BYTES) {
            Ok(more) => Ok(more),
            // Even giving back may need room: without steps it works all the same.
            Err(error) if is_full(&error) => Ok(false),
            Err(error) => Err(Error::io("shrink a removed file of", &self.path)(error)),
        }
    }

    /// Makes durable which files there are.
    pub(super) fn sync(&self) -> Result<()> {
        let synced = self.fs.sync_dir(&self.path);
        synced.map_err(Error::io("sync", &self.path))
    }

    /// Opens a segment for reading; stays readable while held.
    ///
    /// # Errors
    /// [`Error::Io`], `NotFound` in it when there is no such segment any more.
    pub(crate) fn open_read(&self, number: SegmentNumber) -> Result<Arc<dyn ReadFile>> {
        let mut state = self.state();
        let name = state.name_of(number);
        if let Some(at) = state.open.iter().position(|(open, _)| *open == name) {
            let used = state.open.remove(at);
            let file = Arc::clone(&used.1);
            state.open.push(used);
            return Ok(file);
        }
        let path = self.path.join(name.to_string());
        let file = self.fs.open_read(&path).map_err(Error::io("open", &path))?;
        state.make_room();
        state.open.push((name, Arc::clone(&file)));
        Ok(file)
    }

    /// Path of the segment with this number, for messages too.
    pub(crate) fn path_of_number(&self, number: SegmentNumber) -> PathBuf {
        let name = self.state().name_of(number);
        self.path.join(name.to_string())
    }

    pub(super) fn path_of(&self, info: &SegmentInfo) -> PathBuf {
        self.path.join(
            SegmentName {
                epoch: info.epoch,
                number: info.number,
            }
            .to_string(),
        )
    }

    pub(super) fn fs(&self) -> &Arc<dyn Fs> {
        &self.fs
    }

    /// Counts a file that the preparer has created, or one that has become longer.
    pub(super) fn register(&self, info: SegmentInfo) {
        self.state()
            .files
            .insert((info.number, info.epoch), info.bytes);
    }

    /// From now on these only take room until they are removed.
    pub(super) fn set_aside(&self, leftovers: &[SegmentInfo]) {
        let mut state = self.state();
        for info in leftovers {
            state.files.remove(&(info.number, info.epoch));
            state
                .set_aside
                .insert((info.number, info.epoch), info.bytes);
        }
    }

    /// Removes one file, without syncing the directory; answers what is left of it unless somebody still reads that.
    pub(super) fn remove_file(&self, path: &Path) -> Result<Option<Box<dyn Remains>>> {
        let remains = match self.fs.remove(path) {
            Ok(remains) => Some(remains),
            // A removal that an earlier crash left half done.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("remove", path)(error)),
        };
        let mut is_read = false;
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse::<SegmentName>().ok());
        if let Some(name) = name {
            let mut state = self.state();
            state.files.remove(&(name.number, name.epoch));
            state.set_aside.remove(&(name.number, name.epoch));
            state.open.retain(|(open, file)| {
                let gone = *open == name;
                is_read |= gone && Arc::strong_count(file) > 1;
                !gone
            });
        }
        Ok(remains.filter(|_| !is_read))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is changed by single inserts and removals, so a panic elsewhere cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// With two files of one number, the higher epoch is the real one.
    fn name_of(&self, number: SegmentNumber) -> SegmentName {
        let found = self
            .files
            .range((number, 0)..=(number, u64::MAX))
            .next_back();
        let epoch = found.map_or(0, |(&(_, epoch), _)| epoch);
        SegmentName { epoch, number }
    }

    /// Closes the file that was used least recently. One that is being read stays known: see [`Directory::remove_file`].
    fn make_room(&mut self) {
        if self.open.len() < OPEN_SEGMENTS {
            return;
        }
        let idle = |(_, file): &(_, Arc<dyn ReadFile>)| Arc::strong_count(file) == 1;
        if let Some(at) = self.open.iter().position(idle) {
            self.open.remove(at);
        }
    }
}

/// Segment names in a directory. Names that start with a dot are not ours to judge: NFS clients leave such files.
fn names(fs: &dyn Fs, path: &Path) -> Result<Vec<SegmentName>> {
    let mut names = Vec::new();
    for name in fs.list(path).map_err(Error::io("list", path))? {
        if name.starts_with('.') {
            continue;
        }
        let Ok(parsed) = name.parse() else {
            return Err(Error::Damaged {
                path: path.join(&name),
                offset: 0,
                what: "not the name of a segment".into(),
            });
        };
        names.push(parsed);
    }
    Ok(names)
}
