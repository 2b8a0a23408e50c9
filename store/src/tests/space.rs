//! Space comes back, old messages pin nothing, and recovery reads the tail only.

use std::path::Path;
use std::sync::Arc;

use super::model::contents_of;
use super::support::{Collected, disk_with, eventually, hold, small};
use crate::sim::SimFs;
use crate::{Fs, QueueId, Recovery, Seq, Settings, Store, Work};

const OLD: QueueId = QueueId(1);
const BUSY: QueueId = QueueId(2);

fn open(sim: &SimFs, dir: &Path, settings: Settings) -> (Store<u64>, Arc<Collected>, Recovery) {
    let (collected, collector) = Collected::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let (store, recovery) =
        Store::open_with(&fs, dir, hold(dir), settings, collector).expect("open");
    (store, collected, recovery)
}

/// One old message stays, everything else is consumed at once.
fn churn(store: &Store<u64>, collected: &Collected, messages: u64) {
    let mut work = Work::new();
    work.queue(OLD, b"old");
    work.queue(BUSY, b"busy");
    work.message(OLD, Seq(1), None, 0, b"the old one");
    store.submit_from(&mut work, 0).expect("submit");
    for seq in 1..=messages {
        work.message(BUSY, Seq(seq), None, 0, &[1; 3000]);
        if seq > 1 {
            work.removed(BUSY, &[Seq(seq - 1)]);
        }
        store.submit_from(&mut work, seq).expect("submit");
        if seq % 8 == 0 {
            collected.wait_for(seq);
        }
    }
    collected.wait_for(messages);
}

#[test]
fn one_old_message_does_not_pin_the_journal() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected, _) = open(&sim, dir.path(), small());
    churn(&store, &collected, 2_000);
    assert!(store.usage().bytes_written > 6_000_000);
    let bounded = |store: &Store<u64>| {
        let usage = store.usage();
        // Twice what lives, the slack, and what is in the making: the segment being written and two spares.
        usage.journal_bytes <= 2 * usage.live_bytes + 8 * (64 << 10)
    };
    store.core().signals.ask();
    eventually("space coming back", || bounded(&store));
    let read = |store: &Store<u64>| {
        store
            .read(OLD, Seq(0), 9, 9999)
            .expect("read")
            .remove(0)
            .payload
    };
    assert_eq!(read(&store), &b"the old one"[..]);
    let before = store
        .core()
        .with_index(|a| Ok(contents_of(&mut a.index, &store.core().reader)))
        .expect("open");
    store.close().expect("close");

    // Without its index the journal alone gives the same.
    let fs: &dyn Fs = &sim;
    fs.remove(&dir.path().join("index/control"))
        .expect("remove");
    let (store, _, recovery) = open(&sim, dir.path(), small());
    assert!(recovery.records > 0, "{recovery:?}");
    let after = store
        .core()
        .with_index(|a| Ok(contents_of(&mut a.index, &store.core().reader)))
        .expect("open");
    assert_eq!(after, before);
    store.close().expect("close");
}

#[test]
fn reading_goes_on_while_messages_move() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected, _) = open(&sim, dir.path(), small());
    let mut work = Work::new();
    work.queue(OLD, b"old");
    work.queue(BUSY, b"busy");
    for seq in 1..=50 {
        work.message(
            OLD,
            Seq(seq),
            None,
            0,
            &[u8::try_from(seq).expect("small"); 500],
        );
    }
    store.submit_from(&mut work, 0).expect("submit");
    for seq in 1..=1_500 {
        work.message(BUSY, Seq(seq), None, 0, &[1; 3000]);
        work.removed(BUSY, &[Seq(seq)]);
        store.submit_from(&mut work, seq).expect("submit");
        if seq % 10 == 0 {
            collected.wait_for(seq);
            let stored = store.read(OLD, Seq(0), 100, usize::MAX).expect("read");
            assert_eq!(stored.len(), 50);
            assert!(
                stored
                    .iter()
                    .all(|m| m.payload.iter().all(|b| u64::from(*b) == m.seq.0))
            );
        }
    }
    store.close().expect("close");
}

#[test]
fn recovery_reads_the_tail_and_not_what_is_stored() {
    let dir = tempfile::tempdir().expect("temp dir");
    let settings = || Settings {
        segment_bytes: 1 << 20,
        checkpoint_bytes: 1 << 20,
        ..Settings::default()
    };
    let (collected, collector) = Collected::new();
    let (store, _) =
        Store::open(dir.path(), hold(dir.path()), settings(), collector).expect("open");
    let mut work = Work::new();
    work.queue(BUSY, b"busy");
    for seq in 1..=24_000 {
        work.message(BUSY, Seq(seq), None, 0, &[1; 1024]);
        store.submit_from(&mut work, seq).expect("submit");
        if seq % 1_000 == 0 {
            collected.wait_for(seq);
        }
    }
    eventually("a checkpoint", || store.core().tail() < 2 << 20);
    assert!(store.usage().bytes_written > 24 << 20);
    store.close().expect("close");
    let (collected, collector) = Collected::new();
    let (store, recovery) =
        Store::open(dir.path(), hold(dir.path()), settings(), collector).expect("open");
    assert_eq!(recovery.index_rebuilt, None);
    assert_eq!(recovery.queues[0].count, 24_000);
    assert!(recovery.bytes_read < 5 << 20, "{recovery:?}");
    let stored = store.read(BUSY, Seq(12_000), 10, usize::MAX).expect("read");
    assert_eq!(stored.len(), 10);
    assert_eq!(stored[0].payload, vec![1; 1024]);
    store.close().expect("close");
    drop(collected);
}
