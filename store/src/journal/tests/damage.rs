//! The damage matrix: every cut and every flip either is a torn tail or is reported with file and offset.

use super::support::{
    Master, append_names, damage, disk, names, open, read, read_all, segment, settings,
};
use crate::error::Error;
use crate::fs::Fs;
use crate::fs::sim::SimFs;
use crate::journal::{WriterSettings, scan_segment};
use crate::position::{Position, SegmentNumber};

const BLOCK: usize = 4096;

/// Two segments of epoch 1: the first sealed with batches 1 to 6, the second with 7 to `last`.
fn journal(last: u64) -> SimFs {
    let fs = disk();
    append_names(&mut Master::start(&fs, 1).expect("sound"), 1, last);
    fs.copy()
}

#[test]
fn every_cut_of_the_last_batch_is_trimmed() {
    let sound = journal(9);
    // Head and seal, batches 7 and 8, then batch 9.
    let start = 4 * BLOCK;
    let batch = sound.content(&segment(1, 2))[start..start + BLOCK].to_vec();
    let length = 48 + batch[8] as usize;
    for cut in 0..length {
        let fs = sound.copy();
        fs.edit(&segment(1, 2), |bytes| {
            bytes[start + cut..start + BLOCK].fill(0)
        });
        let (seen, end) = read_all(&fs).expect("a torn tail is trimmed");
        assert_eq!(seen, names(8), "cut at {cut}");
        assert_eq!(end.offset, start as u64);
        assert_eq!(end.torn_bytes > 0, cut > 0);
        let mut next = Master::start(&fs, 2).expect("the end is sealed");
        next.append(b"9").expect("sound");
        assert_eq!(read_all(&fs).expect("sound").0, names(9));
    }
}

#[test]
fn every_flip_of_the_last_batch_is_trimmed_and_of_the_one_before_reported() {
    let sound = journal(9);
    let content = sound.content(&segment(1, 2));
    for (start, last) in [(4 * BLOCK, true), (3 * BLOCK, false)] {
        let length = 48 + content[start + 8] as usize;
        for at in 0..length {
            let fs = sound.copy();
            fs.edit(&segment(1, 2), |bytes| bytes[start + at] ^= 0x40);
            if last {
                assert_eq!(read_all(&fs).expect("trimmed").0, names(8), "byte {at}");
            } else {
                let (path, offset, what) = damage(read_all(&fs));
                assert_eq!(
                    (path, offset),
                    (segment(1, 2), start as u64),
                    "byte {at}: {what}"
                );
            }
        }
    }
}

#[test]
fn every_flip_in_a_sealed_segment_is_reported() {
    let sound = journal(9);
    let content = sound.content(&segment(1, 1));
    for block in 1..content.len() / BLOCK {
        let length = 48 + content[block * BLOCK + 8] as usize;
        for at in 0..length {
            let fs = sound.copy();
            fs.edit(&segment(1, 1), |bytes| bytes[block * BLOCK + at] ^= 1);
            let (path, offset, what) = damage(read_all(&fs));
            let found = usize::try_from(offset).expect("small");
            assert_eq!(path, segment(1, 1));
            assert!(
                found == block * BLOCK || (block == 1 && found == 0),
                "block {block} byte {at}: {offset} {what}"
            );
        }
    }
}

#[test]
fn every_flip_of_a_header_that_holds_batches_is_reported() {
    let sound = journal(9);
    for number in [1, 2] {
        for at in 0..64 {
            let fs = sound.copy();
            fs.edit(&segment(1, number), |bytes| bytes[at] ^= 2);
            let (path, offset, _) = damage(read_all(&fs));
            assert_eq!((path, offset), (segment(1, number), 0), "byte {at}");
        }
    }
}

#[test]
fn a_wiped_head_with_batches_behind_it_is_not_a_spare() {
    for wiped in [BLOCK, 2 * BLOCK] {
        let fs = journal(9);
        fs.edit(&segment(1, 2), |bytes| bytes[..wiped].fill(0));
        let (path, _, what) = damage(read_all(&fs));
        assert_eq!(path, segment(1, 2));
        assert!(what.contains("a valid batch stands at byte 8192"), "{what}");
    }
}

