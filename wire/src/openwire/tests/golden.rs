//! 360 single frames and 8 sequences with the cache, written by ActiveMQ.

use super::fixtures::{check, format_of, list, load, text};
use crate::openwire::{Decoder, Encoder};

#[test]
fn every_golden_vector() {
    let facts = load("openwire-vectors.json");
    let vectors = list(&facts, "vectors");
    assert_eq!(vectors.len(), 360);
    for vector in vectors {
        let format = format_of(vector);
        let what = format!("{} {format:?}", text(vector, "name"));
        check(
            &mut Decoder::new(format),
            &mut Encoder::new(format),
            vector,
            &what,
        );
    }
}

#[test]
fn every_cache_sequence() {
    let facts = load("openwire-vectors.json");
    let sequences = list(&facts, "cache_sequences");
    assert_eq!(sequences.len(), 8);
    for sequence in sequences {
        let format = format_of(sequence);
        let (mut decoder, mut encoder) = (Decoder::new(format), Encoder::new(format));
        for (i, frame) in list(sequence, "frames").iter().enumerate() {
            let what = format!("{} frame {i} {format:?}", text(sequence, "name"));
            check(&mut decoder, &mut encoder, frame, &what);
        }
    }
}
