//! The control part comes back as it was written; every cut, flipped byte and field out of bounds is noticed.

use super::*;
use crate::position::Position;

const MARK: PageMark = PageMark {
    crc: 1,
    live: 256,
    first: 0,
};

fn after() -> After {
    let position = Position {
        segment: SegmentNumber(9),
        offset: 8192,
    };
    After {
        position,
        number: BatchNumber(77),
        crc: 0xdead_beef,
    }
}

fn queue() -> QueueImage {
    let other = PageMark {
        crc: 5,
        live: 44,
        first: 7,
    };
    QueueImage {
        id: QueueId(4),
        name: Some((b"orders".to_vec(), SegmentNumber(2))),
        mark: Some((Seq(12), SegmentNumber(3))),
        count: 300,
        bytes: 307_200,
        next_seq: Seq(999),
        pages: vec![(0, MARK), (3, other)],
    }
}

fn image() -> Image {
    let nameless = QueueImage {
        id: QueueId(6),
        ..QueueImage::default()
    };
    let used = SegmentUse {
        entries: 300,
        bytes: 320_000,
    };
    let staged = StagedImage {
        id: StagedId(1),
        operations: 65,
        chunks: vec![MARK, MARK],
    };
    Image {
        after: after(),
        next_queue: QueueId(5),
        next_staged: StagedId(2),
        queues: vec![queue(), nameless],
        segments: vec![(SegmentNumber(3), used)],
        staged: vec![staged],
        producers: Tally {
            count: 3,
            sum: 12345,
        },
        outcomes: Tally::default(),
    }
}

fn sample() -> Control {
    let entries = PageKey::Entries {
        queue: QueueId(4),
        page: 3,
    };
    let staged = PageKey::Staged {
        transaction: StagedId(1),
        chunk: 1,
    };
    let updating = Updating {
        after: after(),
        pages: vec![(entries, None), (staged, Some(MARK))],
        producers: Tally { count: 4, sum: 1 },
        outcomes: Tally {
            count: 1,
            sum: u64::MAX,
        },
    };
    Control {
        epoch: 8,
        boot_id: "boot".into(),
        generation: "g".into(),
        image: image(),
        updating: Some(updating),
    }
}

#[test]
fn it_comes_back_stable_and_updating() {
    let mut control = sample();
    assert_eq!(Control::decode(&control.encode()), Ok(control.clone()));
    assert_eq!(control.pages().count(), 4);
    control.updating = None;
    assert_eq!(Control::decode(&control.encode()), Ok(control));
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let bytes = sample().encode();
    for len in 0..bytes.len() {
        assert!(Control::decode(&bytes[..len]).is_err(), "cut at {len}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(Control::decode(&damaged).is_err(), "flipped at {at}");
    }
}

#[test]
fn fields_are_bounded_even_when_the_checksum_fits() {
    let bytes = sample().encode();
    for len in HEAD_BYTES..bytes.len() {
        let body = &bytes[HEAD_BYTES..len];
        let mut forged = bytes[..HEAD_BYTES].to_vec();
        forged[12..16].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        forged.extend_from_slice(body);
        assert!(Control::decode(&forged).is_err(), "cut at {len}");
    }
}
