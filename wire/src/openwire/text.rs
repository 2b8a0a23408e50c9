//! Strings of the wire: modified UTF-8, kept byte for byte so that what came
//! in goes out unchanged, shared so that a clone costs no copy. It owns its
//! bytes alone, so keeping a name never keeps a frame alive.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use super::mutf8;

/// An immutable string. Equality, order and hash are those of its bytes; a
/// `HashMap` keyed by it can be asked with `&[u8]`.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The empty string.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Bytes that already are modified UTF-8. Anything is accepted: see
    /// [`Text::to_str`].
    #[must_use]
    pub fn from_raw(raw: &[u8]) -> Self {
        if raw.is_empty() {
            Self::default()
        } else {
            Self(Arc::from(raw))
        }
    }

    /// The modified UTF-8 as on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for the empty string. activemq-cpp sends null for it, so most
    /// readers should treat both alike.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The string without a copy, when its bytes are valid UTF-8: always, but
    /// for U+0000, characters beyond U+FFFF and broken text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The string; what is not text becomes U+FFFD.
    #[must_use]
    pub fn to_str(&self) -> Cow<'_, str> {
        mutf8::decode(&self.0)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_raw(&mutf8::encode(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *mutf8::encode(other)
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.to_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.to_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn keeps_raw_bytes_and_reads_as_text() {
        let broken = Text::from_raw(&[b'a', 0xff]);
        assert_eq!(broken.as_bytes(), [b'a', 0xff]);
        assert_eq!(broken.to_str(), "a\u{fffd}");
        assert_eq!(broken.as_str(), None);
        let smile = Text::from("x\u{1f600}\0");
        assert_eq!(smile.len(), 1 + 6 + 2);
        assert_eq!(smile, "x\u{1f600}\0");
        assert_eq!(smile.to_string(), "x\u{1f600}\0");
        assert_eq!(format!("{:?}", Text::from("a\"b")), "\"a\\\"b\"");
    }

    #[test]
    fn is_found_by_bytes() {
        let map = HashMap::from([(Text::from("TEST.QUEUE"), 1)]);
        assert_eq!(map.get(&b"TEST.QUEUE"[..]), Some(&1));
    }
}
