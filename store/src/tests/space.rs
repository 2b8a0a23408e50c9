//! Space comes back, old messages pin nothing, and recovery reads the tail only.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::model::contents_of;
use super::support::{Collected, disk_with, eventually, hold, small};
use crate::sim::SimFs;
use crate::{Fs, Outcome, QueueId, Recovery, Seq, Settings, Store, Work};

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

/// One transaction after the other, each in a batch of its own.
fn end_transactions(store: &Store<u64>, collected: &Collected, count: u64) {
    let mut work = Work::new();
    for token in 0..count {
        work.outcome(&token.to_be_bytes(), Outcome::Committed);
        store.submit_from(&mut work, token).expect("submit");
        collected.wait_for(token);
    }
}

fn remembered(store: &Store<u64>, count: u64) -> Vec<u64> {
    let known = |id: &u64| store.outcome(&id.to_be_bytes()).expect("outcome").is_some();
    (0..count).filter(known).collect()
}

#[test]
fn the_journal_that_outcomes_pin_ends_with_them() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let settings = Settings {
        outcome_age: Duration::from_millis(1),
        ..small()
    };
    let (store, collected, _) = open(&sim, dir.path(), settings);
    end_transactions(&store, &collected, 300);
    assert!(store.usage().bytes_written > 1 << 20);
    // Nobody asks for it, and nothing is written any more.
    eventually("all being forgotten", || store.usage().live_bytes == 0);
    assert_eq!(remembered(&store, 300), [] as [u64; 0]);
    // The segment being written, the checkpoint's, and two spares.
    eventually("space coming back", || {
        store.usage().journal_bytes <= 4 * (64 << 10)
    });
    store.close().expect("close");
}

#[test]
fn of_very_many_outcomes_the_latest_are_remembered() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let settings = || Settings {
        outcome_limit: 100,
        ..small()
    };
    let (store, collected, _) = open(&sim, dir.path(), settings());
    end_transactions(&store, &collected, 400);
    eventually("the oldest being forgotten", || {
        store.core().signals.ask();
        remembered(&store, 400).len() <= 100
    });
    let known = remembered(&store, 400);
    assert!(known.len() >= 75, "{known:?}");
    let latest: Vec<u64> = (known[0]..400).collect();
    assert_eq!(known, latest, "the oldest left, nothing else");
    store.close().expect("close");
    let (store, ..) = open(&sim, dir.path(), settings());
    let after = remembered(&store, 400);
    assert!(latest.iter().all(|id| after.contains(id)), "{after:?}");
    store.close().expect("close");
}

#[test]
fn acknowledgements_all_over_a_backlog_bring_the_checkpoint_forward() {
    const LIMIT: usize = 16 << 10;
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let settings = Settings {
        segment_bytes: 16 << 20,
        checkpoint_bytes: 1 << 30,
        dirty_bytes: LIMIT,
        ..Settings::default()
    };
    let (store, collected, _) = open(&sim, dir.path(), settings);
    let mut work = Work::new();
    work.queue(BUSY, b"busy");
    for seq in 1..=4_000 {
        work.message(BUSY, Seq(seq), None, 0, b"small");
    }
    store.submit_from(&mut work, 0).expect("submit");
    collected.wait_for(0);
    // Neither the tail nor the size of the journal is a reason for one.
    let checkpointed = || store.core().tail() == 0;
    eventually("a checkpoint of the backlog", checkpointed);
    // Every page is changed, by hardly any journal.
    let scattered: Vec<Seq> = (1..4_000).step_by(8).map(Seq).collect();
    work.removed(BUSY, &scattered);
    store.submit_from(&mut work, 1).expect("submit");
    collected.wait_for(1);
    eventually("a checkpoint of the rest", checkpointed);
    let dirty = store.core().with_index(|a| Ok(a.index.dirty_bytes()));
    assert!(dirty.expect("open") < LIMIT);
    assert!(store.usage().bytes_written < 1 << 20);
    store.close().expect("close");
}
