//! The same journal on real files, with the preparer on its own thread.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::support::{names, read};
use crate::error::Error;
use crate::fs::{Fs, RealFs};
use crate::journal::{Batch, Directory, Placed, Prepare, Reader, Writer, WriterSettings};
use crate::position::{Position, QueueId};
use crate::record::Record;

fn settings() -> WriterSettings {
    WriterSettings {
        first_segment_bytes: 64 << 10,
        segment_bytes: 256 << 10,
        journal_limit_bytes: None,
        prepare: Prepare::Background,
    }
}

fn append(writer: &mut Writer, batch: &mut Batch, name: &[u8]) -> Placed {
    batch.clear();
    batch.push_record(&Record::Queue {
        queue: QueueId(1),
        name,
    });
    writer.append(batch, 1).expect("the disk is sound")
}

fn write_and_read_back(fs: RealFs, dir: &Path) {
    let fs: Arc<dyn Fs> = Arc::new(fs);
    let mut batch = Batch::new();
    for epoch in 1..=3_u64 {
        let directory =
            Arc::new(Directory::open(Arc::clone(&fs), &dir.join("journal")).expect("sound"));
        let (seen, end) = read(&directory, None).expect("sound");
        assert_eq!(seen, names((epoch - 1) * 300));
        let mut writer =
            Writer::start(&directory, epoch, &end, &settings(), 1, &|| Ok(())).expect("sound");
        for n in (epoch - 1) * 300 + 1..=epoch * 300 {
            append(&mut writer, &mut batch, n.to_string().as_bytes());
        }
        // Longer than any segment.
        let large = vec![b'x'; 60_000];
        batch.clear();
        for _ in 0..6 {
            batch.push_record(&Record::Queue {
                queue: QueueId(1),
                name: &large,
            });
        }
        let before = writer.after();
        assert!(writer.append(&mut batch, 1).expect("there is room").rolled);
        let (seen, _) = read(&directory, Some(before)).expect("sound");
        assert_eq!(seen.len(), 6);
        // Taken back, so that the next epoch finds numbers only: the files belong to this test.
        drop(writer);
        fs_remove_last(&fs, &directory);
    }
}

/// Removes the newest segment that holds something, as if the large batch had never been.
fn fs_remove_last(fs: &Arc<dyn Fs>, directory: &Directory) {
    let (_, end) = read(directory, None).expect("sound");
    let last = directory.path_of_number(end.segment);
    fs.remove(&last).expect("it is there");
}

#[test]
fn direct_writes_and_plain_writes_make_the_same_journal() {
    for direct in [true, false] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let fs = if direct {
            RealFs::new(None)
        } else {
            RealFs::without_direct_writes(None)
        };
        write_and_read_back(fs, dir.path());
    }
}

#[test]
fn what_was_just_written_can_be_read_beside_the_writer() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fs: Arc<dyn Fs> = Arc::new(RealFs::new(None));
    let directory = Arc::new(Directory::open(fs, &dir.path().join("journal")).expect("sound"));
    let (_, end) = read(&directory, None).expect("sound");
    let mut writer = Writer::start(&directory, 1, &end, &settings(), 1, &|| Ok(())).expect("sound");
    let reader = Reader::new(Arc::clone(&directory));
    let (placed, positions) = std::sync::mpsc::sync_channel::<(Position, Vec<u8>)>(64);
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let reading = thread::spawn(move || {
        let mut read = 0;
        while let Ok((position, name)) = positions.recv() {
            let payload = reader
                .read_payload(position, name.len(), crc32fast::hash(&name))
                .expect("durable");
            assert_eq!(&payload[..], &name[..]);
            read += 1;
        }
        assert!(finished.load(Ordering::SeqCst));
        read
    });
    let mut batch = Batch::new();
    for n in 0..2000_u64 {
        let name = vec![u8::try_from(n % 251).expect("small"); 1000];
        let at = append(&mut writer, &mut batch, &name).position;
        let position = Position {
            offset: at.offset + 11,
            ..at
        };
        placed.send((position, name)).expect("the reader runs");
    }
    done.store(true, Ordering::SeqCst);
    drop(placed);
    assert_eq!(reading.join().expect("no read failed"), 2000);
}

#[test]
fn the_reserve_is_kept_from_messages_when_the_preparer_is_ahead() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fs: Arc<dyn Fs> = Arc::new(RealFs::new(None));
    let directory = Arc::new(Directory::open(fs, &dir.path().join("journal")).expect("sound"));
    let (_, end) = read(&directory, None).expect("sound");
    let limit = WriterSettings {
        first_segment_bytes: 64 << 10,
        segment_bytes: 64 << 10,
        ..settings()
    };
    let limit = WriterSettings {
        journal_limit_bytes: Some(4 * (64 << 10)),
        ..limit
    };
    let mut writer = Writer::start(&directory, 1, &end, &limit, 1, &|| Ok(())).expect("sound");
    let mut batch = Batch::new();
    batch.push_record(&Record::Queue {
        queue: QueueId(1),
        name: b"x",
    });
    let mut stored = 0;
    while writer.append(&mut batch, 1).is_ok() {
        stored += 1;
    }
    // Fourteen batches in each of three segments. By now the fourth is ready or about to be.
    assert_eq!(stored, 42);
    for _ in 0..100 {
        assert!(matches!(
            writer.append(&mut batch, 1),
            Err(Error::Full { .. })
        ));
    }
    assert!(
        writer
            .append_urgent(&mut batch, 1)
            .expect("the reserve")
            .rolled
    );
    assert!(directory.bytes_on_disk() <= 6 * (64 << 10));
}

#[test]
fn a_segment_being_written_is_locked() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fs: Arc<dyn Fs> = Arc::new(RealFs::new(None));
    let directory = Arc::new(Directory::open(fs, &dir.path().join("journal")).expect("sound"));
    let (_, end) = read(&directory, None).expect("sound");
    let writer = Writer::start(&directory, 1, &end, &settings(), 1, &|| Ok(())).expect("sound");
    let path = directory.path_of_number(writer.after().position.segment);
    assert!(RealFs::is_locked(&path).expect("it is there"));
    drop(writer);
    assert!(!RealFs::is_locked(&path).expect("it is there"));
}

#[test]
fn a_small_file_is_replaced_as_a_whole() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fs = RealFs::new(None);
    let path = dir.path().join("control");
    for content in [&b"first"[..], b"", b"second, longer"] {
        fs.replace(&path, content).expect("there is room");
        assert_eq!(fs.read_small(&path).expect("it is there"), content);
    }
    assert_eq!(fs.list(dir.path()).expect("a directory"), ["control"]);
}

#[test]
fn the_room_of_a_removed_file_comes_back_in_steps() {
    let dir = tempfile::tempdir().expect("room");
    let (fs, path) = (RealFs::new(None), dir.path().join("segment"));
    let mut file = fs.create(&path, 64 << 10).expect("room");
    file.fill(0, 64 << 10).expect("room");
    file.finish().expect("sound");
    let held = fs.open_read(&path).expect("there");
    let mut remains = fs.remove(&path).expect("there");
    assert!(fs.open_read(&path).is_err(), "the name is gone");
    let mut left = Vec::new();
    while remains.shrink(24 << 10).expect("sound") {
        left.push(held.file_len().expect("open") >> 10);
    }
    assert_eq!(left, [40, 16, 0]);
    assert!(fs.remove(&path).is_err(), "there is nothing to remove");
}
