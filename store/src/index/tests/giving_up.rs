//! A checkpoint that is given up between any two of its steps because the store ends.

use std::cell::Cell;

use super::rig::Rig;
use super::step::Step;
use crate::error::Error;
use crate::index::Backend;
use crate::index::control::{self, Control};
use crate::signals::Patience;

/// Some pages and lookups that change what a checkpoint before may have written.
fn changed(backend: Backend, anew: bool) -> Rig {
    let mut rig = Rig::new(backend);
    rig.step(Step::Queue(1));
    rig.messages(1, 1..60);
    if !anew {
        assert!(rig.checkpoint());
    }
    rig.messages(1, 60..90);
    for id in 0..7 {
        rig.step(Step::Message {
            queue: 1,
            seq: 90 + u64::from(id),
            redeliveries: 0,
            producer: Some((id, 5)),
        });
    }
    rig.step(Step::Removed {
        queue: 1,
        seqs: (1..30).collect(),
    });
    rig
}

/// Patience ends after this many questions; false if the checkpoint was through before.
fn given_up(rig: &mut Rig, questions: u32, end: Patience) -> bool {
    let asked = Cell::new(0);
    let patience = || {
        asked.set(asked.get() + 1);
        if asked.get() > questions {
            end
        } else {
            Patience::Plenty
        }
    };
    let after = rig.after();
    let snapshot = rig.index().begin_checkpoint(after);
    let ended = match snapshot.write_while(&|| Ok(()), &patience) {
        Err(Error::Closed) => true,
        Err(error) => panic!("{error}"),
        Ok(written) => {
            assert!(rig.index().finish_checkpoint(written));
            false
        }
    };
    rig.index = None;
    ended
}

fn is_updating(rig: &Rig) -> bool {
    let bytes = rig.fs.read_small(&control::path(&rig.index_dir()));
    bytes.is_ok_and(|bytes| Control::decode(&bytes).unwrap().updating.is_some())
}

/// Answers at how many places it was given up, and at how many of them in the middle of the generation that counts.
fn at_every_place(backend: Backend, anew: bool, end: Patience) -> (u32, u32) {
    let (mut places, mut midway) = (0, 0);
    loop {
        let mut rig = changed(backend, anew);
        let ended = given_up(&mut rig, places, end);
        midway += u32::from(is_updating(&rig));
        rig.reopen();
        assert_eq!(rig.rebuilt, None, "after {places} steps");
        rig.check();
        assert!(rig.checkpoint(), "the next one");
        rig.check();
        if !ended {
            return (places, midway);
        }
        places += 1;
    }
}

#[test]
fn what_was_given_up_anywhere_costs_nothing_but_a_longer_replay() {
    let (places, midway) = at_every_place(Backend::Sled, false, Patience::Gone);
    assert!(places > 10, "{places} places");
    assert!(midway > 3, "{midway} in the middle");
    let (places, midway) = at_every_place(Backend::Sled, true, Patience::Gone);
    assert!(places > 10 && midway == 0, "{places}, {midway}");
}

#[test]
fn with_a_little_time_left_the_generation_that_counts_is_never_left_half_written() {
    let (places, midway) = at_every_place(Backend::File, false, Patience::Little);
    assert!(places > 5 && midway == 0, "{places}, {midway}");
    let (places, midway) = at_every_place(Backend::File, true, Patience::Little);
    assert!(places > 10 && midway == 0, "{places}, {midway}");
}
