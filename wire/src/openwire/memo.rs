//! Strings that a decoder has just seen. The same connection ids and
//! destination names come with every message; finding them here saves the
//! allocation, and a queue of a million messages shares one copy of each.
//! Purely an optimisation: forgetting is always right.

use super::text::Text;
use crate::limits::{MEMO_SLOTS, MEMO_TEXT};

/// A table with one slot per hash value; a newcomer replaces what was there.
pub(crate) struct Memo {
    slots: Vec<Option<Text>>,
}

impl Memo {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![None; MEMO_SLOTS],
        }
    }

    /// A memo that remembers nothing, for decoding a single frame.
    pub(crate) fn off() -> Self {
        Self { slots: Vec::new() }
    }

    /// The string with these bytes.
    pub(crate) fn text(&mut self, raw: &[u8]) -> Text {
        if raw.is_empty() || raw.len() > MEMO_TEXT {
            return Text::from_raw(raw);
        }
        let Some(slot) = self.slots.get_mut(slot_of(raw)) else {
            return Text::from_raw(raw);
        };
        match slot {
            Some(known) if known.as_bytes() == raw => known.clone(),
            _ => slot.insert(Text::from_raw(raw)).clone(),
        }
    }
}

/// Ids differ in their last characters, so those and the length choose.
fn slot_of(raw: &[u8]) -> usize {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut last = [0u8; 8];
    let n = raw.len().min(8);
    last[..n].copy_from_slice(&raw[raw.len() - n..]);
    let hash = (u64::from_le_bytes(last) ^ raw.len() as u64).wrapping_mul(MIX);
    (hash >> 32) as usize % MEMO_SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_share_memory_and_collisions_are_told_apart() {
        let mut memo = Memo::new();
        let first = memo.text(b"ID:host-1:1");
        let again = memo.text(b"ID:host-1:1");
        assert_eq!(first.as_bytes().as_ptr(), again.as_bytes().as_ptr());
        // Same length, same last eight bytes: the same slot.
        let other = memo.text(b"XX:host-1:1");
        assert_eq!(other, "XX:host-1:1");
        assert_eq!(memo.text(b"ID:host-1:1"), "ID:host-1:1");
    }

    #[test]
    fn off_and_oversized_are_plain_copies() {
        let long = vec![b'x'; MEMO_TEXT + 1];
        let mut memo = Memo::new();
        assert_ne!(
            memo.text(&long).as_bytes().as_ptr(),
            memo.text(&long).as_bytes().as_ptr()
        );
        assert_eq!(Memo::off().text(b"abc"), "abc");
    }
}
