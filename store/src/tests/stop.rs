//! Stopping while something slow is under way: the lock goes at once, and nobody waits for a checkpoint that hangs.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::support::{Collected, DEADLINE, disk_with, eventually, hold, small};
use crate::sim::SimFs;
use crate::sync::locked;
use crate::{Fs, ReadFile, Remains, Result, SegmentFile, Seq, Store, Work};

/// A door that lets so many through, or all, and who stands before it.
#[derive(Default)]
struct Door {
    state: Mutex<DoorState>,
    changed: Condvar,
}

#[derive(Default)]
struct DoorState {
    left: Option<usize>,
    waiting: usize,
}

impl Door {
    fn pass(&self) {
        let mut state = locked(&self.state);
        state.waiting += 1;
        let passed = self
            .changed
            .wait_while(state, |state| state.left == Some(0));
        state = passed.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.left = state.left.map(|left| left - 1);
    }

    fn allow(&self, left: Option<usize>) {
        locked(&self.state).left = left;
        self.changed.notify_all();
    }

    fn wait_for_somebody(&self) {
        eventually("somebody before the door", || {
            let state = locked(&self.state);
            state.left == Some(0) && state.waiting > 0
        });
    }
}

/// A disk on which zero-filling, and replacing small files, can be held up.
struct Slow {
    fs: SimFs,
    fills: Arc<Door>,
    replaces: Arc<Door>,
}

