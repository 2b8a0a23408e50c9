//! A full disk, or a full journal: messages wait in order, acknowledgements go on, space comes back.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::support::{Collected, disk_with, eventually, hold, small};
use crate::sim::{OpKind, SimFs};
use crate::{Fs, QueueId, Seq, Settings, Store, Work};

const QUEUE: QueueId = QueueId(1);

fn open(sim: &SimFs, dir: &Path, settings: Settings) -> (Store<u64>, Arc<Collected>) {
    let (collected, collector) = Collected::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let (store, _) = Store::open_with(&fs, dir, hold(dir), settings, collector).expect("open");
    let mut work = Work::new();
    work.queue(QUEUE, b"q");
    store.submit(work, 0).expect("submit");
    collected.wait_for(0);
    (store, collected)
}

/// Sends messages until the store says that it is full; answers the next sequence.
fn fill(store: &Store<u64>, collected: &Collected) -> u64 {
    for seq in 1..10_000 {
        let mut work = Work::new();
        work.message(QUEUE, Seq(seq), None, 0, &[7; 10_000]);
        store.submit(work, seq).expect("submit");
        eventually("durable or full", || {
            collected.tokens().contains(&seq) || collected.fulls().last() == Some(&true)
        });
        if !collected.tokens().contains(&seq) {
            return seq + 1;
        }
    }
    panic!("never full");
}

fn acknowledge(store: &Store<u64>, token: u64, seqs: impl IntoIterator<Item = u64>) {
    let mut work = Work::new();
    work.removed(QUEUE, &seqs.into_iter().map(Seq).collect::<Vec<_>>());
    store.submit(work, token).expect("submit");
}

#[test]
fn a_full_disk_stops_messages_only_and_only_while_it_is_full() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open(&sim, dir.path(), small());
    sim.set_space(Some(600 << 10));
    let next = fill(&store, &collected);
    assert!(store.usage().full);
    let stored = next - 2;
    assert_eq!(store.queue(QUEUE).expect("there").count, stored);
    for later in next..next + 5 {
        let mut work = Work::new();
        work.message(QUEUE, Seq(later), None, 0, b"waits");
        store.submit(work, later).expect("submit");
    }
    acknowledge(&store, 100_000, [1, 2]);
    collected.wait_for(100_000);
    assert_eq!(store.queue(QUEUE).expect("there").count, stored - 2);
    assert!(
        !collected.tokens().contains(&(next - 1)),
        "the message that found no room still waits"
    );

    sim.set_space(None);
    collected.wait_for(next + 4);
    collected.wait_full(false);
    assert_eq!(collected.fulls(), [true, false]);
    let tokens: Vec<_> = collected
        .tokens()
        .into_iter()
        .filter(|token| *token < 100_000)
        .collect();
    assert_eq!(tokens, (0..next + 5).collect::<Vec<_>>());
    store.close().expect("close");
}

#[test]
fn acknowledging_makes_room_in_a_limited_journal() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let settings = Settings {
        journal_limit_bytes: Some(512 << 10),
        ..small()
    };
    let (store, collected) = open(&sim, dir.path(), settings);
    let next = fill(&store, &collected);
    let usage = store.usage();
    assert_eq!(usage.limit, Some(512 << 10));
    assert!(
        usage.journal_bytes <= (512 + 64) << 10,
        "{usage:?}: the limit and one reserve"
    );
    acknowledge(&store, 100_000, 1..next - 1);
    collected.wait_for(100_000);
    collected.wait_for(next - 1);
    collected.wait_full(false);
    assert_eq!(store.queue(QUEUE).expect("there").count, 1);
    store.close().expect("close");
}

#[test]
fn an_acknowledgement_that_fails_on_a_full_disk_is_not_answered() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open(&sim, dir.path(), small());
    sim.set_space(Some(600 << 10));
    fill(&store, &collected);
    sim.fail(OpKind::WriteDurable, 0, ErrorKind::Other, false);
    acknowledge(&store, 100_000, [1]);
    collected.wait_lost();
    assert!(!collected.tokens().contains(&100_000));
}

#[test]
fn a_full_store_closes_without_answering_what_waits() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open(&sim, dir.path(), small());
    sim.set_space(Some(600 << 10));
    let next = fill(&store, &collected);
    store.close().expect("close");
    assert!(!collected.tokens().contains(&(next - 1)));
    sim.set_space(None);
    let (collected, collector) = Collected::new();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let (store, recovery) =
        Store::open_with(&fs, dir.path(), hold(dir.path()), small(), collector).expect("open");
    assert_eq!(recovery.queues[0].count, next - 2);
    drop((store, collected));
}

#[test]
fn acknowledging_makes_room_for_the_next_master_on_a_full_disk() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let settings = Settings {
        segment_bytes: 1 << 20,
        ..small()
    };
    let (store, collected) = open(&sim, dir.path(), settings.clone());
    // Less than a checkpoint asks for is left at the end, and what could be checkpointed before was.
    sim.set_space(Some(40 << 20));
    let next = fill(&store, &collected);
    store.close().expect("close");
    let (store, collected) = open(&sim, dir.path(), settings);
    let mut work = Work::new();
    work.message(QUEUE, Seq(next - 1), None, 0, &[7; 2 << 20]);
    store.submit(work, 1).expect("submit");
    collected.wait_full(true);
    acknowledge(&store, 2, 1..next - 1);
    collected.wait_for(2);
    collected.wait_for(1);
    collected.wait_full(false);
    store.close().expect("close");
}

#[test]
fn acknowledgements_alone_go_on_for_ever_on_a_full_disk() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open(&sim, dir.path(), small());
    for seq in 1..=120 {
        let mut work = Work::new();
        work.message(QUEUE, Seq(seq), None, 0, &[7; 10_000]);
        store.submit(work, seq).expect("submit");
        collected.wait_for(seq);
    }
    // Enough for a checkpoint, not for another segment: what acknowledgements need has to come from old ones.
    let large = 1 << 40;
    sim.set_space(Some(large));
    let used = large - sim.available_space(dir.path()).expect("known");
    sim.set_space(Some(used + (40 << 10)));
    let gone = (1..=120).filter(|seq| seq % 6 != 0);
    for seq in gone.clone() {
        acknowledge(&store, 1000 + seq, [seq]);
        collected.wait_for(1000 + seq);
        // A reserve of 32 MiB lasts for thousands of batches, this one for a dozen: maintenance gets its time here.
        eventually("maintenance has made room", || {
            !store.core().counters.wants_room()
        });
    }
    assert_eq!(collected.fulls(), [] as [bool; 0], "no message ever waited");
    assert_eq!(store.queue(QUEUE).expect("there").count, 20);
    store.close().expect("close");
}

/// Scattered ones free no segment, and the journal is not twice as large as what lives in it: it has to shrink all the same, or
/// nobody could ever acknowledge again.
#[test]
fn acknowledgements_go_on_where_hardly_any_of_the_journal_is_dead() {
    let dir = tempfile::tempdir().expect("temp dir");
    let sim = disk_with(dir.path());
    let (store, collected) = open(&sim, dir.path(), small());
    // 32 segments and, for checkpoints, half of one.
    sim.set_space(Some((2 << 20) + (8 << 10)));
    let next = fill(&store, &collected);
    for seq in (1..next - 1).filter(|seq| seq % 6 == 0) {
        acknowledge(&store, 1000 + seq, [seq]);
        collected.wait_for(1000 + seq);
        eventually("maintenance has looked for room", || {
            !store.core().counters.wants_reserve()
        });
    }
    collected.wait_for(next - 1);
    collected.wait_full(false);
    store.close().expect("close");
}
