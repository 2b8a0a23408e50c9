//! When the store says that it is busy.

use std::sync::Arc;
use std::time::Instant;

use super::support::{Collected, DEADLINE, disk_with, hold, small};
use crate::{Fs, QueueId, Seq, Store, Work};

fn message(seq: u64) -> Work {
    let mut work = Work::new();
    work.message(QueueId(1), Seq(seq), None, 0, b"payload");
    work
}

/// A store on a disk that takes no time, and what it says.
fn store(dir: &tempfile::TempDir) -> (Store<u64>, Arc<Collected>) {
    let (collected, collector) = Collected::new();
    let fs: Arc<dyn Fs> = Arc::new(disk_with(dir.path()));
    let held = hold(dir.path());
    let (store, _) = Store::open_with(&fs, dir.path(), held, small(), collector).expect("open");
    (store, collected)
}

/// One message after the other, each awaited, until the store says that it is busy.
fn keep_busy(store: &Store<u64>, collected: &Collected) {
    let mut queue = Work::new();
    queue.queue(QueueId(1), b"q");
    store.submit(queue, 0).expect("submit");
    let (end, mut seq) = (Instant::now() + DEADLINE, 0);
    while !collected.busy().contains(&true) {
        assert!(Instant::now() < end, "never busy: {:?}", collected.busy());
        seq += 1;
        store.submit(message(seq), seq).expect("submit");
        collected.wait_for(seq);
    }
}

#[test]
fn a_lone_sender_in_a_hurry_makes_it_busy_until_it_pauses() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (store, collected) = store(&dir);
    keep_busy(&store, &collected);
    collected.wait_quiet();
    store.close().expect("close");
}