impl Fs for Slow {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.fs.list(dir)
    }

    fn refresh_dir(&self, dir: &Path) -> io::Result<()> {
        self.fs.refresh_dir(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.fs.create_dir_all(dir)
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn SegmentFile>> {
        let (file, fills) = (self.fs.create(path, len)?, Arc::clone(&self.fills));
        Ok(Box::new(SlowFile { file, fills }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.fs.open_read(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.fs.file_len(path)
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.fs.read_small(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.replaces.pass();
        self.fs.replace(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<Box<dyn Remains>> {
        self.fs.remove(path)
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        self.fs.settle(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.fs.sync_dir(dir)
    }

    fn available_space(&self, dir: &Path) -> io::Result<u64> {
        self.fs.available_space(dir)
    }
}

struct SlowFile {
    file: Box<dyn SegmentFile>,
    fills: Arc<Door>,
}

impl SegmentFile for SlowFile {
    fn fill(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.fills.pass();
        self.file.fill(offset, len)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.finish()
    }

    fn lock(&mut self) -> io::Result<()> {
        self.file.lock()
    }

    fn write_durable(&mut self, offset: u64, aligned: &[u8]) -> io::Result<()> {
        self.file.write_durable(offset, aligned)
    }

    fn grow(&mut self, from: u64, to: u64) -> io::Result<()> {
        self.file.grow(from, to)
    }
}

struct Rig {
    dir: tempfile::TempDir,
    sim: SimFs,
    fills: Arc<Door>,
    replaces: Arc<Door>,
    store: Store<u64>,
    collected: Arc<Collected>,
    sent: u64,
}

impl Rig {
    fn start(left: Option<usize>) -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let sim = disk_with(dir.path());
        let (fills, replaces) = (Arc::<Door>::default(), Arc::<Door>::default());
        fills.allow(left);
        let fs: Arc<dyn Fs> = Arc::new(Slow {
            fs: sim.clone(),
            fills: Arc::clone(&fills),
            replaces: Arc::clone(&replaces),
        });
        let (collected, collector) = Collected::new();
        let opened = Store::open_with(&fs, dir.path(), hold(dir.path()), small(), collector);
        let store = opened.expect("open").0;
        let queue = store.new_queue();
        let mut work = Work::new();
        work.queue(queue, b"q");
        store.submit(work, 0).expect("submit");
        Self {
            dir,
            sim,
            fills,
            replaces,
            store,
            collected,
            sent: 0,
        }
    }

    /// Sends about so many bytes, one answered message after the other.
    fn send(&mut self, bytes: u64) {
        let queue = self.store.queues().first().map(|queue| queue.id);
        let queue = queue.expect("the first work made it");
        for _ in 0..bytes / 4096 {
            self.sent += 1;
            let mut work = Work::new();
            work.message(queue, Seq(self.sent), None, 0, &[7; 3000]);
            self.store.submit(work, self.sent).expect("submit");
            self.collected.wait_for(self.sent);
        }
    }

    /// Closes on a thread of its own.
    fn close(&self) -> Receiver<Result<()>> {
        let (closed, closing) = sync_channel(1);
        let store = self.store.clone();
        std::thread::spawn(move || closed.send(store.close()));
        closing
    }

    fn released(&self) -> bool {
        let status = lock::read_status(self.dir.path()).expect("there is a record");
        status.holder.is_some_and(|holder| holder.released)
    }

    fn expect_all(self) {
        let Self { dir, sim, sent, .. } = self;
        let fs: Arc<dyn Fs> = Arc::new(sim);
        let (_, collector) = Collected::new();
        let opened = Store::open_with(&fs, dir.path(), hold(dir.path()), small(), collector);
        let (store, recovery) = opened.expect("open");
        assert_eq!(recovery.index_rebuilt, None);
        assert_eq!(store.queues()[0].count, sent);
        store.close().expect("still the holder");
    }
}

#[test]
fn a_stop_does_not_wait_for_a_spare_that_is_being_made() {
    // The first segment is filled, and the first spare never is.
    let mut rig = Rig::start(Some(1));
    rig.collected.wait_for(0);
    rig.fills.wait_for_somebody();
    rig.send(3 * 4096);
    let closed = rig.close().recv_timeout(DEADLINE);
    let released = rig.released();
    rig.fills.allow(None);
    closed.expect("the stop hangs").expect("still the holder");
    assert!(released, "in order: a spare is nobody else's business");
    rig.expect_all();
}

#[test]
fn sends_go_on_while_a_checkpoint_is_overdue() {
    let mut rig = Rig::start(None);
    rig.collected.wait_for(0);
    rig.replaces.allow(Some(0));
    let due = small().checkpoint_bytes;
    rig.send(due);
    rig.replaces.wait_for_somebody();
    // More than twice of what makes one due, with the checkpoint standing still.
    rig.send(2 * due);
    rig.replaces.allow(None);
    rig.store.clone().close().expect("still the holder");
    rig.expect_all();
}

#[test]
fn a_checkpoint_that_hangs_costs_a_stop_its_note_and_not_the_lock() {
    let mut rig = Rig::start(None);
    rig.collected.wait_for(0);
    rig.replaces.allow(Some(0));
    rig.send(small().checkpoint_bytes);
    rig.replaces.wait_for_somebody();
    let began = Instant::now();
    let closed = rig.close().recv_timeout(DEADLINE);
    let (took, released) = (began.elapsed(), rig.released());
    rig.replaces.allow(None);
    closed.expect("the stop hangs").expect("still the holder");
    assert!(!released, "somebody may still be at the index");
    assert!(took < DEADLINE / 4, "{took:?}");
}

#[test]
fn what_a_successor_would_replay_is_written_down_before_a_stop() {
    let mut rig = Rig::start(None);
    rig.collected.wait_for(0);
    rig.send(small().checkpoint_bytes / 2);
    let began = Instant::now();
    rig.store.shorten_replay(DEADLINE);
    assert!(began.elapsed() < DEADLINE, "it was not noticed");
    rig.store.clone().close().expect("still the holder");
    let fs: Arc<dyn Fs> = Arc::new(rig.sim.clone());
    let (_, collector) = Collected::new();
    let dir = rig.dir.path();
    let opened = Store::open_with(&fs, dir, hold(dir), small(), collector);
    let (store, recovery) = opened.expect("open");
    assert_eq!((recovery.index_rebuilt, recovery.batches), (None, 0));
    store.close().expect("still the holder");
    rig.expect_all();
}

#[test]
fn a_checkpoint_that_hangs_is_not_waited_for_before_a_stop_beyond_the_limit() {
    let mut rig = Rig::start(None);
    rig.collected.wait_for(0);
    rig.replaces.allow(Some(0));
    rig.send(small().checkpoint_bytes / 2);
    let began = Instant::now();
    rig.store.shorten_replay(Duration::from_millis(20));
    let took = began.elapsed();
    rig.replaces.wait_for_somebody();
    rig.replaces.allow(None);
    assert!(took < DEADLINE / 4, "{took:?}");
    rig.store.clone().close().expect("still the holder");
    rig.expect_all();
}
