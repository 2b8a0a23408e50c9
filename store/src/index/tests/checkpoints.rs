//! What a checkpoint saves, what it leaves out, and what it does when it cannot be written.

use std::io::ErrorKind;
use std::sync::Arc;

use super::rig::Rig;
use super::step::{Step, producer_id};
use crate::fs::sim::{Choice, OpKind, SimFs};
use crate::index::Backend;
use crate::index::database::Form;
use crate::index::generation::form_of;
use crate::position::{QueueId, SegmentNumber, Seq};

fn pages_in_database(rig: &mut Rig) -> usize {
    rig.index()
        .stable
        .as_ref()
        .map_or(0, |control| control.pages().count())
}

fn filled(mut rig: Rig) -> Rig {
    rig.step(Step::Queue(1));
    rig.messages(1, 1..60);
    for id in 0..7 {
        rig.step(Step::Message {
            queue: 1,
            seq: 60 + u64::from(id),
            redeliveries: 0,
            producer: Some((id, 5)),
        });
        rig.step(Step::Outcome {
            id,
            committed: true,
        });
    }
    rig
}

#[test]
fn what_comes_and_goes_between_checkpoints_never_reaches_the_database() {
    let mut rig = Rig::new(Backend::File);
    rig.step(Step::Queue(1));
    for seq in 1..100 {
        rig.messages(1, seq..seq + 1);
        rig.step(Step::Removed {
            queue: 1,
            seqs: vec![seq],
        });
    }
    assert!(rig.checkpoint());
    assert_eq!(pages_in_database(&mut rig), 0);
    rig.messages(1, 100..103);
    assert!(rig.checkpoint());
    assert_eq!(pages_in_database(&mut rig), 1);
    rig.step(Step::Removed {
        queue: 1,
        seqs: vec![100, 101, 102],
    });
    assert!(rig.checkpoint());
    assert_eq!(pages_in_database(&mut rig), 0);
    rig.check();
}

#[test]
fn a_checkpoint_is_where_the_replay_begins() {
    let mut rig = filled(Rig::new(Backend::Sled));
    assert!(rig.checkpoint());
    let at = rig.journal.len();
    rig.messages(1, 100..110);
    rig.reopen();
    assert_eq!((rig.replayed_from, rig.rebuilt.take()), (at, None));
    rig.check();
}

#[test]
fn clean_pages_leave_memory_beyond_the_limit_and_come_back() {
    let mut rig = filled(Rig::new(Backend::Sled));
    rig.messages(1, 100..1000);
    assert!(
        rig.index().queues.cached_bytes() > 20_000,
        "nothing leaves before a checkpoint"
    );
    assert!(rig.checkpoint());
    assert!(rig.index().queues.cached_bytes() <= rig.settings.page_cache_bytes);
    rig.check();
    // Reading it all does not bring it all back.
    assert!(rig.index().queues.cached_bytes() <= rig.settings.page_cache_bytes + 1000);
    assert!(rig.index().dirty_bytes() == 0);
    rig.step(Step::Removed {
        queue: 1,
        seqs: vec![500],
    });
    assert!(rig.index().dirty_bytes() > 0);
    rig.check();
}

#[test]
fn old_producers_are_forgotten_step_by_step() {
    let mut rig = filled(Rig::new(Backend::Sled));
    assert!(rig.checkpoint());
    rig.step(Step::Message {
        queue: 1,
        seq: 200,
        redeliveries: 0,
        producer: Some((2, 6)),
    });
    let young = rig.journal[rig.journal.len() - 1].time_ms;
    let pinned = rig.index().live(SegmentNumber(4)).entries;
    for _ in 0..5 {
        let age = u64::try_from(rig.settings.producer_age.as_millis()).unwrap();
        rig.index().expire(young + age).unwrap();
        assert!(rig.checkpoint());
    }
    for id in 0..7 {
        let known = rig.index().producer(&producer_id(id)).unwrap().is_some();
        assert_eq!(known, id == 2, "producer {id}");
    }
    assert!(rig.index().live(SegmentNumber(4)).entries < pinned);
    let control = rig.index().stable.clone().unwrap();
    assert_eq!(control.image.producers.count, 1);
}

#[test]
fn a_long_rebuild_may_checkpoint_on_its_way() {
    let mut rig = filled(Rig::new(Backend::Sled));
    rig.step(Step::Mark { queue: 1, seq: 9 });
    // As if only the later segments were left: the name of the queue comes at the end.
    rig.journal.remove(0);
    let journal = rig.journal.clone();
    rig.journal.truncate(30);
    rig.reopen();
    assert!(rig.checkpoint());
    assert!(rig.index().queues().is_empty(), "no name yet");
    rig.reopen();
    rig.journal = journal;
    let late = rig.journal[30..].to_vec();
    late.iter()
        .for_each(|logged| super::rig::apply(rig.index(), logged).unwrap());
    rig.step(Step::Queue(1));
    rig.check();
    assert_eq!(rig.index().queue(QueueId(1)).unwrap().first, Some(Seq(1)));
}

