//! Frames cut short, damaged and made up: an error at worst, never a panic.
//! What they may allocate is measured in `tests/allocation.rs`.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::captures::{frames, negotiated};
use super::fixtures::{encode, format_of, list, load, text, unhex};
use crate::Error;
use crate::limits::{MAX_CAUSES, MAX_NESTING};
use crate::openwire::{
    Command, DataArrayResponse, Decoder, Encoder, ExceptionResponse, Throwable, WireFormat,
    frame_length, initial_format,
};

/// All golden frames without cache, with their formats.
fn vectors() -> Vec<(WireFormat, Vec<u8>)> {
    let facts = load("openwire-vectors.json");
    let raw = |vector| (format_of(vector), unhex(text(vector, "hex"))[4..].to_vec());
    list(&facts, "vectors").iter().map(raw).collect()
}

#[test]
fn every_cut_of_every_vector_is_an_error() {
    for (format, frame) in vectors() {
        // Every cut of the longest would take minutes and show nothing new.
        let step = frame.len() / 2000 + 1;
        for cut in (0..frame.len()).step_by(step) {
            let result = Decoder::new(format).decode_slice(&frame[..cut]);
            assert!(
                result.is_err(),
                "{cut} of {} bytes: {result:?}",
                frame.len()
            );
        }
        let longer = [&frame[..], &[0]].concat();
        let result = Decoder::new(format).decode_slice(&longer);
        assert!(matches!(result, Err(Error::TrailingBytes { left: 1, .. })));
    }
}

#[test]
fn every_cut_of_every_conversation_is_an_error() {
    let facts = load("openwire-captures.json");
    for capture in facts.as_object().unwrap().values() {
        let mut decoders = std::collections::HashMap::new();
        for (connection, direction, frame) in frames(capture) {
            let raw = unhex(text(frame, "hex"));
            let shaking = frame["fields"]["_type"] == "WireFormatInfo";
            let format = if shaking {
                initial_format()
            } else {
                negotiated(capture, connection)
            };
            let key = (connection, direction, shaking);
            let decoder = decoders.entry(key).or_insert_with(|| Decoder::new(format));
            // What a cut frame leaves in the cache, the whole one overwrites.
            for cut in 4..raw.len() {
                assert!(decoder.decode_slice(&raw[4..cut]).is_err());
            }
            decoder.decode_slice(&raw[4..]).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn damaged_vectors_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        for (format, mut frame) in vectors() {
            for (at, value) in &flips {
                let at = at.index(frame.len());
                frame[at] = *value;
            }
            if let Ok(command) = Decoder::new(format).decode(Bytes::from(frame.clone())) {
                // What was accepted can be sent on, if only to be refused.
                encode(&mut Encoder::new(format), &command);
            }
        }
    }

    #[test]
    fn damaged_conversations_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u8), 1..4)) {
        let facts = load("openwire-vectors.json");
        let capture = &facts["capture_basic"];
        let mut decoders = std::collections::HashMap::new();
        for (connection, direction, frame) in frames(capture) {
            let mut raw = unhex(text(frame, "hex")).split_off(4);
            let format = negotiated(capture, connection);
            let decoder = decoders.entry(direction).or_insert_with(|| Decoder::new(format));
            let _ = decoder.decode_slice(&raw);
            for (at, bit) in &flips {
                let at = at.index(raw.len());
                raw[at] ^= 1 << bit;
            }
            let _ = decoder.decode_slice(&raw);
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), id in any::<u8>(), version in 1..=12, tight: bool, cache: bool) {
        let format = WireFormat { version, tight, cache: cache.then_some(100), stack_traces: true, max_frame_size: usize::MAX };
        let mut decoder = Decoder::new(format);
        let frame = [&[id][..], &noise].concat();
        let _ = decoder.decode_slice(&frame);
        let _ = decoder.decode_slice(&noise);
    }
}

fn loose() -> WireFormat {
    WireFormat {
        version: 12,
        stack_traces: true,
        max_frame_size: usize::MAX,
        ..initial_format()
    }
}

#[test]
fn hostile_sizes() {
    for n in 0..4 {
        assert_eq!(frame_length(&[0xff; 3][..n.min(3)], 100), Ok(None));
    }
    assert_eq!(
        frame_length(&[0xff; 4], 100),
        Err(Error::NegativeFrame { size: -1 })
    );
    assert_eq!(frame_length(&[0, 0, 0, 100, 9], 100), Ok(Some(100)));
    let too_large = Err(Error::FrameTooLarge {
        size: 101,
        limit: 100,
    });
    assert_eq!(frame_length(&[0, 0, 0, 101], 100), too_large);
    assert!(Decoder::new(loose()).decode(Bytes::new()).is_err());
}

