//! What moves and what does not, when the index changes between collecting and moving.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::*;
use crate::apply::apply_batch;
use crate::index::{Backend, Opening};
use crate::position::{BatchNumber, Position, StagedId};
use crate::record::{Outcome, ProducerSequence};
use crate::settings::Settings;
use crate::sim::SimFs;

const QUEUE: QueueId = QueueId(1);

fn index() -> Index {
    let settings = Settings::default();
    let opening = Opening {
        epoch: 1,
        boot_id: "boot".into(),
        network: false,
        previous_clean: true,
        oldest_segment: None,
        backend: Backend::File,
        settings: &settings,
    };
    Index::open(Arc::new(SimFs::new()), Path::new("/data"), &opening)
        .expect("open")
        .index
}

fn at(segment: u64) -> Position {
    Position {
        segment: SegmentNumber(segment),
        offset: 5000,
    }
}

fn apply(index: &mut Index, segment: u64, records: &[Record<'_>]) -> Batch {
    let mut batch = Batch::new();
    for record in records {
        batch.push_record(record);
    }
    apply_batch(index, at(segment), batch.records(), 0).expect("apply");
    batch
}

fn message(seq: u64, sequence: Option<u64>) -> Record<'static> {
    let producer = sequence.map(|sequence| ProducerSequence {
        producer: b"p",
        sequence,
    });
    let (queue, seq) = (QUEUE, Seq(seq));
    Record::Message(MessageRecord {
        queue,
        seq,
        redeliveries: 0,
        moved: false,
        producer,
        payload: b"m",
    })
}

fn moves(index: &mut Index, segment: u64, batch: &Batch) -> Moves {
    let view = View {
        position: at(segment),
        number: BatchNumber(1),
        crc: 0,
        epoch: 1,
        time_ms: 0,
        records: batch.records(),
    };
    let mut collected = Collected::default();
    collected.keep(&view, wanted(index, &view).expect("wanted"));
    collected.take(SegmentNumber(segment), sync_channel(1).0)
}

/// What the move writes, after `meanwhile` happened.
fn renewed(first: &[Record<'_>], meanwhile: &[Record<'_>]) -> Vec<String> {
    let mut index = index();
    let batch = apply(&mut index, 1, first);
    let moves = moves(&mut index, 1, &batch);
    apply(&mut index, 2, meanwhile);
    let mut moved = Batch::new();
    renew(&mut index, &moves, &mut moved).expect("renew");
    apply_batch(&mut index, at(3), moved.records(), 0).expect("apply");
    assert_eq!(
        index.live(SegmentNumber(1)).entries,
        0,
        "nothing pins the old segment any more"
    );
    decode_all(moved.records())
        .map(|decoded| format!("{:?}", decoded.expect("valid").record))
        .collect()
}

#[test]
fn what_lives_moves_as_it_is_now() {
    let queue = Record::Queue {
        queue: QUEUE,
        name: b"q",
    };
    let mark = Record::DispatchMark {
        queue: QUEUE,
        seq: Seq(9),
    };
    let outcome = Record::Outcome {
        transaction: b"tx",
        outcome: Outcome::Committed,
    };
    let first = [
        queue.clone(),
        message(1, Some(4)),
        mark.clone(),
        outcome.clone(),
    ];
    let redelivered = Record::Redelivered {
        queue: QUEUE,
        seq: Seq(1),
        count: 3,
    };
    let Record::Message(plain) = message(1, None) else {
        panic!("a message")
    };
    let moved = Record::Message(MessageRecord {
        redeliveries: 3,
        moved: true,
        ..plain
    });
    let producer = Record::Producer {
        id: b"p",
        last: 5,
        window: 1,
    };
    let want = [queue, moved, producer, mark, outcome].map(|record| format!("{record:?}"));
    assert_eq!(renewed(&first, &[redelivered, message(2, Some(5))]), want);
}

#[test]
fn what_died_meanwhile_stays_behind() {
    let queue = Record::Queue {
        queue: QUEUE,
        name: b"q",
    };
    let mark = |seq| Record::DispatchMark {
        queue: QUEUE,
        seq: Seq(seq),
    };
    let outcome = |outcome| Record::Outcome {
        transaction: b"tx",
        outcome,
    };
    let first = [
        queue.clone(),
        message(1, None),
        mark(3),
        outcome(Outcome::RolledBack),
    ];
    let removed = Record::Removed {
        queue: QUEUE,
        seqs: vec![Seq(1)],
    };
    let meanwhile = [removed, mark(4), outcome(Outcome::Committed), queue.clone()];
    assert_eq!(renewed(&first, &meanwhile), [] as [String; 0]);
    assert_eq!(
        renewed(&first[..3], &[Record::QueueRemoved { queue: QUEUE }]),
        [] as [String; 0]
    );
}

#[test]
fn staged_work_moves_as_staged_before_and_as_a_message_after_its_commit() {
    let transaction = StagedId(7);
    let staged = |record| Record::Staged {
        transaction,
        record: Box::new(record),
    };
    let removal = staged(Record::Removed {
        queue: QUEUE,
        seqs: vec![Seq(1)],
    });
    let first = [message(1, None), staged(message(2, None)), removal.clone()];
    let moved = |seq| {
        let Record::Message(plain) = message(seq, None) else {
            panic!("a message")
        };
        format!(
            "{:?}",
            Record::Message(MessageRecord {
                moved: true,
                ..plain
            })
        )
    };
    let (removal, held) = (
        format!("{removal:?}"),
        format!("{:?}", staged(message(2, None))),
    );
    // The removal goes along with the message it is to remove, and once more for itself.
    assert_eq!(
        renewed(&first, &[]),
        [moved(1), removal.clone(), held, removal]
    );
    assert_eq!(
        renewed(&first, &[Record::StagedCommit { transaction }]),
        [moved(2)]
    );
    assert_eq!(
        renewed(&first, &[Record::StagedRollback { transaction }]),
        [moved(1)]
    );
}
