//! A store that fails stops for good, says so once, and lets nothing follow from what it could not prove.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::support::{Collected, disk_with, eventually, hold, small};
use crate::sim::{OpKind, SimFs};
use crate::{Error, Fs, Outlet, QueueId, ReadFile, Remains, SegmentFile, Seq, Store, Work};

fn message(seq: u64) -> Work {
    let mut work = Work::new();
    work.queue(QueueId(1), b"q");
    work.message(QueueId(1), Seq(seq), None, 0, b"payload");
    work
}

fn open_on(sim: &SimFs, dir: &Path) -> (Store<u64>, Arc<Collected>) {
    let (collected, collector) = Collected::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let (store, _) = Store::open_with(&fs, dir, hold(dir), small(), collector).expect("open");
    (store, collected)
}

/// A store with one durable message, whose lock file then goes.
fn open_and_lose_the_lock(sim: &SimFs, dir: &Path) -> (Store<u64>, Arc<Collected>) {
    let (store, collected) = open_on(sim, dir);
    store.submit(message(1), 1).expect("submit");
    collected.wait_for(1);
    Fs::remove(&crate::RealFs::new(None), &dir.join("lock")).expect("remove");
    (store, collected)
}

fn is_closed(store: &Store<u64>) {
    assert!(matches!(store.submit(message(9), 9), Err(Error::Closed)));
    assert!(matches!(store.outcome(b"tx"), Err(Error::Closed)));
    assert!(matches!(
        store.read(QueueId(1), Seq(0), 1, 1),
        Err(Error::Closed)
    ));
    assert!(store.queues().is_empty());
    assert_eq!(store.pending_bytes(), 0);
}

#[test]
fn a_failed_write_answers_nothing_and_is_never_repeated() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open_on(&sim, dir.path());
    store.submit(message(1), 1).expect("submit");
    collected.wait_for(1);
    sim.fail(OpKind::WriteDurable, 0, ErrorKind::Other, false);
    store.submit(message(2), 2).expect("submit");
    assert!(
        collected.wait_lost().contains("write"),
        "the cause names the operation"
    );
    eventually("the end of the store", || store.queues().is_empty());
    is_closed(&store);
    assert_eq!(collected.tokens(), [1]);
    assert!(matches!(store.close(), Err(Error::Closed)));
    let ops = sim.ops();
    let failed = ops
        .iter()
        .position(|op| matches!(op, crate::sim::Op::Failed(_)))
        .expect("recorded");
    let later = &ops[failed + 1..];
    assert!(
        !later
            .iter()
            .any(|op| matches!(op, crate::sim::Op::WriteDurable { .. })),
        "{later:?}"
    );
}

#[test]
fn a_lock_file_that_was_replaced_answers_nothing() {
    for work in [message(2), Work::new()] {
        let dir = tempfile::tempdir().expect("temp dir");
        let sim = disk_with(dir.path());
        let (store, collected) = open_and_lose_the_lock(&sim, dir.path());
        store.submit(work, 2).expect("submit");
        assert!(collected.wait_lost().contains("no longer the holder"));
        is_closed(&store);
        assert_eq!(collected.tokens(), [1]);
    }
}

#[test]
fn what_is_known_to_be_lost_is_not_written_to() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open_and_lose_the_lock(&sim, dir.path());
    store.verifier().verify().expect_err("the watcher notices");
    let before = sim.ops().len();
    store.submit(message(2), 2).expect("submit");
    assert!(collected.wait_lost().contains("no longer the holder"));
    let later = &sim.ops()[before..];
    let written = |op: &crate::sim::Op| matches!(op, crate::sim::Op::WriteDurable { .. });
    assert!(!later.iter().any(written), "a write after the loss");
}

#[test]
fn a_panic_on_the_committing_thread_is_a_loss_too() {
    struct Panics(Arc<Collected>);
    impl Outlet<u64> for Panics {
        fn durable(&mut self, _tokens: &mut Vec<u64>) {
            panic!("seeded");
        }
        fn lost(&mut self, cause: Error) {
            self.0.note_lost(&cause);
        }
        fn busy(&mut self, _busy: bool) {}
        fn full(&mut self, _full: bool) {}
    }
    let dir = tempfile::tempdir().expect("temp dir");
    let (collected, _) = Collected::new();
    let outlet = Panics(Arc::clone(&collected));
    let (store, _) = Store::open(dir.path(), hold(dir.path()), small(), outlet).expect("open");
    store.submit(message(1), 1).expect("submit");
    assert_eq!(collected.wait_lost(), "thread store-commit: seeded");
    is_closed(&store);
}

#[test]
fn a_checkpoint_that_finds_the_lock_gone_ends_the_store() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open_and_lose_the_lock(&sim, dir.path());
    store.core().signals.ask();
    assert!(collected.wait_lost().contains("no longer the holder"));
    assert!(matches!(store.close(), Err(Error::Closed)));
}

/// A disk on which the first file that is replaced brings its thread down.
struct Panics(SimFs);

impl Fs for Panics {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn refresh_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.refresh_dir(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir_all(dir)
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn SegmentFile>> {
        self.0.create(path, len)
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.0.open_read(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.0.file_len(path)
    }

    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read_small(path)
    }

    fn replace(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        panic!("seeded");
    }

    fn remove(&self, path: &Path) -> io::Result<Box<dyn Remains>> {
        self.0.remove(path)
    }

    fn settle(&self, path: &Path) -> io::Result<()> {
        self.0.settle(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }

    fn available_space(&self, dir: &Path) -> io::Result<u64> {
        self.0.available_space(dir)
    }
}

#[test]
fn a_panic_on_the_maintenance_thread_is_a_loss_too() {
    let dir = tempfile::tempdir().expect("temp dir");
    let fs: Arc<dyn Fs> = Arc::new(Panics(disk_with(dir.path())));
    let (collected, collector) = Collected::new();
    let (store, _) =
        Store::open_with(&fs, dir.path(), hold(dir.path()), small(), collector).expect("open");
    store.submit(message(1), 1).expect("submit");
    collected.wait_for(1);
    store.core().signals.ask();
    assert_eq!(collected.wait_lost(), "thread store-upkeep: seeded");
    is_closed(&store);
}