#[test]
fn whatever_fails_in_a_checkpoint_the_next_one_succeeds() {
    for kind in [
        OpKind::List,
        OpKind::Read,
        OpKind::CreateDir,
        OpKind::Write,
        OpKind::Sync,
        OpKind::Rename,
        OpKind::SyncDir,
    ] {
        for spared in 0..4 {
            for before in [false, true] {
                let fs = SimFs::new();
                let mut rig = filled(Rig::on(&fs));
                if before {
                    assert!(rig.checkpoint());
                }
                rig.messages(1, 100..120);
                rig.step(Step::Outcome {
                    id: 1,
                    committed: false,
                });
                fs.fail(kind, spared, ErrorKind::Other, false);
                let stable = rig.checkpoint();
                fs.heal();
                rig.check();
                rig.messages(1, 120..125);
                assert!(rig.checkpoint(), "{kind:?} {spared} {before} {stable}");
                rig.reopen();
                assert_eq!(rig.rebuilt, None);
                rig.check();
            }
        }
    }
}

#[test]
fn a_crash_at_any_operation_of_a_checkpoint_loses_nothing() {
    for anew in [false, true] {
        let fs = SimFs::new();
        let mut rig = filled(Rig::on(&fs));
        assert!(rig.checkpoint());
        rig.messages(1, 100..130);
        rig.step(Step::Removed {
            queue: 1,
            seqs: (1..40).collect(),
        });
        rig.index().begin_anew = anew;
        let recorded = fs.copy();
        rig.index = None;
        rig.fs = Arc::new(recorded.clone());
        rig.reopen();
        rig.index().begin_anew = anew;
        assert!(rig.checkpoint());
        let mut states = 0;
        recorded.for_each_crash(
            &[Choice::Lost, Choice::Kept, Choice::Seed(1), Choice::Seed(2)],
            |at, _, crashed| {
                rig.index = None;
                rig.fs = Arc::new(crashed);
                rig.boot_id.push('\'');
                rig.reopen();
                assert_eq!(rig.rebuilt, None, "after operation {at}");
                rig.check();
                states += 1;
            },
        );
        assert!(states > 20, "{states} states");
    }
}

#[test]
fn a_full_disk_shows_before_the_database_is_touched() {
    let fs = SimFs::new();
    let mut rig = filled(Rig::on(&fs));
    assert!(rig.checkpoint());
    rig.messages(1, 100..130);
    let before = fs.content(&rig.index_dir().join("control"));
    fs.set_space(Some(1 << 8));
    assert!(!rig.checkpoint());
    assert_eq!(fs.content(&rig.index_dir().join("control")), before);
    assert!(!rig.index().begin_anew, "the database is as it was");
    fs.set_space(None);
    assert!(rig.checkpoint());
    rig.reopen();
    rig.check();
}

#[test]
fn an_index_that_outgrows_its_file_moves_into_sled_and_back() {
    let mut rig = Rig::new(Backend::Fitting);
    let form = |rig: &mut Rig| {
        let stable = rig.index().stable.as_ref();
        form_of(&stable.expect("a checkpoint was written").generation)
    };
    rig.step(Step::Queue(1));
    rig.step(Step::Queue(2));
    rig.messages(1, 1..10);
    assert!(rig.checkpoint());
    assert_eq!(form(&mut rig), Form::File);
    rig.messages(1, 10..1_000);
    let mut next = 1;
    for _ in 0..3 {
        assert!(rig.checkpoint());
        rig.messages(2, next..next + 1);
        next += 1;
    }
    assert_eq!(form(&mut rig), Form::Sled);
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.check();
    for seq in 1..1_000 {
        rig.step(Step::Removed {
            queue: 1,
            seqs: vec![seq],
        });
    }
    for _ in 0..3 {
        assert!(rig.checkpoint());
        rig.messages(2, next..next + 1);
        next += 1;
    }
    assert_eq!(form(&mut rig), Form::File);
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.check();
}

#[test]
fn a_new_generation_replaces_the_old_one() {
    let mut rig = filled(Rig::new(Backend::Sled));
    assert!(rig.checkpoint());
    let names = |rig: &mut Rig| rig.index().source.place().names();
    let first = names(&mut rig);
    rig.messages(1, 100..110);
    rig.index().begin_anew = true;
    assert!(rig.checkpoint());
    assert_eq!(names(&mut rig).len(), 2, "the old one was in use until now");
    rig.check();
    rig.messages(1, 110..120);
    assert!(rig.checkpoint());
    let last = names(&mut rig);
    assert!(last.len() == 1 && last != first);
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.check();
}
