//! Random structures through every format, and what an encoder must refuse.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::fixtures::{body, encode};
use super::random;
use super::view::view;
use crate::Error;
use crate::limits::{MAX_ASCII_STRING, MAX_NESTING, MAX_STRING};
use crate::openwire::{
    Base, Command, ControlCommand, DataResponse, Decoder, Encoder, KeepAliveInfo, Message,
    MessageDispatch, ProducerAck, SessionId, SessionInfo, WireFormat, initial_format,
    stored_format, type_id,
};

/// A cache this small is swept all the time.
const SMALL_CACHE: u16 = 128;

fn formats() -> impl Strategy<Value = WireFormat> {
    let cache = prop_oneof![
        Just(None),
        Just(Some(SMALL_CACHE)),
        Just(Some(7)),
        Just(Some(1024))
    ];
    (1..=12, any::<bool>(), cache, any::<bool>()).prop_map(
        |(version, tight, cache, stack_traces)| WireFormat {
            version,
            tight,
            cache,
            stack_traces,
            max_frame_size: usize::MAX,
        },
    )
}

fn tapes() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..12)
}

fn pass(command: &Command, encoder: &mut Encoder, decoder: &mut Decoder) {
    let frame = encode(encoder, command);
    let back = decoder.decode(body(&frame)).unwrap();
    assert_eq!(&back, command);
    // Equality of ids leaves fields out; the view does not.
    assert_eq!(
        view(&back, decoder.format()),
        view(command, decoder.format())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn random_structures_round_trip(format in formats(), tapes in tapes()) {
        let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
        for tape in tapes {
            let command = random::command(&tape, &format);
            pass(&command, &mut encoder, &mut decoder);
        }
    }

    #[test]
    fn what_one_format_reads_every_other_writes(from in formats(), to in formats(), tape in prop::collection::vec(any::<u8>(), 0..400)) {
        let command = random::command(&tape, &from);
        let frame = encode(&mut Encoder::new(from), &command);
        let back = Decoder::new(from).decode(body(&frame)).unwrap();
        let to = WireFormat { version: from.version.max(to.version), ..to };
        let again = encode(&mut Encoder::new(to), &back);
        let last = Decoder::new(to).decode(body(&again)).unwrap();
        if from.version == to.version && from.stack_traces <= to.stack_traces {
            prop_assert_eq!(last, command);
        }
    }

    #[test]
    fn stored_messages_round_trip(tape in prop::collection::vec(any::<u8>(), 0..400), kind in 0..7u8) {
        let id = type_id::ACTIVEMQ_MESSAGE + kind;
        let command = random::command_of(id, &tape, &stored_format());
        let Command::Message(message) = &command else { panic!("not a message") };
        let mut stored = b"before".to_vec();
        message.encode_stored(&mut stored).unwrap();
        let stored = Bytes::from(stored).slice(6..);
        prop_assert_eq!(&Message::decode_stored(stored.clone()).unwrap(), &**message);
        prop_assert_eq!(&Message::decode_stored_slice(&stored).unwrap(), &**message);
        prop_assert_eq!(&Decoder::new(stored_format()).decode(stored).unwrap(), &command);
    }
}

/// Every type in every version and encoding, with a full tape: nothing is left
/// to chance but the values.
#[test]
fn every_type_in_every_format() {
    let tape: Vec<u8> = (0..4000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 1)
        .collect();
    for version in 1..=12 {
        for (tight, cache, stack_traces) in [
            (true, None, true),
            (false, None, false),
            (true, Some(SMALL_CACHE), false),
            (false, Some(SMALL_CACHE), true),
        ] {
            let format = WireFormat {
                version,
                tight,
                cache,
                stack_traces,
                max_frame_size: usize::MAX,
            };
            let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
            for (id, _) in type_id::ALL {
                if type_id::since(*id).is_some_and(|since| since > version) {
                    continue;
                }
                for start in 0..4 {
                    let command = random::command_of(*id, &tape[start * 7..], &format);
                    pass(&command, &mut encoder, &mut decoder);
                }
            }
        }
    }
}

fn tight(version: i32) -> WireFormat {
    WireFormat {
        version,
        tight: true,
        max_frame_size: usize::MAX,
        ..initial_format()
    }
}

fn control(length: usize, fill: &str) -> Command {
    let command = Some(fill.repeat(length).into());
    ControlCommand {
        base: Base::default(),
        command,
    }
    .into()
}

/// A boolean stream that is longer or shorter than the last one of its type
/// moves the body; the frame must not show it.
#[test]
fn boolean_streams_of_changing_length() {
    let (mut encoder, mut decoder) = (Encoder::new(tight(12)), Decoder::new(tight(12)));
    for count in [0usize, 1, 500, 2, 60, 5000, 100, 0] {
        let ids = (0..count).map(|i| crate::openwire::BrokerId {
            value: format!("b{i}").into(),
        });
        let info = crate::openwire::BrokerInfo {
            broker_name: Some("n".into()),
            ..Default::default()
        };
        let path = Message {
            broker_path: Some(ids.collect()),
            content: Some(Bytes::from_static(b"x")),
            ..Default::default()
        };
        pass(&path.into(), &mut encoder, &mut decoder);
        pass(&info.into(), &mut encoder, &mut decoder);
    }
}

/// More ids than the cache has slots, so that they are swept and reused.
#[test]
fn a_long_conversation_with_a_small_cache() {
    for tight in [true, false] {
        let format = WireFormat {
            version: 12,
            tight,
            cache: Some(SMALL_CACHE),
            ..stored_format()
        };
        let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
        let mut known = 0;
        for n in 0..2000i64 {
            // Every third id is the one before it, the others are long swept.
            let value = if n % 3 == 2 { (n - 1) % 700 } else { n % 700 };
            let session_id = SessionId {
                connection_id: "ID:a-1:1".into(),
                value,
            };
            let info = SessionInfo {
                session_id: Some(session_id),
                ..Default::default()
            };
            let frame = encode(&mut encoder, &info.clone().into());
            known += usize::from(frame.len() < 20);
            assert_eq!(decoder.decode(body(&frame)), Ok(info.into()));
        }
        assert_eq!(known, 666);
    }
}

#[test]
fn strings_at_their_limits() {
    for format in [
        tight(12),
        WireFormat {
            tight: false,
            ..tight(12)
        },
    ] {
        let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
        for length in [MAX_ASCII_STRING, MAX_ASCII_STRING + 1, 32_768, MAX_STRING] {
            pass(&control(length, "x"), &mut encoder, &mut decoder);
        }
        pass(
            &control(MAX_STRING / 3, "\u{800}"),
            &mut encoder,
            &mut decoder,
        );
        let mut out = BytesMut::from(&b"kept"[..]);
        let refused = encoder.encode(&control(MAX_STRING + 1, "x"), &mut out);
        assert_eq!(
            refused,
            Err(Error::StringTooLong {
                length: 65_536,
                limit: 65_535
            })
        );
        assert_eq!(&out[..], b"kept");
        // Without a cache nothing is out of step after a refusal.
        pass(&control(1, "x"), &mut encoder, &mut decoder);
    }
}

#[test]
fn a_failed_write_with_the_cache_ends_the_direction() {
    let format = WireFormat {
        cache: Some(100),
        ..tight(12)
    };
    let mut encoder = Encoder::new(format);
    let mut out = BytesMut::new();
    assert!(
        encoder
            .encode(&control(MAX_STRING + 1, "x"), &mut out)
            .is_err()
    );
    assert_eq!(
        encoder.encode(&control(1, "x"), &mut out),
        Err(Error::OutOfStep)
    );
    assert!(out.is_empty());
}

#[test]
fn structures_unknown_to_a_version_are_refused_both_ways() {
    let ack = Command::from(ProducerAck::default());
    let mut out = BytesMut::new();
    for format in [
        tight(2),
        WireFormat {
            tight: false,
            ..tight(2)
        },
    ] {
        let refused = Encoder::new(format).encode(&ack, &mut out);
        assert_eq!(
            refused,
            Err(Error::UnknownType {
                type_id: 19,
                version: 2
            })
        );
        let frame = encode(
            &mut Encoder::new(WireFormat {
                version: 3,
                ..format
            }),
            &ack,
        );
        let refused = Decoder::new(format).decode(body(&frame));
        assert_eq!(
            refused,
            Err(Error::UnknownType {
                type_id: 19,
                version: 2
            })
        );
    }
}

#[test]
fn frames_above_the_agreed_size_are_refused() {
    let format = WireFormat {
        max_frame_size: 50,
        ..tight(12)
    };
    let mut out = BytesMut::new();
    Encoder::new(format)
        .encode(&control(30, "x"), &mut out)
        .unwrap();
    let refused = Encoder::new(format).encode(&control(60, "x"), &mut out);
    assert!(matches!(
        refused,
        Err(Error::FrameTooLarge { limit: 50, .. })
    ));
}

#[test]
fn nesting_is_bounded_both_ways() {
    let nest = |depth: u32| {
        let mut command = Command::from(KeepAliveInfo::default());
        for _ in 0..depth {
            command = DataResponse {
                data: Some(Box::new(command)),
                ..Default::default()
            }
            .into();
        }
        command
    };
    for format in [
        tight(12),
        WireFormat {
            tight: false,
            ..tight(12)
        },
    ] {
        pass(
            &nest(MAX_NESTING),
            &mut Encoder::new(format),
            &mut Decoder::new(format),
        );
        let refused = Encoder::new(format).encode(&nest(MAX_NESTING + 1), &mut BytesMut::new());
        assert_eq!(
            refused,
            Err(Error::TooDeep {
                limit: MAX_NESTING as usize
            })
        );
    }
}

#[test]
fn the_null_command_and_a_dispatch_of_its_own() {
    for format in [tight(12), initial_format()] {
        let (mut encoder, mut decoder) = (Encoder::new(format), Decoder::new(format));
        assert_eq!(encode(&mut encoder, &Command::Null), [0, 0, 0, 1, 0]);
        assert_eq!(decoder.decode(Bytes::from_static(&[0])), Ok(Command::Null));
        let dispatch = MessageDispatch {
            message: Some(std::sync::Arc::new(Message::default())),
            redelivery_counter: 3,
            ..MessageDispatch::default()
        };
        let mut out = BytesMut::new();
        encoder.encode_dispatch(&dispatch, &mut out).unwrap();
        assert_eq!(encode(&mut encoder, &dispatch.into()), out);
    }
}

#[test]
fn commands_know_their_numbers() {
    let mut command = Command::from(SessionInfo::default());
    command.base_mut().unwrap().command_id = 7;
    command.base_mut().unwrap().response_required = true;
    assert_eq!(
        (command.command_id(), command.response_required()),
        (7, true)
    );
    assert_eq!(
        (
            Command::Null.command_id(),
            Command::Null.response_required()
        ),
        (0, false)
    );
    let response = crate::openwire::IntegerResponse {
        correlation_id: 9,
        ..Default::default()
    };
    assert_eq!(Command::from(response).correlation_id(), Some(9));
    assert_eq!(command.correlation_id(), None);
}

#[test]
fn debug_shows_neither_secrets_nor_payloads() {
    let info = crate::openwire::ConnectionInfo {
        user_name: Some("joe".into()),
        password: Some("hunter2".into()),
        ..Default::default()
    };
    let shown = format!("{:?}", Command::from(info));
    assert!(
        shown.contains("joe") && !shown.contains("hunter2"),
        "{shown}"
    );
    let message = Message {
        content: Some(Bytes::from_static(b"payload")),
        ..Message::default()
    };
    let shown = format!("{message:?}");
    assert!(
        shown.contains("7 bytes") && !shown.contains("payload"),
        "{shown}"
    );
}

/// Moving a command must stay cheap.
#[test]
fn commands_are_small() {
    assert!(size_of::<Command>() <= 88, "{} bytes", size_of::<Command>());
    assert!(
        size_of::<Message>() <= 640,
        "{} bytes",
        size_of::<Message>()
    );
    assert!(size_of::<Error>() <= 32, "{} bytes", size_of::<Error>());
}
