//! Tests of the simulated file system itself: what may vanish does, what may not stays.

use std::io::ErrorKind;
use std::path::Path;

use super::{Choice, OpKind, SimFs};
use crate::fs::Fs;

fn with_dir() -> SimFs {
    let fs = SimFs::new();
    fs.create_dir_all(Path::new("/d")).expect("a new directory");
    fs.sync_dir(Path::new("/")).expect("sound");
    fs
}

fn block(byte: u8) -> Vec<u8> {
    vec![byte; 4096]
}

#[test]
fn a_file_survives_once_its_directory_was_synced() {
    let fs = with_dir();
    let path = Path::new("/d/f");
    let mut file = fs.create(path, 4096).expect("new");
    file.fill(0, 4096).expect("sound");
    file.finish().expect("sound");
    assert!(fs.crash(Choice::Lost).open_read(path).is_err());
    assert!(fs.crash(Choice::Kept).open_read(path).is_ok());
    fs.sync_dir(Path::new("/d")).expect("sound");
    assert_eq!(fs.crash(Choice::Lost).content(path), block(0));
}

#[test]
fn a_directory_that_was_not_synced_takes_its_files_along() {
    let fs = SimFs::new();
    fs.create_dir_all(Path::new("/a/b")).expect("new");
    fs.replace(Path::new("/a/b/f"), b"x").expect("sound");
    assert!(
        fs.crash(Choice::Lost)
            .read_small(Path::new("/a/b/f"))
            .is_err()
    );
    fs.sync_dir(Path::new("/a")).expect("sound");
    assert!(
        fs.crash(Choice::Lost)
            .read_small(Path::new("/a/b/f"))
            .is_err()
    );
    fs.sync_dir(Path::new("/")).expect("sound");
    assert_eq!(
        fs.crash(Choice::Lost)
            .read_small(Path::new("/a/b/f"))
            .expect("all synced"),
        b"x"
    );
}

#[test]
fn a_write_in_flight_tears_in_sectors_and_a_finished_one_stays() {
    let fs = with_dir();
    let path = Path::new("/d/f");
    let mut file = fs.create(path, 8192).expect("new");
    file.fill(0, 8192).expect("sound");
    file.finish().expect("sound");
    file.lock().expect("nobody has it");
    fs.sync_dir(Path::new("/d")).expect("sound");
    file.write_durable(0, &block(1)).expect("sound");
    let before = fs.op_count();
    file.write_durable(4096, &block(2)).expect("sound");
    let mut torn = 0;
    for seed in 0..50 {
        let content = fs.crash_at(before, Choice::Seed(seed)).content(path);
        assert_eq!(content[..4096], block(1));
        let kept: Vec<bool> = content[4096..]
            .chunks(512)
            .map(|sector| sector[0] == 2)
            .collect();
        assert!(
            content[4096..]
                .chunks(512)
                .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
        );
        torn += usize::from(kept.contains(&true) && kept.contains(&false));
    }
    assert!(torn > 10, "{torn} of 50 torn");
    assert_eq!(fs.crash(Choice::Lost).content(path)[4096..], block(2));
}

#[test]
fn after_a_failed_sync_a_later_one_proves_nothing() {
    let fs = with_dir();
    let path = Path::new("/d/f");
    let mut file = fs.create(path, 4096).expect("new");
    file.fill(0, 4096).expect("sound");
    file.finish().expect("sound");
    file.lock().expect("nobody has it");
    fs.sync_dir(Path::new("/d")).expect("sound");
    fs.fail(OpKind::WriteDurable, 0, ErrorKind::Other, false);
    assert!(file.write_durable(0, &block(9)).is_err());
    assert_eq!(fs.content(path), block(9), "readable from the cache");
    assert_eq!(fs.crash(Choice::Lost).content(path), block(0));
    assert_eq!(fs.crash(Choice::Kept).content(path), block(9));
    fs.settle(path).expect("the sync says nothing");
    assert_eq!(fs.content(path), block(0), "what the disk has");
}

#[test]
fn replacing_leaves_the_old_bytes_or_the_new_ones() {
    let fs = with_dir();
    let path = Path::new("/d/control");
    fs.replace(path, b"old").expect("sound");
    let fs = fs.copy();
    fs.replace(path, b"new").expect("sound");
    let choices: Vec<Choice> = (0..30)
        .map(Choice::Seed)
        .chain([Choice::Lost, Choice::Kept])
        .collect();
    let (mut old, mut new) = (0, 0);
    fs.for_each_crash(&choices, |_, _, crashed| {
        match &crashed.read_small(path).expect("never gone")[..] {
            b"old" => old += 1,
            b"new" => new += 1,
            other => panic!("torn: {other:?}"),
        }
    });
    assert!(old > 0 && new > 0);
    assert_eq!(
        fs.crash(Choice::Lost).read_small(path).expect("replaced"),
        b"new"
    );
}

#[test]
fn a_full_disk_refuses_and_gives_back() {
    let fs = with_dir();
    fs.set_space(Some(10_000));
    fs.create(Path::new("/d/a"), 8192).expect("fits");
    let refused = fs
        .create(Path::new("/d/b"), 8192)
        .err()
        .expect("does not fit");
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    assert_eq!(
        fs.available_space(Path::new("/d")).expect("known"),
        10_000 - 8192
    );
    fs.remove(Path::new("/d/a")).expect("there");
    fs.create(Path::new("/d/b"), 8192).expect("fits now");
}

#[test]
fn faults_come_when_told() {
    let fs = with_dir();
    fs.fail(OpKind::SyncDir, 1, ErrorKind::PermissionDenied, false);
    assert!(fs.sync_dir(Path::new("/d")).is_ok());
    assert_eq!(
        fs.sync_dir(Path::new("/d")).expect_err("the second").kind(),
        ErrorKind::PermissionDenied
    );
    assert!(fs.sync_dir(Path::new("/d")).is_ok());
    fs.fail(OpKind::List, 0, ErrorKind::Other, true);
    assert!(fs.list(Path::new("/d")).is_err() && fs.list(Path::new("/d")).is_err());
    fs.heal();
    assert!(fs.list(Path::new("/d")).is_ok());
    fs.die_at(fs.op_count());
    assert!(fs.create(Path::new("/d/x"), 1).is_err());
}
