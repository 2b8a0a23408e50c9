//! Java's modified UTF-8: U+0000 is `c0 80`, and characters beyond U+FFFF are
//! two surrogates of three bytes each. Reading is lenient, since the wire may
//! carry lone surrogates (Java) or plain UTF-8 and worse (C++): what cannot be
//! read becomes U+FFFD, never an error.

use std::borrow::Cow;

/// True when every character is U+0001 to U+007F. Written without an early
/// exit so that the compiler vectorises it.
#[inline]
pub(crate) fn is_plain(raw: &[u8]) -> bool {
    raw.iter()
        .fold(true, |plain, byte| plain & (byte.wrapping_sub(1) < 0x7f))
}

/// A Rust string as modified UTF-8; borrowed when the two are the same.
pub(crate) fn encode(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| byte == 0 || byte >= 0xf0) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len() + text.len() / 2);
    for unit in text.encode_utf16() {
        push_unit(&mut out, unit);
    }
    Cow::Owned(out)
}

/// ISO-8859-1 as modified UTF-8: what a tight reader must make of a string
/// that claims to be ASCII and is not.
pub(crate) fn from_latin1(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() * 2);
    for byte in raw {
        push_unit(&mut out, u16::from(*byte));
    }
    out
}

/// Modified UTF-8 as a Rust string; borrowed when it is valid UTF-8 as it is.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(raw) {
        return Cow::Borrowed(text);
    }
    let mut units = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while !rest.is_empty() {
        let (unit, length) = first_unit(rest);
        units.push(unit);
        rest = &rest[length..];
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

/// How many UTF-16 units the text has: what Java calls its length.
pub(crate) fn utf16_length(raw: &[u8]) -> usize {
    raw.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each byte is masked to its bits"
)]
fn push_unit(out: &mut Vec<u8>, unit: u16) {
    match unit {
        0x0001..=0x007f => out.push(unit as u8),
        0x0000 | 0x0080..=0x07ff => {
            out.extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]);
        }
        0x0800..=0xffff => out.extend([
            0xe0 | (unit >> 12) as u8,
            0x80 | ((unit >> 6) & 0x3f) as u8,
            0x80 | (unit & 0x3f) as u8,
        ]),
    }
}

/// The first UTF-16 unit and how many bytes it took.
fn first_unit(raw: &[u8]) -> (u16, usize) {
    const REPLACEMENT: u16 = 0xfffd;
    let tail = |byte: u8| (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f));
    match *raw {
        [lead @ 0x00..=0x7f, ..] => (u16::from(lead), 1),
        [lead @ 0xc0..=0xdf, second, ..] => match tail(second) {
            Some(low) => (u16::from(lead & 0x1f) << 6 | low, 2),
            None => (REPLACEMENT, 1),
        },
        [lead @ 0xe0..=0xef, second, third, ..] => match (tail(second), tail(third)) {
            (Some(middle), Some(low)) => (u16::from(lead & 0x0f) << 12 | middle << 6 | low, 3),
            _ => (REPLACEMENT, 1),
        },
        _ => (REPLACEMENT, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_examples() {
        for (text, raw) in [
            ("", &[][..]),
            ("a", b"a"),
            ("\0", &[0xc0, 0x80]),
            ("\u{7f}", &[0x7f]),
            ("é", &[0xc3, 0xa9]),
            ("\u{7ff}", &[0xdf, 0xbf]),
            ("\u{800}", &[0xe0, 0xa0, 0x80]),
            ("\u{1f600}", &[0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]),
        ] {
            assert_eq!(encode(text).as_ref(), raw, "{text:?}");
            assert_eq!(decode(raw), text, "{text:?}");
        }
    }

    #[test]
    fn broken_text_is_replaced() {
        assert_eq!(decode(&[0xed, 0xa0, 0xbd]), "\u{fffd}");
        assert_eq!(decode(&[b'a', 0xff, b'b']), "a\u{fffd}b");
        assert_eq!(decode(&[0xe0, 0x80]), "\u{fffd}\u{fffd}");
        assert_eq!(decode("\u{1f600}".as_bytes()), "\u{1f600}");
    }

    #[test]
    fn plain_means_one_to_7f() {
        assert!(is_plain(b""));
        assert!(is_plain(b"\x01az~\x7f"));
        assert!(!is_plain(b"a\0"));
        assert!(!is_plain(b"a\x80"));
        assert!(!is_plain(b"\xff"));
    }

    #[test]
    fn latin1_and_lengths() {
        assert_eq!(
            from_latin1(&[0x61, 0xe9, 0]),
            [0x61, 0xc3, 0xa9, 0xc0, 0x80]
        );
        assert_eq!(utf16_length(&encode("aé\u{1f600}")), 4);
    }
}