#[test]
fn a_torn_head_with_nothing_behind_it_is_a_spare() {
    let sound = journal(6);
    let mut master = Master::start(&sound, 2).expect("sound");
    // The head of epoch 2 as it may be after a crash during that write: sector by sector.
    for sectors in 0..16_u32 {
        let fs = sound.copy();
        let path = segment(2, master.writer.after().position.segment.0);
        fs.edit(&path, |bytes| {
            for sector in (0..16).filter(|sector| sectors & (1 << (sector % 4)) == 0) {
                bytes[sector * 512..(sector + 1) * 512].fill(0);
            }
        });
        let (seen, end) = read_all(&fs).expect("nothing was in it");
        assert_eq!(seen, names(6));
        assert!(
            end.segment == SegmentNumber(1) || sectors & 1 == 1,
            "sectors {sectors:b}: {end:?}"
        );
        let next = Master::start(&fs, 3).expect("sound");
        assert_eq!(next.seen, names(6));
    }
    append_names(&mut master, 7, 7);
}

#[test]
fn a_sealed_segment_that_is_cut_or_gone_is_reported() {
    let fs = journal(20);
    fs.edit(&segment(1, 2), |bytes| bytes.truncate(3 * BLOCK));
    let (path, _, what) = damage(read_all(&fs));
    assert_eq!(path, segment(1, 2));
    assert!(
        what.contains("the file has 12288 bytes, its header says 32768"),
        "{what}"
    );
    let fs = journal(20);
    fs.remove(&segment(1, 2)).expect("it is there");
    let (path, _, what) = damage(read_all(&fs));
    assert_eq!(path, segment(1, 3));
    assert!(
        what.contains("seals segment 2 of epoch 1, but the next older file is segment 1"),
        "{what}"
    );
}

#[test]
fn a_seal_that_cuts_off_what_was_durable_is_reported() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    append_names(&mut master, 1, 20);
    fs.edit(&segment(1, 3), |bytes| {
        // Block 1: batch header, then the seal: length, type, epoch, segment, end.
        let frame = &mut bytes[BLOCK..BLOCK + 48 + 41];
        let end = 48 + 4 + 1 + 8 + 8;
        assert_eq!(frame[end + 1], 0x80, "the segment was full");
        frame[end + 1] = 0x70;
        let crc = crc32fast::hash(&frame[8..]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
    });
    let (path, offset, what) = damage(scan_segment(
        &master.directory,
        SegmentNumber(2),
        &mut |_| Ok(()),
    ));
    assert_eq!((path, offset), (segment(1, 2), 7 * BLOCK as u64));
    assert!(what.contains("but the seal says batch"), "{what}");
    assert_eq!(damage(read_all(&fs)).0, segment(1, 2));
}

#[test]
fn a_checkpoint_beyond_the_journal_is_reported() {
    let fs = disk();
    let mut master = Master::start(&fs, 1).expect("sound");
    let placed = append_names(&mut master, 1, 9);
    let directory = open(&fs).expect("sound");
    let mut from = placed[3].after;
    from.position.offset += 3;
    assert_eq!(damage(read(&directory, Some(from))).0, segment(1, 1));
    from.position = Position {
        segment: SegmentNumber(1),
        offset: 1 << 30,
    };
    assert!(
        damage(read(&directory, Some(from)))
            .2
            .contains("the index refers to byte")
    );
    from.position = Position {
        segment: SegmentNumber(77),
        offset: 4096,
    };
    assert!(
        damage(read(&directory, Some(from)))
            .2
            .contains("refers to segment 77, which is not there")
    );
    let mut from = placed[3].after;
    from.crc ^= 1;
    assert!(
        damage(read(&directory, Some(from)))
            .2
            .contains("follows crc")
    );
    let mut from = placed[8].after;
    from.number.0 -= 1;
    assert_eq!(
        read(&directory, Some(from))
            .expect("the end cannot be told from a torn tail")
            .0,
        names(0)
    );
}

