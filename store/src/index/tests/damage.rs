//! Databases and control files that are not what they were: the index then begins anew, and never says anything wrong.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests damage files behind the back of the file layer"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rig::Rig;
use super::step::{Step, producer_id};
use crate::index::Backend;
use crate::index::control::{self, Control};
use crate::index::file_database::TEAR_NEXT_SYNC;
use crate::index::key::{AT, PageKey, lookup_key, open_value, seal_value};
use crate::index::page::Page;
use crate::position::{QueueId, Seq};

/// An index with a checkpoint and a tail, closed.
fn closed(backend: Backend) -> Rig {
    let mut rig = Rig::new(backend);
    rig.step(Step::Queue(1));
    rig.messages(1, 1..200);
    for id in 0..6 {
        rig.step(Step::Message {
            queue: 1,
            seq: 200 + u64::from(id),
            redeliveries: 0,
            producer: Some((id, 9)),
        });
    }
    assert!(rig.checkpoint());
    rig.step(Step::Removed {
        queue: 1,
        seqs: (1..20).collect(),
    });
    assert!(rig.checkpoint());
    rig.messages(1, 210..220);
    rig.index = None;
    rig
}

fn generation(rig: &Rig) -> PathBuf {
    let bytes = fs::read(control::path(&rig.index_dir())).unwrap();
    rig.index_dir()
        .join(Control::decode(&bytes).unwrap().generation)
}

/// Opens, reads everything and writes a checkpoint; if that shows that something is wrong, opens again. Answers whether
/// anything was rebuilt.
fn opens_in_the_end(rig: &mut Rig) -> bool {
    rig.reopen();
    let index = rig.index.as_mut().unwrap();
    let mut doubt = index.entries(QueueId(1), Seq(0), 10_000).is_err();
    if !doubt {
        let reason = rig.rebuilt.clone();
        doubt = !rig.checkpoint();
        rig.rebuilt = reason;
    }
    if doubt {
        rig.reopen();
        assert!(
            rig.rebuilt.is_some(),
            "what was found wanting is not used again"
        );
    }
    rig.check();
    rig.rebuilt.is_some()
}

