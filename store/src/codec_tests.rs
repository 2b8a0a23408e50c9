//! What the codec must survive: every record there and back, every cut, every flipped byte.

use super::*;

fn plain() -> MessageRecord<'static> {
    MessageRecord {
        queue: QueueId(7),
        seq: Seq(8),
        redeliveries: 3,
        moved: false,
        producer: None,
        payload: b"hello",
    }
}

fn staged(record: Record<'static>) -> Record<'static> {
    let transaction = StagedId(5);
    Record::Staged {
        transaction,
        record: Box::new(record),
    }
}

fn samples() -> Vec<Record<'static>> {
    let producer = ProducerSequence {
        producer: b"ID:host-1:1",
        sequence: 9,
    };
    let moved = MessageRecord {
        moved: true,
        producer: Some(producer),
        payload: b"",
        ..plain()
    };
    let (queue, transaction) = (QueueId(1), StagedId(5));
    let removed = Record::Removed {
        queue,
        seqs: vec![Seq(1), Seq(u64::MAX)],
    };
    let segment = SegmentNumber(2);
    vec![
        Record::Seal(Seal {
            epoch: 1,
            segment,
            end: 3,
            last_batch: 4,
            last_crc: 5,
        }),
        Record::Queue {
            queue,
            name: b"orders",
        },
        Record::QueueRemoved { queue },
        Record::Message(plain()),
        Record::Message(moved),
        removed.clone(),
        Record::Removed {
            queue,
            seqs: vec![],
        },
        Record::Redelivered {
            queue,
            seq: Seq(2),
            count: 65_535,
        },
        Record::DispatchMark {
            queue,
            seq: Seq(1000),
        },
        Record::Producer {
            id: b"p",
            last: 70,
            window: u64::MAX,
        },
        Record::Outcome {
            transaction: b"TX:1",
            outcome: Outcome::Committed,
        },
        Record::Outcome {
            transaction: b"",
            outcome: Outcome::RolledBack,
        },
        staged(Record::Message(plain())),
        staged(removed),
        Record::StagedCommit { transaction },
        Record::StagedRollback { transaction },
    ]
}

fn encoded(records: &[Record<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        let before = bytes.len();
        record.encode(&mut bytes);
        assert_eq!(bytes.len() - before, record.encoded_len());
    }
    bytes
}

#[test]
fn every_record_comes_back() {
    let records = samples();
    let bytes = encoded(&records);
    let back: Vec<_> = decode_all(&bytes)
        .map(|decoded| decoded.expect("valid").record)
        .collect();
    assert_eq!(back, records);
}

#[test]
fn places_point_at_the_payload() {
    let bytes = encoded(&samples());
    let mut seen = 0;
    for decoded in decode_all(&bytes) {
        let decoded = decoded.expect("valid");
        let inner = match &decoded.record {
            Record::Staged { record, .. } => record.as_ref(),
            other => other,
        };
        let Record::Message(message) = inner else {
            assert_eq!(decoded.payload, None);
            continue;
        };
        let place = decoded.payload.expect("a message has a payload");
        assert_eq!(
            &bytes[place.offset..place.offset + place.len],
            message.payload
        );
        assert_eq!(place.crc, crc32fast::hash(message.payload));
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn parts_and_staging_encode_the_same_bytes() {
    let record = samples().remove(3);
    let Record::Message(message) = &record else {
        panic!("sample 3 is a message")
    };
    let mut parts = Vec::new();
    encode_message_parts(&mut parts, message, &[b"he", b"", b"llo"]);
    assert_eq!(parts, encoded(std::slice::from_ref(&record)));
    let mut staged = Vec::new();
    encode_staged(&mut staged, StagedId(5), &parts);
    assert_eq!(
        staged,
        encoded(&[Record::Staged {
            transaction: StagedId(5),
            record: Box::new(record)
        }])
    );
}

#[test]
fn the_bytes_of_a_message_are_those_of_the_format() {
    let bytes = encoded(&samples()[4..5]);
    let want = [
        &[44, 0, 0, 0, 4][..],
        &[7, 0, 0, 0],
        &[8, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0],
        &[3],
        &[11, 0],
        b"ID:host-1:1",
        &[9, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0],
    ]
    .concat();
    let mut want = want;
    want[0] = u8::try_from(want.len() - 4).expect("short");
    assert_eq!(bytes, want);
}

#[test]
fn every_cut_is_an_error_or_a_shorter_list() {
    let records = samples();
    let bytes = encoded(&records);
    let ends: Vec<_> = decode_all(&bytes).map(|d| d.expect("valid").end).collect();
    for cut in 0..bytes.len() {
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let mut decoded = decode_all(&bytes[..cut]);
        assert_eq!(
            decoded.by_ref().take(whole).filter(Result::is_ok).count(),
            whole
        );
        let at_a_boundary = cut == 0 || ends.contains(&cut);
        assert_eq!(decoded.next().is_none(), at_a_boundary, "cut at {cut}");
        assert_eq!(decoded.next(), None);
    }
}

#[test]
fn no_flipped_byte_panics_or_overruns() {
    let bytes = encoded(&samples());
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, !bytes[at]] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            for decoded in decode_all(&damaged).flatten() {
                assert!(decoded.end <= damaged.len());
                assert!(
                    decoded
                        .payload
                        .is_none_or(|p| p.offset + p.len <= decoded.end)
                );
            }
        }
    }
}

#[test]
fn unknown_types_flags_outcomes_and_nesting_are_refused() {
    let cases: [(&[u8], &str); 5] = [
        (&[1, 0, 0, 0, 20], "unknown type"),
        (&[0, 0, 0, 0], "ends before its fields do"),
        (
            &[4, 0, 0, 0, OUTCOME, 0, 0, 3],
            "unknown outcome of a transaction",
        ),
        (
            &[6, 0, 0, 0, QUEUE_REMOVED, 0, 0, 0, 0, 0],
            "bytes left over after its fields",
        ),
        (
            &[10, 0, 0, 0, STAGED, 0, 0, 0, 0, 0, 0, 0, 0, QUEUE],
            "only messages and removals can be staged",
        ),
    ];
    for (bytes, what) in cases {
        let mut decoded = decode_all(bytes);
        assert_eq!(decoded.next(), Some(Err(BadRecord { offset: 0, what })));
        assert_eq!(decoded.next(), None);
    }
}
