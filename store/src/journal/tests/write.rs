//! Writing: placement, rolling, spares, full disks, failures.

use super::support::{
    Master, SEGMENT, append_names, damage, disk, io_kind, names, open, read, read_all, segment,
    settings,
};
use crate::codec::decode_all;
use crate::error::Error;
use crate::fs::Fs;
use crate::fs::sim::{Op, OpKind};
use crate::journal::{Directory, Reader, WriterSettings, scan_segment};
use crate::limits::{BLOCK_BYTES, OPEN_SEGMENTS};
use crate::position::{Position, SegmentNumber};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

#[test]
fn an_empty_journal_has_no_end_and_the_first_segment_seals_nothing() {
    let fs = disk();
    let master = Master::start(&fs, 1).expect("an empty disk will do");
    assert_eq!(
        (
            master.end.segment,
            master.end.last_batch.0,
            master.end.batches
        ),
        (SegmentNumber(0), 0, 0)
    );
    let (seen, end) = read_all(&fs).expect("sound");
    assert!(seen.is_empty());
    assert_eq!(
        (end.epoch, end.segment.0, end.offset, end.last_batch.0),
        (1, 1, 2 * BLOCK_BYTES, 1)
    );
}

#[test]
fn batches_come_back_in_order_over_segments_and_epochs() {
    let fs = disk();
    for epoch in 1..=4 {
        let mut master = Master::start(&fs, epoch).expect("sound");
        assert_eq!(master.seen, names((epoch - 1) * 20));
        append_names(&mut master, (epoch - 1) * 20 + 1, epoch * 20);
    }
    let (seen, end) = read_all(&fs).expect("sound");
    assert_eq!(seen, names(80));
    assert_eq!(end.epoch, 4);
    assert_eq!(end.last_batch.0, 80 + end.batches - 80);
}

#[test]
fn each_batch_is_one_write_that_is_durable_when_it_returns() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    let before = fs.op_count();
    append_names(&mut master, 1, 3);
    let ops = fs.ops();
    assert_eq!(ops.len() - before, 3);
    assert!(
        ops[before..]
            .iter()
            .all(|op| matches!(op, Op::WriteDurable { .. }))
    );
}

#[test]
fn a_placement_says_where_the_records_are() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    let reader = Reader::new(Arc::clone(&master.directory));
    for n in 1..=20_u64 {
        let name = format!("queue {n}").into_bytes();
        let placed = master.append(&name).expect("sound");
        let content = fs.content(&segment(1, placed.position.segment.0));
        let at = usize::try_from(placed.position.offset).expect("small");
        let record = decode_all(&content[at..at + 64])
            .next()
            .expect("a record")
            .expect("valid");
        assert!(format!("{:?}", record.record).contains("Queue"));
        // Length, type, queue and name length stand before the name.
        let position = Position {
            offset: placed.position.offset + 4 + 1 + 4 + 2,
            ..placed.position
        };
        let payload = reader
            .read_payload(position, name.len(), crc32fast::hash(&name))
            .expect("durable");
        assert_eq!(&payload[..], &name[..]);
        let wrong = reader.read_payload(position, name.len(), 1);
        assert_eq!(damage(wrong).1, position.offset);
        assert_eq!(master.writer.after(), placed.after);
        assert_eq!(placed.rolled, placed.bytes_on_disk == 3 * BLOCK_BYTES);
    }
}

#[test]
fn recovery_from_any_batch_yields_exactly_what_follows_it() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    let mut placed = append_names(&mut master, 1, 15);
    let mut master = Master::start(&fs, 2).expect("sound");
    placed.extend(append_names(&mut master, 16, 30));
    let directory = open(&fs).expect("sound");
    for (at, placed) in placed.iter().enumerate() {
        let (seen, end) = read(&directory, Some(placed.after)).expect("sound");
        assert_eq!(seen, names(30)[at + 1..], "after {}", at + 1);
        assert_eq!(end.after(), master.writer.after());
    }
}

#[test]
fn what_lies_before_the_checkpoint_is_not_read() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    let placed = append_names(&mut master, 1, 60);
    let from = placed[54].after;
    for number in 1..from.position.segment.0 {
        fs.edit(&segment(1, number), |bytes| bytes.fill(0xee));
    }
    let (seen, end) = read(&open(&fs).expect("names only"), Some(from)).expect("the rest is sound");
    assert_eq!(seen, names(60)[55..]);
    assert!(end.bytes_read < 5 * SEGMENT, "{} bytes", end.bytes_read);
}

