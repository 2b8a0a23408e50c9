//! A small journal to write, break and read back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::decode_all;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::fs::sim::SimFs;
use crate::journal::{
    After, Batch, Directory, End, Placed, Prepare, Writer, WriterSettings, recover,
};
use crate::position::QueueId;
use crate::record::Record;

/// Small enough that every test rolls.
pub(super) const SEGMENT: u64 = 8 * 4096;

pub(super) fn settings() -> WriterSettings {
    WriterSettings {
        first_segment_bytes: SEGMENT,
        segment_bytes: SEGMENT,
        journal_limit_bytes: None,
        prepare: Prepare::Inline,
    }
}

/// A disk with the data directory on it.
pub(super) fn disk() -> SimFs {
    let fs = SimFs::new();
    fs.create_dir_all(Path::new("/data")).expect("a new disk");
    fs.sync_dir(Path::new("/")).expect("a new disk");
    fs.copy()
}

pub(super) fn open(fs: &SimFs) -> Result<Arc<Directory>> {
    Directory::open(Arc::new(fs.clone()), Path::new("/data/journal")).map(Arc::new)
}

/// A master: its writer and what it started from.
pub(super) struct Master {
    pub(super) directory: Arc<Directory>,
    pub(super) writer: Writer,
    pub(super) end: End,
    pub(super) seen: Vec<Vec<u8>>,
    batch: Batch,
}

impl Master {
    /// Recovers everything and starts an epoch.
    pub(super) fn start(fs: &SimFs, epoch: u64) -> Result<Self> {
        Self::start_with(fs, epoch, &settings())
    }

    pub(super) fn start_with(fs: &SimFs, epoch: u64, settings: &WriterSettings) -> Result<Self> {
        let directory = open(fs)?;
        let (seen, end) = read(&directory, None)?;
        let writer = Writer::start(&directory, epoch, &end, settings, 1, &|| Ok(()))?;
        Ok(Self {
            directory,
            writer,
            end,
            seen,
            batch: Batch::new(),
        })
    }

    pub(super) fn append(&mut self, name: &[u8]) -> Result<Placed> {
        self.fill(name);
        self.writer.append(&mut self.batch, 7)
    }

    pub(super) fn append_urgent(&mut self, name: &[u8]) -> Result<Placed> {
        self.fill(name);
        self.writer.append_urgent(&mut self.batch, 7)
    }

    fn fill(&mut self, name: &[u8]) {
        self.batch.clear();
        self.batch.push_record(&Record::Queue {
            queue: QueueId(1),
            name,
        });
    }
}

/// The names in all batches behind `from`, seals left out, and the end.
pub(super) fn read(directory: &Directory, from: Option<After>) -> Result<(Vec<Vec<u8>>, End)> {
    let mut seen = Vec::new();
    let end = recover(directory, from, &mut |view| {
        for decoded in decode_all(view.records) {
            match decoded.expect("what was written can be read").record {
                Record::Queue { name, .. } => seen.push(name.to_vec()),
                Record::Seal(_) => {}
                other => panic!("nobody wrote {other:?}"),
            }
        }
        Ok(())
    })?;
    Ok((seen, end))
}

pub(super) fn read_all(fs: &SimFs) -> Result<(Vec<Vec<u8>>, End)> {
    let directory = open(fs)?;
    read(&directory, None)
}

/// "1", "2", ... as far as `count`.
pub(super) fn names(count: u64) -> Vec<Vec<u8>> {
    (1..=count).map(|n| n.to_string().into_bytes()).collect()
}

/// Appends the names `from..=to`.
pub(super) fn append_names(master: &mut Master, from: u64, to: u64) -> Vec<Placed> {
    (from..=to)
        .map(|n| {
            master
                .append(n.to_string().as_bytes())
                .expect("the disk is sound")
        })
        .collect()
}

/// Path of a segment.
pub(super) fn segment(epoch: u64, number: u64) -> PathBuf {
    PathBuf::from(format!("/data/journal/{epoch:016x}-{number:016x}.seg"))
}

/// File and offset of the damage reported.
pub(super) fn damage<T>(result: Result<T>) -> (PathBuf, u64, String) {
    match result {
        Err(Error::Damaged { path, offset, what }) => (path, offset, what),
        Err(other) => panic!("expected damage, got: {other}"),
        Ok(_) => panic!("expected damage, got a journal"),
    }
}

pub(super) fn io_kind<T>(result: Result<T>) -> io::ErrorKind {
    match result {
        Err(Error::Io { source, .. }) => source.kind(),
        Err(other) => panic!("expected a failed operation, got: {other}"),
        Ok(_) => panic!("expected a failed operation, got success"),
    }
}
