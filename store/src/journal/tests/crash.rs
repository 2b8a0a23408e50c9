//! Crashes at every operation, with what was not synced lost, kept or torn; and a second crash on top.

use super::support::{Master, append_names, disk, names, read_all};
use crate::fs::sim::{Choice, Op, OpKind, SimFs};
use std::io::ErrorKind;

fn choices(seeds: u64) -> Vec<Choice> {
    [Choice::Lost, Choice::Kept]
        .into_iter()
        .chain((0..seeds).map(Choice::Seed))
        .collect()
}

/// What was acknowledged is there, in order, and at most the one batch in flight beyond it.
fn check(fs: &SimFs, acknowledged: u64, context: &str) -> u64 {
    let (seen, _) = read_all(fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = seen.len() as u64;
    assert_eq!(seen, names(found), "{context}");
    assert!(
        found >= acknowledged,
        "{context}: {acknowledged} acknowledged, {found} found"
    );
    assert!(
        found <= acknowledged + 1,
        "{context}: {acknowledged} acknowledged, {found} found"
    );
    found
}

/// Two masters, one after the other, each acknowledging by a mark what it appended.
fn workload() -> SimFs {
    let fs = disk();
    let mut stored = 0;
    for epoch in 1..=2 {
        let mut master = Master::start(&fs, epoch).expect("sound");
        for _ in 0..10 {
            append_names(&mut master, stored + 1, stored + 1);
            stored += 1;
            fs.mark(stored);
        }
    }
    fs
}

#[test]
fn nothing_acknowledged_is_lost_whenever_the_crash_comes() {
    let mut states = 0;
    workload().for_each_crash(&choices(14), |op, marks, fs| {
        let acknowledged = marks.last().copied().unwrap_or(0);
        let context = format!("crash {states} at operation {op}");
        let found = check(&fs, acknowledged, &context);
        // The next master can start, and what it saw stays, also when nothing of its own unsynced work survives.
        let mut master = Master::start(&fs, 9).unwrap_or_else(|error| panic!("{context}: {error}"));
        append_names(&mut master, found + 1, found + 2);
        drop(master);
        assert_eq!(
            check(&fs.crash(Choice::Lost), found + 2, &context),
            found + 2,
            "{context}"
        );
        states += 1;
    });
    assert!(states > 1000, "{states} states");
}

#[test]
fn a_crash_during_the_recovery_from_a_crash_loses_nothing() {
    let first = workload();
    let total = first.op_count();
    for op in (0..=total).step_by(5) {
        for (at, choice) in choices(3).into_iter().enumerate() {
            let fs = first.crash_at(op, choice);
            let found = read_all(&fs).expect("covered above").0.len() as u64;
            let recovering = fs.copy();
            Master::start(&recovering, 9).expect("covered above");
            recovering.for_each_crash(&choices(3), |second, _, fs| {
                let context = format!("crash at {op} ({at}), again at {second}");
                let (seen, _) = read_all(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(seen.len() as u64 <= found, "{context}");
                Master::start(&fs, 10).unwrap_or_else(|error| panic!("{context}: {error}"));
            });
        }
    }
}

#[test]
fn what_a_killed_process_left_unsynced_stays_once_it_is_sealed() {
    let first = workload();
    let total = first.op_count();
    for op in (0..total).filter(|op| matches!(first.ops()[*op], Op::WriteDurable { .. })) {
        // The write is in the page cache, the process is killed before its sync.
        let fs = first.killed_at(op);
        let mut next = Master::start(&fs, 9).expect("sound");
        let found = next.seen.len() as u64;
        append_names(&mut next, found + 1, found + 1);
        for choice in choices(5) {
            let context = format!("killed at {op}, then {choice:?}");
            assert_eq!(
                check(&fs.crash(choice), found + 1, &context),
                found + 1,
                "{context}"
            );
        }
    }
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_not_taken_for_durable() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 3);
    fs.fail(OpKind::WriteDurable, 0, ErrorKind::Other, false);
    assert!(master.append(b"4").is_err());
    drop(master);
    let mut next = Master::start(&fs, 2).expect("sound");
    let found = next.seen.len() as u64;
    append_names(&mut next, found + 1, found + 1);
    for choice in choices(20) {
        let context = format!("{choice:?}");
        assert_eq!(check(&fs.crash(choice), found + 1, &context), found + 1);
    }
}

#[test]
fn a_crash_while_segments_are_removed_leaves_a_journal_that_can_be_read() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 30);
    drop(master);
    // Its spares are left over for the second one.
    let fs = fs.copy();
    let mut master = Master::start(&fs, 2).expect("sound");
    append_names(&mut master, 31, 40);
    let segments = master.directory.segments();
    for segment in &segments[..3] {
        let remains = master.directory.remove_through(segment.number);
        for mut remains in remains.expect("sound") {
            while master.directory.shrink(&mut *remains).expect("sound") {}
        }
    }
    let ops = fs.ops();
    let shrunk = ops.iter().filter(|op| matches!(op, Op::Shrink { .. }));
    assert_eq!(
        shrunk.count(),
        4 * 2,
        "three segments and a spare, each in two steps"
    );
    fs.for_each_crash(&choices(8), |op, _, fs| {
        let (seen, _) = read_all(&fs).unwrap_or_else(|error| panic!("operation {op}: {error}"));
        let oldest_kept = names(40).split_off(40 - seen.len());
        assert!(
            seen == oldest_kept || seen == names(seen.len() as u64),
            "operation {op}"
        );
    });
}