#[test]
fn a_batch_larger_than_a_segment_gets_a_longer_one() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    let large = vec![b'x'; 60_000];
    append_names(&mut master, 1, 2);
    let placed = master.append(&large).expect("there is room");
    assert!(placed.rolled);
    append_names(&mut master, 3, 12);
    let (seen, _) = read_all(&fs).expect("sound");
    let mut expected = names(2);
    expected.push(large);
    expected.extend((3..=12).map(|n: u32| n.to_string().into_bytes()));
    assert_eq!(seen, expected);
    let listed: u64 = master
        .directory
        .segments()
        .iter()
        .map(|info| info.bytes)
        .sum();
    assert_eq!(master.directory.bytes_on_disk(), listed);
    assert!(listed.is_multiple_of(BLOCK_BYTES) && !listed.is_multiple_of(SEGMENT));
}

#[test]
fn segments_of_an_epoch_grow_to_full_size() {
    let fs = disk();
    let settings = WriterSettings {
        first_segment_bytes: 4 * BLOCK_BYTES,
        segment_bytes: 40 * BLOCK_BYTES,
        ..settings()
    };
    let mut master = Master::start_with(&fs, 1, &settings).expect("sound");
    append_names(&mut master, 1, 100);
    let blocks: Vec<u64> = master
        .directory
        .segments()
        .iter()
        .map(|info| info.bytes / BLOCK_BYTES)
        .collect();
    assert_eq!(blocks[..3], [4, 32, 40]);
    assert_eq!(read_all(&fs).expect("sound").0, names(100));
}

#[test]
fn a_full_disk_is_an_answer_and_the_reserve_is_for_acknowledgements() {
    let fs = disk();
    fs.set_space(Some(4 * SEGMENT));
    let mut master = Master::start(&fs, 1).expect("sound");
    let mut stored = 0;
    let full = loop {
        match master.append((stored + 1).to_string().as_bytes()) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            full,
            Error::Full {
                needed: SEGMENT,
                available: 0
            }
        ),
        "{full}"
    );
    assert!(matches!(master.append(b"again"), Err(Error::Full { .. })));
    // Six batches a segment; the third segment is full, the fourth is the reserve.
    assert_eq!(stored, 18);
    for n in 0..6 {
        let placed = master
            .append_urgent(format!("ack {n}").as_bytes())
            .expect("the reserve is there");
        assert_eq!(placed.rolled, n == 0);
    }
    assert!(matches!(
        master.append_urgent(b"one too many"),
        Err(Error::Full { .. })
    ));
    let before = master.directory.bytes_on_disk();
    let remains = master
        .directory
        .remove_through(SegmentNumber(2))
        .expect("sound");
    assert_eq!(remains.len(), 2);
    assert_eq!(before - master.directory.bytes_on_disk(), 2 * SEGMENT);
    let placed = master.append(b"19").expect("there is room again");
    assert!(placed.rolled);
    let (seen, _) = read_all(&fs).expect("sound");
    assert_eq!(seen.last().map(Vec::as_slice), Some(&b"19"[..]));
    assert_eq!(seen.len(), 6 + 6 + 1);
}

#[test]
fn the_limit_of_the_journal_counts_like_a_full_disk() {
    let fs = disk();
    let settings = WriterSettings {
        journal_limit_bytes: Some(4 * SEGMENT),
        ..settings()
    };
    let mut master = Master::start_with(&fs, 1, &settings).expect("sound");
    let stored = (1..100)
        .take_while(|n: &u32| master.append(n.to_string().as_bytes()).is_ok())
        .count();
    assert_eq!(stored, 18);
    assert!(master.append_urgent(b"ack").is_ok());
    assert!(master.directory.bytes_on_disk() <= 5 * SEGMENT);
}

#[test]
fn a_batch_that_does_not_fit_on_the_disk_changes_nothing() {
    let fs = disk();
    fs.set_space(Some(5 * SEGMENT));
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 3);
    let before = master.writer.after();
    let huge = vec![b'x'; 60_000];
    fs.set_space(Some(3 * SEGMENT));
    assert!(matches!(master.append(&huge), Err(Error::Full { .. })));
    assert_eq!(master.writer.after(), before);
    append_names(&mut master, 4, 8);
    fs.set_space(None);
    master.append(&huge).expect("there is room now");
    let (seen, _) = read_all(&fs).expect("sound");
    assert_eq!(seen.len(), 9);
    assert_eq!(seen[8].len(), 60_000);
}

#[test]
fn a_failed_write_poisons_for_good() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 2);
    fs.fail(OpKind::WriteDurable, 0, ErrorKind::Other, false);
    assert_eq!(io_kind(master.append(b"3")), ErrorKind::Other);
    let ops = fs.op_count();
    assert!(matches!(master.append(b"4"), Err(Error::Poisoned)));
    assert!(matches!(master.append_urgent(b"5"), Err(Error::Poisoned)));
    assert_eq!(fs.op_count(), ops, "nothing is written any more");
}

