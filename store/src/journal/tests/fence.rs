//! A master that was replaced and does not know it yet: nothing it writes counts.

use super::support::{
    Master, SEGMENT, append_names, disk, names, read, read_all, segment, settings,
};
use crate::error::Error;
use crate::fs::Fs;
use crate::journal::Writer;

#[test]
fn bytes_behind_the_seal_do_not_exist() {
    for written in 0..=6 {
        let fs = disk();
        let mut zombie = Master::start(&fs, 1).expect("sound");
        append_names(&mut zombie, 1, written);
        let mut master = Master::start(&fs, 2).expect("sound");
        // Valid batches of the old epoch, until its segment is full and it rolls into one of its own.
        append_names(&mut zombie, 100, 110);
        append_names(&mut master, written + 1, written + 9);
        let mut next = Master::start(&fs, 3).expect("sound");
        assert_eq!(next.seen, names(written + 9), "{written} batches");
        append_names(&mut next, written + 10, written + 12);
        append_names(&mut zombie, 200, 220);
        append_names(&mut master, 300, 310);
        assert_eq!(read_all(&fs).expect("sound").0, names(written + 12));
        assert_eq!(
            Master::start(&fs, 4).expect("sound").seen,
            names(written + 12)
        );
    }
}

#[test]
fn garbage_at_every_block_behind_the_seal_is_ignored() {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, 2);
    append_names(&mut Master::start(&fs, 2).expect("sound"), 3, 4);
    let batch = fs.content(&segment(1, 1))[3 * 4096..4 * 4096].to_vec();
    for block in 4..8 {
        fs.edit(&segment(1, 1), |bytes| {
            bytes[block * 4096..(block + 1) * 4096].copy_from_slice(&batch)
        });
        assert_eq!(read_all(&fs).expect("behind the seal").0, names(4));
    }
    fs.edit(&segment(1, 1), |bytes| bytes[4 * 4096..].fill(0xa5));
    assert_eq!(read_all(&fs).expect("behind the seal").0, names(4));
}

#[test]
fn segments_of_a_replaced_master_are_left_over_whatever_they_hold() {
    let fs = disk();
    let mut zombie = Master::start(&fs, 1).expect("sound");
    append_names(&mut zombie, 1, 6);
    let mut master = Master::start(&fs, 2).expect("sound");
    append_names(&mut master, 7, 30);
    // The zombie has its own segment 2 and 3, numbers that the master gave out too.
    append_names(&mut zombie, 100, 115);
    let (seen, end) = read_all(&fs).expect("sound");
    assert_eq!(seen, names(30));
    assert!(
        end.leftovers.iter().filter(|info| info.epoch == 1).count() >= 3,
        "{:?}",
        end.leftovers
    );
    // Even when the master's segment of that number has been reclaimed.
    fs.remove(&segment(1, 1)).expect("reclaimed");
    fs.remove(&segment(2, 2)).expect("reclaimed");
    let (seen, end) = read_all(&fs).expect("the rest is sound");
    assert_eq!(seen, names(30)[12..]);
    assert!(end.leftovers.iter().any(|info| info.epoch == 1));
    Master::start(&fs, 3).expect("sound");
    let left = super::support::open(&fs).expect("sound").segments();
    assert!(left.iter().all(|info| info.epoch > 1), "{left:?}");
}

#[test]
fn a_spare_that_a_replaced_master_makes_late_stops_nobody() {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, 6);
    let mut master = Master::start(&fs, 2).expect("sound");
    append_names(&mut master, 7, 60);
    let sealed = master.directory.segments();
    assert!(sealed.len() > 8, "{sealed:?}");
    for info in &sealed[..5] {
        fs.remove(&segment(info.epoch, info.number.0))
            .expect("reclaimed");
    }
    // Paused for long: everything around that number has been reclaimed meanwhile.
    let late = segment(1, sealed[2].number.0);
    let mut spare = fs.create(&late, SEGMENT).expect("a new name");
    spare.fill(0, SEGMENT).expect("there is room");
    spare.finish().expect("sound");
    let (seen, end) = read_all(&fs).expect("it holds nothing");
    assert_eq!(seen.last(), names(60).last());
    assert!(end.leftovers.iter().any(|info| info.epoch == 1), "{end:?}");
}

#[test]
fn reclaiming_takes_what_a_replaced_master_left_along() {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, 6);
    let mut master = Master::start(&fs, 2).expect("sound");
    append_names(&mut master, 7, 60);
    let sealed = master.directory.segments();
    let late = segment(1, sealed[2].number.0);
    fs.create(&late, SEGMENT).expect("a new name");
    let through = sealed[4].number;
    master.directory.remove_through(through).expect("sound");
    assert!(fs.file_len(&late).is_err(), "it is gone");
    let left = super::support::open(&fs).expect("sound").segments();
    assert!(left.iter().all(|info| info.number > through), "{left:?}");
}

#[test]
fn nothing_is_removed_before_the_seal_was_verified() {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, 8);
    let before = super::support::open(&fs).expect("sound").segments();
    let directory = super::support::open(&fs).expect("sound");
    let (_, end) = read(&directory, None).expect("sound");
    assert!(!end.leftovers.is_empty());
    // Replaced while it recovered: its successor may have found batches in what were spares.
    let lost = || Err(Error::Closed);
    let started = Writer::start(&directory, 2, &end, &settings(), 1, &lost);
    assert!(matches!(started, Err(Error::Closed)));
    let left = super::support::open(&fs).expect("sound").segments();
    assert!(before.iter().all(|info| left.contains(info)), "{left:?}");
}

#[test]
fn two_masters_of_one_epoch_do_not_both_begin() {
    let fs = disk();
    let mut master = Master::start(&fs, 4).expect("sound");
    append_names(&mut master, 1, 2);
    // Locks that keep nobody apart let both read the same holder record.
    for epoch in [3, 4] {
        let other = Master::start(&fs, epoch);
        assert!(matches!(other, Err(Error::Overtaken { found: 4, .. })));
    }
    append_names(&mut master, 3, 4);
    assert_eq!(read_all(&fs).expect("sound").0, names(4));
}