fn overwrite(path: &Path, at: usize, len: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at.min(bytes.len());
    let end = (at + len).min(bytes.len());
    bytes[at..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_control_file_that_is_gone_cut_or_flipped() {
    let mut rig = closed(Backend::Sled);
    let path = control::path(&rig.index_dir());
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 7) {
        overwrite(&path, at, 1);
        rig.reopen();
        assert!(rig.rebuilt.is_some(), "flipped at {at}");
        rig.check();
        rig.index = None;
        fs::write(&path, &good[..at]).unwrap();
        rig.reopen();
        assert!(rig.rebuilt.is_some(), "cut at {at}");
        rig.check();
        fs::write(&path, &good).unwrap();
    }
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.index = None;
    fs::remove_file(&path).unwrap();
    rig.reopen();
    assert_eq!(rig.replayed_from, 0);
    rig.check();
}

#[test]
fn a_database_that_is_gone_emptied_or_cut() {
    for keep in [None, Some(0), Some(1), Some(4096), Some(100_000)] {
        let mut rig = closed(Backend::Sled);
        let path = generation(&rig).join("db");
        match keep {
            None => fs::remove_dir_all(generation(&rig)).unwrap(),
            Some(keep) => {
                let len = fs::metadata(&path).unwrap().len();
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_len(len.min(keep))
                    .unwrap();
            }
        }
        let rebuilt = opens_in_the_end(&mut rig);
        let whole = keep == Some(100_000);
        assert!(rebuilt || whole, "kept {keep:?}");
    }
}

#[test]
fn a_database_with_damaged_bytes_anywhere() {
    let mut rebuilt = 0;
    for part in 0..24 {
        let mut rig = closed(Backend::Sled);
        let path = generation(&rig).join("db");
        let used = fs::read(&path)
            .unwrap()
            .iter()
            .rposition(|byte| *byte != 0)
            .unwrap();
        overwrite(&path, used * part / 24, 64);
        rebuilt += u32::from(opens_in_the_end(&mut rig));
    }
    assert!(rebuilt > 6, "sled noticed or we did, {rebuilt} times of 24");
}

/// Puts a value of ours into the database of the open index, durably.
fn put_behind_its_back(rig: &mut Rig, key: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) {
    let generation = Arc::clone(rig.index().source.ready().unwrap().unwrap());
    let value = generation.database.get(key).unwrap().unwrap();
    let (body, _) = open_value(key, &value).unwrap();
    let (changed, _) = seal_value(key, &change(body));
    generation
        .database
        .write(vec![(key.to_vec(), Some(changed))])
        .unwrap();
    generation.database.sync().unwrap();
}

/// As many messages as before, one of them with another count.
fn other_page(body: &[u8]) -> Vec<u8> {
    let mut page = Page::decode(body).unwrap();
    assert!(page.set_redeliveries(page.first().unwrap(), 77));
    page.encode()
}

#[test]
fn an_older_page_with_a_good_checksum_of_its_own() {
    let key = PageKey::Entries {
        queue: QueueId(1),
        page: 10,
    };
    for network in [false, true] {
        let mut rig = closed(Backend::Sled);
        rig.reopen();
        put_behind_its_back(&mut rig, &key.to_bytes(), other_page);
        rig.network = network;
        assert!(opens_in_the_end(&mut rig), "network {network}");
    }
}

#[test]
fn a_database_that_ends_at_another_checkpoint_shows_at_once() {
    let mut rig = closed(Backend::Sled);
    rig.reopen();
    put_behind_its_back(&mut rig, AT, |_| vec![1, 2, 3]);
    rig.reopen();
    assert!(
        rig.rebuilt
            .as_ref()
            .is_some_and(|reason| reason.contains("does not end")),
        "{:?}",
        rig.rebuilt
    );
    rig.check();
}

#[test]
fn a_staged_transaction_that_commits_during_half_a_checkpoint() {
    for choice in 0..24u64 {
        let mut rig = closed(Backend::File);
        rig.reopen();
        for seq in 1..8 {
            let step = Step::Message {
                queue: 9,
                seq,
                redeliveries: 0,
                producer: None,
            };
            rig.step(Step::Staged {
                id: 1,
                step: Box::new(step),
            });
        }
        assert!(rig.checkpoint());
        rig.step(Step::Commit(1));
        let after = rig.after();
        let snapshot = rig.index().begin_checkpoint(after);
        TEAR_NEXT_SYNC.set(Some(choice.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let _ = snapshot.write(&|| Ok(())).unwrap();
        rig.reopen();
        assert_eq!(rig.rebuilt, None, "choice {choice}");
        rig.check();
    }
}

#[test]
fn a_producer_that_is_missing_shows_before_the_next_checkpoint_counts() {
    let mut rig = closed(Backend::Sled);
    rig.reopen();
    let mut key = Vec::new();
    lookup_key(b'p', &producer_id(1), &mut key);
    let database = Arc::clone(&rig.index().source.ready().unwrap().unwrap().database);
    database.write(vec![(key, None)]).unwrap();
    database.sync().unwrap();
    drop(database);
    rig.reopen();
    assert_eq!(
        rig.rebuilt, None,
        "opening does not look through everything"
    );
    assert!(!rig.checkpoint());
    assert!(
        rig.index().producer(b"anybody").is_err(),
        "nothing is answered from it any more"
    );
    rig.reopen();
    assert!(
        rig.rebuilt
            .as_ref()
            .is_some_and(|reason| reason.contains("producers")),
        "{:?}",
        rig.rebuilt
    );
    rig.check();
}

#[test]
fn a_checkpoint_from_before_the_oldest_segment() {
    let mut rig = closed(Backend::File);
    // A replaced master wrote its control file late; the segments after its checkpoint are gone.
    let lost = rig.journal.len();
    rig.reopen();
    rig.messages(1, 300..400);
    rig.trimmed = lost + 40;
    let opening_at = rig.trimmed;
    rig.reopen();
    assert!(
        rig.rebuilt
            .as_ref()
            .is_some_and(|reason| reason.contains("oldest")),
        "{:?}",
        rig.rebuilt
    );
    assert_eq!(rig.replayed_from, opening_at);
}

#[test]
fn half_a_checkpoint_is_believed_on_the_same_boot_only() {
    for other_boot in [false, true] {
        let mut rig = closed(Backend::File);
        rig.reopen();
        for id in 0..6 {
            rig.step(Step::Message {
                queue: 1,
                seq: 300 + u64::from(id),
                redeliveries: 0,
                producer: Some((id, 20)),
            });
        }
        let after = rig.after();
        let snapshot = rig.index().begin_checkpoint(after);
        TEAR_NEXT_SYNC.set(Some(0x1234_5678_9abc_def1));
        let _ = snapshot.write(&|| Ok(())).unwrap();
        if other_boot {
            rig.boot_id.push('\'');
        }
        rig.reopen();
        assert_eq!(rig.rebuilt.is_some(), other_boot, "{:?}", rig.rebuilt);
        rig.check();
        assert!(rig.checkpoint());
        rig.reopen();
        rig.check();
    }
}

#[test]
fn a_database_that_another_process_holds_is_copied() {
    let mut rig = closed(Backend::Sled);
    rig.reopen();
    let zombie = rig.index.take();
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.check();
    let held = zombie
        .unwrap()
        .source
        .ready()
        .unwrap()
        .unwrap()
        .name
        .clone();
    assert_ne!(rig.index().source.ready().unwrap().unwrap().name, held);
    assert!(rig.checkpoint());
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.check();
}

#[test]
fn on_a_network_file_system_the_files_of_a_silent_master_are_copied() {
    let mut rig = closed(Backend::Sled);
    let old = generation(&rig);
    rig.network = true;
    rig.reopen();
    assert_eq!(rig.rebuilt, None);
    rig.check();
    let name = rig.index().source.ready().unwrap().unwrap().name.clone();
    assert_ne!(rig.index_dir().join(&name), old);
    assert!(rig.checkpoint());
    assert_eq!(generation(&rig), rig.index_dir().join(name));
    // A copy of damage is damage.
    let mut rig = closed(Backend::Sled);
    rig.network = true;
    let path = generation(&rig).join("db");
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(0)
        .unwrap();
    assert!(opens_in_the_end(&mut rig));
}