/// Responses with an array that lies about its count, loose and tight.
#[test]
fn hostile_counts() {
    let decode = |tight: bool, hex: &str| {
        let frame = unhex(&hex.replace(' ', ""));
        Decoder::new(WireFormat { tight, ..loose() }).decode_slice(&frame)
    };
    let head = "21 00000000 00 00000000";
    for count in ["ffff", "8000", "7fff", "0001"] {
        let result = decode(false, &format!("{head} 01 {count}"));
        assert!(
            matches!(
                result,
                Err(Error::NegativeLength { .. } | Error::Truncated { .. })
            ),
            "{count}: {result:?}"
        );
        // Bits: no answer wanted, array present, the rest nulls.
        let result = decode(true, &format!("21 01 02 00000000 00000000 {count}"));
        assert!(
            matches!(
                result,
                Err(Error::NegativeLength { .. } | Error::Truncated { .. })
            ),
            "{count}: {result:?}"
        );
    }
    // A length of content far beyond the frame.
    for length in ["7fffffff", "ffffffff", "00000005"] {
        let result = decode(false, &format!("3c 00000000 01 {length} 0000"));
        assert!(result.is_err(), "{length}");
    }
    // Boolean streams that lie.
    for stream in ["05", "c0ff", "80ffff", "807fff", "80", "c0"] {
        assert!(decode(true, &format!("21 {stream}")).is_err(), "{stream}");
    }
}

#[test]
fn nulls_in_arrays_of_ids_are_refused() {
    let message = crate::openwire::ProducerInfo {
        broker_path: Some(vec![crate::openwire::BrokerId { value: "b".into() }]),
        ..Default::default()
    };
    let frame = encode(&mut Encoder::new(loose()), &message.into());
    let at = frame.len() - 5 - 1 - 1 - 2 - 1 - 1;
    assert_eq!(frame[at..at + 2], [1, 124], "the element's flag and type");
    let cut = [&frame[4..at], &[0], &frame[frame.len() - 5..]].concat();
    let result = Decoder::new(loose()).decode_slice(&cut);
    assert_eq!(result, Err(Error::NullElement { wanted: "BrokerId" }));
    let nulls = DataArrayResponse {
        data: Some(vec![Command::Null]),
        ..Default::default()
    };
    let refused = Encoder::new(loose()).encode(&nulls.into(), &mut BytesMut::new());
    assert_eq!(
        refused,
        Err(Error::NullElement {
            wanted: "DataStructure"
        })
    );
}

#[test]
fn deep_frames_do_not_exhaust_the_stack() {
    // DataResponses within each other, then brokers within brokers.
    let data = [&[1, 32][..], &[0; 9]].concat();
    let mut frame = [&[32][..], &[0; 9]].concat();
    frame.extend(data.repeat(100_000));
    let result = Decoder::new(loose()).decode_slice(&frame);
    assert_eq!(
        result,
        Err(Error::TooDeep {
            limit: MAX_NESTING as usize
        })
    );
    let broker = [&[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1][..]].concat();
    let mut frame = broker.clone();
    (0..100_000).for_each(|_| frame.extend([&[1][..], &broker].concat()));
    let result = Decoder::new(loose()).decode_slice(&frame);
    assert_eq!(
        result,
        Err(Error::TooDeep {
            limit: MAX_NESTING as usize
        })
    );
}

fn caused(depth: usize) -> Command {
    let mut exception = Throwable::new("a.B", "m");
    for _ in 0..depth {
        exception = Throwable {
            cause: Some(Box::new(exception)),
            ..Throwable::new("a.B", "m")
        };
    }
    ExceptionResponse {
        exception: Some(Box::new(exception)),
        ..Default::default()
    }
    .into()
}

#[test]
fn causes_are_bounded() {
    for format in [
        loose(),
        WireFormat {
            tight: true,
            ..loose()
        },
    ] {
        let read = |depth| {
            let frame = encode(&mut Encoder::new(format), &caused(depth));
            Decoder::new(format).decode_slice(&frame[4..])
        };
        assert_eq!(read(MAX_CAUSES), Ok(caused(MAX_CAUSES)));
        assert_eq!(
            read(MAX_CAUSES + 1),
            Err(Error::TooDeep { limit: MAX_CAUSES })
        );
    }
}

/// A tight reader must take the bit "already marshalled" though nobody sets it.
#[test]
fn a_premarshalled_message_is_read() {
    let format = WireFormat {
        tight: true,
        ..loose()
    };
    let message = crate::openwire::Message {
        priority: 4,
        ..Default::default()
    };
    let own = encode(&mut Encoder::new(format), &message.clone().into());
    // Bits: no answer wanted, no consumer, no destination, message present and
    // marshalled before. Then type, size, and the message as a frame.
    let mut frame = vec![21, 1, 0b11000, 0, 0, 0, 0, 23];
    frame.extend(&own);
    frame.extend(7i32.to_be_bytes());
    let dispatch = Decoder::new(format).decode_slice(&frame).unwrap();
    let Command::MessageDispatch(dispatch) = dispatch else {
        panic!("not a dispatch")
    };
    assert_eq!(dispatch.message.as_deref(), Some(&message));
    assert_eq!(dispatch.redelivery_counter, 7);
}

/// A string with the only-ASCII bit and other bytes is ISO-8859-1.
#[test]
fn ascii_that_is_not() {
    let format = WireFormat {
        tight: true,
        ..loose()
    };
    let frame = [14, 1, 0b110, 0, 0, 0, 1, 0, 2, b'a', 0xe9];
    let Command::ControlCommand(command) = Decoder::new(format).decode_slice(&frame).unwrap()
    else {
        panic!("not a control command");
    };
    assert_eq!(command.command.unwrap(), "aé");
    let negative = [14, 1, 0b110, 0, 0, 0, 1, 0xff, 0xff, b'a', 0xe9];
    let result = Decoder::new(format).decode_slice(&negative);
    assert!(matches!(
        result,
        Err(Error::NegativeLength { length: -1, .. })
    ));
}
