//! What a caller sees when nothing goes wrong.

use std::sync::Arc;

use tempfile::TempDir;

use super::support::{Collected, hold, small};
use crate::{Error, Noted, Outcome, ProducerSequence, QueueId, Recovery, Seq, Store, Work};

struct Fixture {
    dir: TempDir,
    store: Option<Store<u64>>,
    collected: Arc<Collected>,
    recovery: Recovery,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let (collected, collector) = Collected::new();
        let (store, recovery) =
            Store::open(dir.path(), hold(dir.path()), small(), collector).expect("open");
        Self {
            dir,
            store: Some(store),
            collected,
            recovery,
        }
    }

    fn store(&self) -> &Store<u64> {
        self.store.as_ref().expect("open between reopenings")
    }

    fn reopen(&mut self) {
        self.store.take().expect("open").close().expect("close");
        let (collected, collector) = Collected::new();
        let dir = self.dir.path();
        let (store, recovery) =
            Store::open(dir, hold(dir), small(), collector).expect("open again");
        (self.store, self.collected, self.recovery) = (Some(store), collected, recovery);
    }

    /// Submits and waits until it is durable.
    fn commit(&self, token: u64, fill: impl FnOnce(&mut Work)) {
        let mut work = Work::new();
        fill(&mut work);
        self.store().submit(work, token).expect("submit");
        self.collected.wait_for(token);
    }

    fn payloads(&self, queue: QueueId) -> Vec<(u64, u16, Vec<u8>)> {
        let stored = self
            .store()
            .read(queue, Seq(0), usize::MAX, usize::MAX)
            .expect("read");
        stored
            .into_iter()
            .map(|m| (m.seq.0, m.redeliveries, m.payload.to_vec()))
            .collect()
    }
}

#[test]
fn a_message_is_stored_read_acknowledged_and_stays_gone() {
    let mut fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    fixture.commit(1, |work| {
        work.queue(queue, b"orders");
        work.message(queue, Seq(1), None, 0, b"one");
        work.message_parts(queue, Seq(2), None, 0, &[b"t", b"", b"wo"]);
    });
    assert_eq!(
        fixture.payloads(queue),
        [(1, 0, b"one".to_vec()), (2, 0, b"two".to_vec())]
    );
    fixture.commit(2, |work| {
        work.removed(queue, &[Seq(1)]);
        work.redelivered(queue, Seq(2), 3);
        work.dispatch_mark(queue, Seq(10));
    });
    for _ in 0..2 {
        assert_eq!(fixture.payloads(queue), [(2, 3, b"two".to_vec())]);
        let summary = fixture.store().queue(queue).expect("there");
        assert_eq!(
            (summary.name.as_slice(), summary.count, summary.bytes),
            (&b"orders"[..], 1, 3)
        );
        assert_eq!(
            (summary.first, summary.next_seq, summary.mark),
            (Some(Seq(2)), Seq(3), Seq(10))
        );
        assert_eq!(fixture.store().queues(), [summary]);
        fixture.reopen();
        assert_eq!(fixture.recovery.queues, fixture.store().queues());
        assert_eq!(fixture.recovery.epoch, fixture.store().epoch());
    }
    let epoch = fixture.store().epoch();
    fixture.reopen();
    assert!(fixture.store().epoch() > epoch);
    assert!(fixture.store().new_queue() > queue, "ids are not reused");
}

#[test]
fn tokens_come_in_the_order_of_submission() {
    let fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    fixture.commit(0, |work| work.queue(queue, b"q"));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let store = fixture.store().clone();
            scope.spawn(move || {
                let mut work = Work::new();
                for n in 0..200 {
                    if n % 7 > 0 {
                        work.message(queue, Seq(1 + thread * 200 + n), None, 0, b"payload");
                    }
                    store
                        .submit_from(&mut work, 1 + thread * 1000 + n)
                        .expect("submit");
                }
            });
        }
    });
    fixture.commit(9_999, |_| {});
    let tokens = fixture.collected.tokens();
    assert_eq!(
        tokens.len(),
        802,
        "empty work is answered too, and last what came last"
    );
    for thread in 0..4 {
        let of_thread: Vec<_> = tokens
            .iter()
            .filter(|t| **t > 0 && **t < 9_999 && (**t - 1) / 1000 == thread)
            .collect();
        assert!(of_thread.is_sorted() && of_thread.len() == 200);
    }
    assert_eq!(fixture.store().pending_bytes(), 0);
    let usage = fixture.store().usage();
    assert!(usage.batches > 0 && usage.syncs == usage.batches && !usage.full);
    assert!(usage.bytes_written >= 4096 * usage.batches && usage.journal_bytes > 0);
}