#[test]
fn the_newest_format_is_named_not_guessed() {
    let fs = journal(3);
    fs.edit(&segment(1, 1), |bytes| {
        bytes[12] = 2;
        let crc = crc32fast::hash(&bytes[12..64]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    });
    assert!(matches!(read_all(&fs), Err(Error::Format { found: 2, .. })));
}

#[test]
fn a_chain_broken_by_a_valid_batch_of_another_epoch_or_number_is_not_followed() {
    let sound = journal(9);
    let batch = sound.content(&segment(1, 2))[4 * BLOCK..5 * BLOCK].to_vec();
    let length = 48 + batch[8] as usize;
    // Field offset and new value; epoch 2, an older number.
    for (at, value) in [(16, 2), (24, 1)] {
        let fs = sound.copy();
        fs.edit(&segment(1, 2), |bytes| {
            let frame = &mut bytes[4 * BLOCK..4 * BLOCK + length];
            frame[at] = value;
            let crc = crc32fast::hash(&frame[8..]);
            frame[4..8].copy_from_slice(&crc.to_le_bytes());
        });
        assert_eq!(read_all(&fs).expect("not part of this journal").0, names(8));
    }
    // A later number, or another predecessor: something that was durable is missing.
    for (at, value) in [(24, 99), (12, 0)] {
        let fs = sound.copy();
        fs.edit(&segment(1, 2), |bytes| {
            let frame = &mut bytes[4 * BLOCK..4 * BLOCK + length];
            frame[at] = frame[at].wrapping_add(value + 1);
            let crc = crc32fast::hash(&frame[8..]);
            frame[4..8].copy_from_slice(&crc.to_le_bytes());
        });
        assert_eq!(damage(read_all(&fs)).1, 4 * BLOCK as u64);
    }
}

#[test]
fn a_hole_is_noticed_by_what_stands_behind_it_and_an_empty_rest_is_not_read() {
    let fs = disk();
    let settings = WriterSettings {
        first_segment_bytes: 24 << 20,
        segment_bytes: 24 << 20,
        ..settings()
    };
    let mut master = Master::start_with(&fs, 1, &settings).expect("sound");
    let large = vec![b'x'; 60_000];
    let mut hole = 0;
    for n in 0..110 {
        let placed = master.append(&large).expect("there is room");
        if n == 2 {
            hole = usize::try_from(placed.after.position.offset).expect("small");
        }
    }
    drop(master);
    let (_, end) = read_all(&fs).expect("sound");
    assert!(end.offset > 6 << 20);
    let from = Some(end.after());
    let (_, end) = read(&open(&fs).expect("sound"), from).expect("sound");
    assert!(end.bytes_read < 6 << 20, "{} bytes", end.bytes_read);
    fs.edit(&segment(1, 1), |bytes| {
        bytes[hole..hole + (5 << 20)].fill(0)
    });
    let (path, offset, what) = damage(read_all(&fs));
    assert_eq!((path, offset), (segment(1, 1), hole as u64));
    assert!(what.contains("a valid batch stands at byte"), "{what}");
}

#[test]
fn a_single_batch_behind_nearly_four_lost_mebibytes_is_noticed() {
    let fs = disk();
    let settings = WriterSettings {
        first_segment_bytes: 16 << 20,
        segment_bytes: 16 << 20,
        ..settings()
    };
    let mut master = Master::start_with(&fs, 1, &settings).expect("sound");
    let offset = |master: &Master| {
        usize::try_from(master.writer.after().position.offset).expect("it is a small segment")
    };
    let hole = offset(&master);
    // With its head each batch takes 64 KiB.
    let large = vec![b'x'; (64 << 10) - BLOCK];
    for _ in 0..63 {
        master.append(&large).expect("there is room");
    }
    let end = offset(&master);
    assert_eq!(end - hole, 63 << 16);
    append_names(&mut master, 1, 1);
    let fs = fs.copy();
    fs.edit(&segment(1, 1), |bytes| bytes[hole..end].fill(0));
    let (path, offset, what) = damage(read_all(&fs));
    assert_eq!((path, offset), (segment(1, 1), hole as u64), "{what}");
}
