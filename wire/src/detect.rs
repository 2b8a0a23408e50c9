//! Which protocol do these bytes speak? Decided from the first bytes that a
//! client sends, without consuming them. Today the answer is OpenWire or not;
//! further protocols get their own variant with their own room.

use crate::openwire::MAGIC;

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detection {
    /// A `WireFormatInfo` begins here.
    OpenWire,
    /// Nothing speaks against a known protocol, but more bytes are needed.
    Incomplete,
    /// No protocol that is spoken here.
    Unknown,
}

/// Bytes of the size prefix in front of every OpenWire frame.
const PREFIX: usize = 4;

/// Bytes after which the answer is certain: size, type and `Act`.
const DECISIVE: usize = 8;

/// Looks at the first bytes of a connection. Eight bytes always decide; fewer
/// decide as soon as one of them is wrong.
#[must_use]
pub fn detect(first: &[u8]) -> Detection {
    let after_prefix = first.get(PREFIX..).unwrap_or(&[]);
    let opening = std::iter::once(&1u8).chain(MAGIC.iter());
    if !after_prefix
        .iter()
        .zip(opening)
        .all(|(got, want)| got == want)
    {
        return Detection::Unknown;
    }
    // A handshake is far below 16 MiB, so its size begins with a zero byte:
    // this refuses text protocols and TLS at their very first byte.
    if first.first().is_some_and(|byte| *byte != 0) {
        return Detection::Unknown;
    }
    if first.len() < DECISIVE {
        Detection::Incomplete
    } else {
        Detection::OpenWire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: [u8; 14] = [
        0, 0, 1, 0x64, 1, b'A', b'c', b't', b'i', b'v', b'e', b'M', b'Q', 0,
    ];

    #[test]
    fn eight_bytes_of_a_client_decide() {
        for n in 0..DECISIVE {
            assert_eq!(detect(&REAL[..n]), Detection::Incomplete, "{n} bytes");
        }
        for n in DECISIVE..REAL.len() {
            assert_eq!(detect(&REAL[..n]), Detection::OpenWire, "{n} bytes");
        }
    }

    #[test]
    fn other_protocols_are_refused_early() {
        for other in [
            &b"CONNECT\n"[..],
            b"GET / HTTP/1.1",
            b"\x16\x03\x01",
            b"AMQP\0\x01\0\0",
        ] {
            assert_eq!(detect(other), Detection::Unknown);
            assert_eq!(detect(&other[..1]), Detection::Unknown);
        }
        assert_eq!(detect(&[0, 0, 1, 0x64, 2]), Detection::Unknown);
        assert_eq!(detect(&[0, 0, 1, 0x64, 1, b'A', b'x']), Detection::Unknown);
    }
}