#[test]
fn reading_is_bounded_by_count_and_bytes_but_gives_at_least_one() {
    let fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    fixture.commit(1, |work| {
        work.queue(queue, b"q");
        for seq in 1..=9 {
            work.message(
                queue,
                Seq(seq),
                None,
                0,
                &[u8::try_from(seq).expect("small"); 100],
            );
        }
    });
    let read = |from, count, bytes| {
        let stored = fixture
            .store()
            .read(queue, Seq(from), count, bytes)
            .expect("read");
        stored.into_iter().map(|m| m.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(read(0, 3, 10_000), [1, 2, 3]);
    assert_eq!(read(5, 100, 250), [5, 6]);
    assert_eq!(read(5, 100, 1), [5]);
    assert_eq!(read(10, 100, 1), [] as [u64; 0]);
    assert!(
        fixture
            .store()
            .read(QueueId(99), Seq(0), 1, 1)
            .expect("read")
            .is_empty()
    );
}

#[test]
fn duplicates_are_noticed_in_flight_and_after_a_restart() {
    let mut fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    assert_eq!(fixture.store().note_producer(b"p", 7), Noted::New);
    assert_eq!(
        fixture.store().note_producer(b"p", 7),
        Noted::Duplicate,
        "not even submitted yet"
    );
    fixture.commit(1, |work| {
        work.queue(queue, b"q");
        work.message(
            queue,
            Seq(1),
            Some(ProducerSequence {
                producer: b"p",
                sequence: 7,
            }),
            0,
            b"m",
        );
    });
    assert_eq!(fixture.store().note_producer(b"p", 7), Noted::Duplicate);
    fixture.reopen();
    assert_eq!(
        fixture.store().note_producer(b"p", 7),
        Noted::Duplicate,
        "stored by the previous master"
    );
    assert_eq!(fixture.store().note_producer(b"p", 8), Noted::New);
    assert_eq!(fixture.store().note_producer(b"other", 7), Noted::New);
}

#[test]
fn nothing_is_claimed_of_a_sequence_below_the_window_and_it_can_still_be_stored() {
    let mut fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    for (seq, sequence) in [(1, 1000), (2, 5)] {
        let _ = fixture.store().note_producer(b"p", sequence);
        fixture.commit(seq, |work| {
            work.queue(queue, b"q");
            let producer = ProducerSequence {
                producer: b"p",
                sequence,
            };
            work.message(queue, Seq(seq), Some(producer), 0, b"m");
        });
    }
    for _ in 0..2 {
        let noted = |sequence| fixture.store().note_producer(b"p", sequence);
        assert_eq!(noted(1000), Noted::Duplicate);
        assert_eq!(noted(935), Noted::Unknown, "just below the window");
        assert_eq!(noted(5), Noted::Unknown, "though it is stored");
        assert_eq!(fixture.payloads(queue).len(), 2);
        fixture.reopen();
    }
    assert_eq!(
        fixture.store().note_producer(b"p", 936),
        Noted::New,
        "just within"
    );
}

#[test]
fn a_commit_asked_twice_gets_the_same_answer_across_restarts() {
    let mut fixture = Fixture::new();
    fixture.commit(1, |work| work.outcome(b"tx-1", Outcome::Committed));
    fixture.commit(2, |work| work.outcome(b"tx-2", Outcome::RolledBack));
    for _ in 0..2 {
        let outcome = |tx: &[u8]| fixture.store().outcome(tx).expect("outcome");
        assert_eq!(outcome(b"tx-1"), Some(Outcome::Committed));
        assert_eq!(outcome(b"tx-2"), Some(Outcome::RolledBack));
        assert_eq!(outcome(b"tx-3"), None);
        fixture.reopen();
    }
}

#[test]
fn staged_work_shows_at_the_commit_and_is_void_without_one() {
    let mut fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    fixture.commit(1, |work| {
        work.queue(queue, b"q");
        work.message(queue, Seq(1), None, 0, b"old");
    });
    let stage = |fixture: &Fixture, seq: u64| {
        let id = fixture.store().new_staged();
        let mut work = Work::new();
        work.message(queue, Seq(seq), None, 0, b"new");
        work.removed(queue, &[Seq(seq - 1)]);
        fixture.store().stage(id, work).expect("stage");
        fixture.commit(seq * 10, |_| {});
        id
    };
    let id = stage(&fixture, 2);
    assert_eq!(fixture.payloads(queue), [(1, 0, b"old".to_vec())]);
    fixture.commit(3, |work| work.staged_commit(id));
    assert_eq!(fixture.payloads(queue), [(2, 0, b"new".to_vec())]);
    stage(&fixture, 3);
    fixture.reopen();
    assert_eq!(fixture.recovery.rolled_back, 1);
    assert_eq!(fixture.payloads(queue), [(2, 0, b"new".to_vec())]);
    fixture.reopen();
    assert_eq!(fixture.recovery.rolled_back, 0, "the rollback was written");
}

#[test]
fn what_comes_after_the_removal_of_its_queue_is_gone_after_a_restart() {
    let mut fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    let id = fixture.store().new_staged();
    fixture.commit(1, |work| work.queue(queue, b"q"));
    let mut work = Work::new();
    work.message(queue, Seq(1), None, 0, b"late");
    fixture.store().stage(id, work).expect("stage");
    fixture.commit(2, |work| {
        work.queue_removed(queue);
        work.staged_commit(id);
    });
    assert!(fixture.store().queues().is_empty());
    fixture.reopen();
    assert!(fixture.store().queues().is_empty());
    assert_eq!(fixture.store().usage().live_bytes, 0);
    assert!(fixture.store().new_queue() > queue);
}

#[test]
fn work_larger_than_a_segment_is_one_batch() {
    let mut fixture = Fixture::new();
    let queue = fixture.store().new_queue();
    let big = vec![7; 1 << 20];
    fixture.commit(1, |work| {
        work.queue(queue, b"q");
        work.message(queue, Seq(1), None, 0, &big);
    });
    assert_eq!(fixture.store().usage().batches, 1);
    fixture.reopen();
    assert_eq!(fixture.payloads(queue), [(1, 0, big)]);
}

#[test]
fn what_cannot_be_written_is_refused_alone_and_close_refuses_everything() {
    let fixture = Fixture::new();
    let mut work = Work::new();
    work.outcome(&vec![0; 70_000], Outcome::Committed);
    assert!(matches!(
        fixture.store().submit_from(&mut work, 1),
        Err(Error::TooLarge { bytes: 70_000, .. })
    ));
    fixture.commit(2, |work| work.outcome(b"fine", Outcome::Committed));
    let clone = fixture.store().clone();
    fixture.store().clone().close().expect("close");
    assert!(matches!(clone.submit(Work::new(), 3), Err(Error::Closed)));
    assert!(matches!(clone.outcome(b"fine"), Err(Error::Closed)));
    assert_eq!(fixture.collected.tokens(), [2]);
    clone.close().expect("a second close has nothing to do");
}

#[test]
fn settings_and_foreign_directories_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("temp dir");
    let settings = crate::Settings {
        segment_bytes: 5,
        ..small()
    };
    let (_, collector) = Collected::new();
    assert!(matches!(
        Store::open(dir.path(), hold(dir.path()), settings, collector),
        Err(Error::Setting { .. })
    ));
    assert!(!has_journal(dir.path()));

    let foreign = tempfile::tempdir().expect("temp dir");
    let held = hold(foreign.path());
    crate::Fs::replace(
        &crate::RealFs::new(None),
        &foreign.path().join("db.data"),
        b"theirs",
    )
    .expect("write");
    let (_, collector) = Collected::new();
    let opened = Store::<u64>::open(foreign.path(), held, small(), collector);
    assert!(matches!(opened, Err(Error::NotOurs { found, .. }) if found == "db.data"));
    assert!(!has_journal(foreign.path()));
}

fn has_journal(dir: &std::path::Path) -> bool {
    let names = crate::Fs::list(&crate::RealFs::new(None), dir).expect("list");
    names.iter().any(|name| name == "journal")
}