#[test]
fn every_failure_while_rolling_poisons() {
    let kinds = [
        OpKind::Create,
        OpKind::Write,
        OpKind::Sync,
        OpKind::SyncDir,
        OpKind::WriteDurable,
    ];
    for kind in kinds {
        let fs = disk();
        let mut master = Master::start(&fs, 1).expect("sound");
        append_names(&mut master, 1, 6);
        fs.fail(kind, 0, ErrorKind::Other, false);
        assert_eq!(io_kind(master.append(b"7")), ErrorKind::Other, "{kind:?}");
        assert!(
            matches!(master.append(b"7"), Err(Error::Poisoned)),
            "{kind:?}"
        );
        assert_eq!(
            read_all(&fs).expect("nothing acknowledged is hurt").0[..6],
            names(6)[..]
        );
    }
}

#[test]
fn every_failure_while_starting_is_reported() {
    let sound = disk();
    append_names(&mut Master::start(&sound, 1).expect("sound"), 1, 8);
    let clean = sound.copy();
    Master::start(&clean, 2).expect("sound");
    let needed = clean.op_count();
    assert!(needed > 5);
    for op in 0..needed {
        let fs = sound.copy();
        fs.die_at(op);
        // Removing what is left over may fail: it only takes room.
        let failed = Master::start(&fs, 2).is_err();
        let last_is_removal = matches!(clean.ops()[op], Op::Remove { .. });
        assert!(
            failed || last_is_removal,
            "operation {op}: {:?}",
            clean.ops()[op]
        );
        fs.heal();
        assert_eq!(read_all(&fs).expect("sound").0, names(8));
    }
}

#[test]
fn leftover_spares_are_removed_and_numbers_never_come_back() {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, 8);
    let before = open(&fs).expect("sound").segments();
    let highest = before
        .iter()
        .map(|info| info.number)
        .max()
        .expect("there are some");
    let master = Master::start(&fs, 2).expect("sound");
    assert_eq!(master.end.leftovers.len(), 1);
    assert!(master.writer.after().position.segment > highest);
    let after = open(&fs).expect("sound").segments();
    assert_eq!(
        after.len(),
        3,
        "two of the first epoch, one of the second: {after:?}"
    );
}

#[test]
fn a_takeover_on_a_full_disk_lives_on_the_spares_of_the_last_master() {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, 8);
    fs.set_space(Some(3 * SEGMENT));
    let mut master = Master::start(&fs, 2).expect("the old spare makes room");
    append_names(&mut master, 9, 14);
    assert_eq!(read_all(&fs).expect("sound").0, names(14));
}

#[test]
fn one_segment_can_be_scanned_unless_it_is_being_written() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 20);
    let mut batches = 0;
    scan_segment(&master.directory, SegmentNumber(2), &mut |view| {
        assert_eq!(view.position.segment, SegmentNumber(2));
        batches += 1;
        Ok(())
    })
    .expect("sealed and sound");
    assert_eq!(batches, 7);
    let (path, _, what) = damage(scan_segment(
        &master.directory,
        master.writer.after().position.segment,
        &mut |_| Ok(()),
    ));
    assert_eq!(
        (path, what.as_str()),
        (segment(1, 4), "no later segment seals it")
    );
    fs.edit(&segment(1, 2), |bytes| bytes[3 * 4096 + 50] ^= 1);
    assert_eq!(
        damage(scan_segment(
            &master.directory,
            SegmentNumber(2),
            &mut |_| Ok(())
        ))
        .1,
        3 * 4096
    );
}

#[test]
fn a_removed_segment_stays_readable_while_it_is_held() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 40);
    let held = master.directory.open_read(SegmentNumber(1)).expect("there");
    for other in 2..2 + OPEN_SEGMENTS as u64 {
        // More than are kept open.
        master
            .directory
            .open_read(SegmentNumber(other))
            .expect("there");
    }
    let remains = master
        .directory
        .remove_through(SegmentNumber(1))
        .expect("sound");
    assert!(remains.is_empty(), "it is still read");
    let mut magic = [0; 8];
    assert_eq!(held.read_at(&mut magic, 0).expect("held"), 8);
    assert_eq!(&magic, b"HOLDFSEG");
    let gone = Reader::new(Arc::clone(&master.directory));
    let position = Position {
        segment: SegmentNumber(1),
        offset: 8192,
    };
    assert_eq!(
        io_kind(gone.read_payload(position, 1, 0)),
        ErrorKind::NotFound
    );
}

#[test]
fn the_highest_epoch_is_in_the_names() {
    let fs = disk();
    let path = Path::new("/data/journal");
    assert_eq!(
        Directory::highest_epoch(&fs, path).expect("nothing there"),
        0
    );
    append_names(&mut Master::start(&fs, 3).expect("sound"), 1, 8);
    Master::start(&fs, 9).expect("sound");
    assert_eq!(Directory::highest_epoch(&fs, path).expect("sound"), 9);
    fs.create(&path.join("notes.txt"), 0).expect("a new name");
    assert_eq!(
        damage(Directory::highest_epoch(&fs, path)).0,
        path.join("notes.txt")
    );
    assert_eq!(damage(open(&fs)).0, path.join("notes.txt"));
}
