//! Any records, checkpoints at any point, killed at any step, reopened: the index always says what the journal says.

use proptest::prelude::*;

use super::rig::Rig;
use super::step::Step;
use crate::index::Backend;
use crate::index::file_database::TEAR_NEXT_SYNC;

#[derive(Clone, Debug)]
enum Act {
    Step(Step),
    /// So many messages in a row.
    Burst {
        queue: u32,
        count: u64,
    },
    /// The oldest messages of a queue are acknowledged.
    Drain {
        queue: u32,
        count: u64,
    },
    Checkpoint,
    /// These happen while it is written.
    CheckpointWith(Vec<Step>),
    /// Segments in which nothing lives go.
    Reclaim,
    /// What lives in the oldest segment moves.
    Compact,
    Reopen,
    /// The index is gone, and the journal has to do.
    Rebuild,
    ReopenOnAnotherBoot,
    KilledBefore,
    KilledBeforeStable,
    /// Some pages are as before, some as after.
    KilledMidway {
        choice: u64,
        other_boot: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (queue, seq) = (1u32..4, 1u64..60);
    let message = (
        queue.clone(),
        seq.clone(),
        proptest::option::of((0u8..6, 1u64..200)),
    );
    let message = message.prop_map(|(queue, seq, producer)| Step::Message {
        queue,
        seq,
        redeliveries: 0,
        producer,
    });
    let removed = (queue.clone(), proptest::collection::vec(seq.clone(), 1..5));
    let removed = removed.prop_map(|(queue, mut seqs)| {
        seqs.sort_unstable();
        seqs.dedup();
        Step::Removed { queue, seqs }
    });
    // What a transaction stores goes to a queue of its own: its removals are of messages that are there before it.
    let stored = (1u64..60, proptest::option::of((0u8..6, 1u64..200)));
    let stored = stored.prop_map(|(seq, producer)| Step::Message {
        queue: 9,
        seq,
        redeliveries: 0,
        producer,
    });
    let held = prop_oneof![stored, removed.clone()];
    let acknowledged = (1u64..60).prop_map(|seq| Step::Removed {
        queue: 9,
        seqs: vec![seq],
    });
    prop_oneof![
        8 => message,
        4 => removed,
        3 => acknowledged,
        2 => queue.clone().prop_map(Step::Queue),
        1 => queue.clone().prop_map(Step::QueueRemoved),
        2 => (queue.clone(), seq.clone(), any::<u16>()).prop_map(|(queue, seq, count)| Step::Redelivered { queue, seq, count }),
        1 => (queue, seq).prop_map(|(queue, seq)| Step::Mark { queue, seq }),
        1 => (0u8..6, 1u64..200, any::<u64>()).prop_map(|(id, last, window)| Step::Producer { id, last, window }),
        2 => (0u8..9, any::<bool>()).prop_map(|(id, committed)| Step::Outcome { id, committed }),
        5 => (1u64..4, held).prop_map(|(id, step)| Step::Staged { id, step: Box::new(step) }),
        1 => (1u64..4).prop_map(Step::Commit),
        1 => (1u64..4).prop_map(Step::Rollback),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        30 => step().prop_map(Act::Step),
        4 => (1u32..4, 1u64..40).prop_map(|(queue, count)| Act::Burst { queue, count }),
        3 => (1u32..4, 1u64..60).prop_map(|(queue, count)| Act::Drain { queue, count }),
        3 => Just(Act::Checkpoint),
        2 => proptest::collection::vec(step(), 1..12).prop_map(Act::CheckpointWith),
        2 => Just(Act::Reclaim),
        2 => Just(Act::Compact),
        1 => Just(Act::Rebuild),
        2 => Just(Act::Reopen),
        1 => Just(Act::ReopenOnAnotherBoot),
        1 => Just(Act::KilledBefore),
        1 => Just(Act::KilledBeforeStable),
        2 => (any::<u64>(), any::<bool>()).prop_map(|(choice, other_boot)| Act::KilledMidway { choice, other_boot }),
    ]
}

fn run(rig: &mut Rig, act: Act) {
    match act {
        Act::Step(step) => rig.step(step),
        Act::Burst { queue, count } => {
            let next = rig
                .index()
                .queue(crate::QueueId(queue))
                .map_or(100, |queue| queue.next_seq.0);
            rig.messages(queue, next..next + count);
        }
        Act::Drain { queue, count } => {
            let max = usize::try_from(count).unwrap();
            let entries = rig
                .index()
                .entries(crate::QueueId(queue), crate::Seq(0), max)
                .unwrap();
            let seqs = entries.iter().map(|entry| entry.seq.0).collect();
            rig.step(Step::Removed { queue, seqs });
        }
        Act::Checkpoint => assert!(rig.checkpoint()),
        Act::CheckpointWith(steps) => {
            let after = rig.after();
            let snapshot = rig.index().begin_checkpoint(after);
            let (first, second) = steps.split_at(steps.len() / 2);
            first.iter().for_each(|step| rig.step(step.clone()));
            let written = snapshot.write(&|| Ok(())).unwrap();
            second.iter().for_each(|step| rig.step(step.clone()));
            assert!(rig.index().finish_checkpoint(written));
        }
        Act::Reclaim => rig.reclaim(),
        Act::Compact => {
            rig.compact();
            assert!(rig.checkpoint());
            rig.reclaim();
        }
        Act::Rebuild => {
            rig.index = None;
            lose(&rig.index_dir());
            rig.reopen();
        }
        Act::Reopen => reopen_soundly(rig),
        Act::ReopenOnAnotherBoot => {
            rig.boot_id.push('\'');
            rig.reopen();
        }
        Act::KilledBefore => {
            rig.killed_checkpoint(1);
            rig.reopen();
        }
        Act::KilledBeforeStable => {
            rig.killed_checkpoint(2);
            reopen_soundly(rig);
        }
        Act::KilledMidway { choice, other_boot } => {
            let after = rig.after();
            let snapshot = rig.index().begin_checkpoint(after);
            TEAR_NEXT_SYNC.set(Some(choice));
            // Killed: nobody takes in what became of it.
            let _ = snapshot.write(&|| Ok(())).unwrap();
            TEAR_NEXT_SYNC.set(None);
            if other_boot {
                rig.boot_id.push('\'');
                rig.reopen();
            } else {
                reopen_soundly(rig);
            }
        }
    }
}

/// Nothing happened that would be a reason to rebuild, unless a rebuild is not yet behind a checkpoint.
fn reopen_soundly(rig: &mut Rig) {
    let sound = rig.rebuilt.is_none();
    rig.reopen();
    assert!(!sound || rig.rebuilt.is_none(), "{:?}", rig.rebuilt);
}

fn explore(backend: Backend, acts: Vec<Act>) {
    let mut rig = Rig::new(backend);
    for act in acts {
        let look = !matches!(act, Act::Step(_));
        run(&mut rig, act);
        if look {
            rig.check();
        }
    }
    rig.check();
    rig.reopen();
    rig.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(96), ..ProptestConfig::default() })]

    #[test]
    fn the_index_says_what_the_journal_says(acts in proptest::collection::vec(act(), 1..120)) {
        explore(Backend::File, acts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), ..ProptestConfig::default() })]

    #[test]
    fn and_so_it_does_where_it_moves_between_a_file_and_sled(
        acts in proptest::collection::vec(act(), 1..120)
    ) {
        explore(Backend::Fitting, acts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(12), ..ProptestConfig::default() })]

    #[test]
    fn and_so_it_does_on_sled(acts in proptest::collection::vec(act(), 1..120)) {
        explore(Backend::Sled, acts);
    }
}

/// More of them with `PROPTEST_CASES`.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(default)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the index goes behind the back of the file layer"
)]
fn lose(index: &std::path::Path) {
    let _ = std::fs::remove_dir_all(index);
}
