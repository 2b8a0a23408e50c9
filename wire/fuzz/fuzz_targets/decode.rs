//! Any bytes as frames of one connection: no panic, no runaway allocation, and
//! what is accepted encodes again and reads back the same.
//!
//! The first byte of the input chooses the format: the version in its low
//! half, then tight, cache, stack traces. The rest is frames with their size
//! prefixes, one after the other, as in the seeds.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use wire::openwire::{Decoder, Encoder, WireFormat, frame_length};

fuzz_target!(|input: &[u8]| {
    let Some((head, mut rest)) = input.split_first() else { return };
    let format = WireFormat {
        version: i32::from(head & 0x0f).clamp(1, 12),
        tight: head & 0x10 != 0,
        cache: (head & 0x20 != 0).then_some(128),
        stack_traces: head & 0x40 != 0,
        max_frame_size: usize::MAX,
    };
    let (mut decoder, mut encoder) = (Decoder::new(format), Encoder::new(format));
    let mut mirror = Decoder::new(format);
    while let Ok(Some(length)) = frame_length(rest, rest.len().saturating_sub(4)) {
        let (frame, next) = rest[4..].split_at(length);
        rest = next;
        let Ok(command) = decoder.decode(Bytes::copy_from_slice(frame)) else { return };
        let mut out = BytesMut::new();
        if encoder.encode(&command, &mut out).is_err() {
            return;
        }
        let back = mirror.decode_slice(&out[4..]).expect("what was written can be read");
        assert_eq!(back, command);
    }
});
