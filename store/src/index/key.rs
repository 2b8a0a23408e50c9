//! Keys of the one tree in the database, and the checksum around every value.
//!
//! | first byte | key | value |
//! |---|---|---|
//! | `q` | queue u32, page u64 (big-endian, so that order is order) | entries of 256 consecutive sequences |
//! | `s` | staged id u64, chunk u64 | 64 staged operations |
//! | `p`, `o` | id of a producer or transaction | what is known of it |
//! | `!` | `at` | the place in the journal of the last checkpoint written |
//!
//! A value is the CRC-32 over key and body, then the body: bytes that belong to another key do not pass.

use crate::limits::SHORT_ID_BYTES;
use crate::position::{QueueId, StagedId};

/// Key of the value that is written last.
pub(super) const AT: &[u8] = b"!at";
pub(super) const PRODUCER: u8 = b'p';
pub(super) const OUTCOME: u8 = b'o';
const QUEUE: u8 = b'q';
const STAGED: u8 = b's';
/// Marks an id that stands in the key as it is.
const PLAIN: u8 = b'=';
/// Marks an id that was too long and is hashed.
const HASHED: u8 = b'#';

/// Key of a value that the control file lists with its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum PageKey {
    /// Entries of a queue.
    Entries { queue: QueueId, page: u64 },
    /// Operations of a staged transaction.
    Staged { transaction: StagedId, chunk: u64 },
}

impl PageKey {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut key = Vec::with_capacity(17);
        match self {
            Self::Entries { queue, page } => {
                key.push(QUEUE);
                key.extend(queue.0.to_be_bytes());
                key.extend(page.to_be_bytes());
            }
            Self::Staged { transaction, chunk } => {
                key.push(STAGED);
                key.extend(transaction.0.to_be_bytes());
                key.extend(chunk.to_be_bytes());
            }
        }
        key
    }

    /// `None` for a key of another kind or length.
    pub(super) fn from_bytes(key: &[u8]) -> Option<Self> {
        let (kind, rest) = key.split_first()?;
        let (head, page) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
        let page = u64::from_be_bytes(page.try_into().ok()?);
        match *kind {
            QUEUE => Some(Self::Entries {
                queue: QueueId(u32::from_be_bytes(head.try_into().ok()?)),
                page,
            }),
            STAGED => {
                let transaction = StagedId(u64::from_be_bytes(head.try_into().ok()?));
                Some(Self::Staged {
                    transaction,
                    chunk: page,
                })
            }
            _ => None,
        }
    }
}

/// Writes the key of a producer or outcome into `out`, replacing what is there.
pub(super) fn lookup_key(kind: u8, id: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(kind);
    if id.len() <= SHORT_ID_BYTES {
        out.push(PLAIN);
        out.extend_from_slice(id);
        return;
    }
    out.push(HASHED);
    out.extend(fnv128(id).to_be_bytes());
    out.extend((id.len() as u64).to_be_bytes());
}

/// FNV-1a, 128 bits: the same in every version of the program, which the standard library does not promise of its own.
fn fnv128(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
}

/// Puts the checksum before a body; answers it as well.
pub(super) fn seal_value(key: &[u8], body: &[u8]) -> (Vec<u8>, u32) {
    let crc = checksum(key, body);
    let mut value = Vec::with_capacity(4 + body.len());
    value.extend(crc.to_le_bytes());
    value.extend_from_slice(body);
    (value, crc)
}

/// The body and its checksum, if the value belongs to this key and is whole.
pub(super) fn open_value<'a>(key: &[u8], value: &'a [u8]) -> Option<(&'a [u8], u32)> {
    let (crc, body) = value.split_at_checked(4)?;
    let crc = u32::from_le_bytes(crc.try_into().ok()?);
    (crc == checksum(key, body)).then_some((body, crc))
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_sort_by_queue_and_page() {
        let mut keys = Vec::new();
        for (queue, page) in [(1, 0), (1, 255), (1, 256), (2, 0), (256, 1)] {
            let key = PageKey::Entries {
                queue: QueueId(queue),
                page,
            };
            assert_eq!(PageKey::from_bytes(&key.to_bytes()), Some(key));
            keys.push(key.to_bytes());
        }
        assert!(keys.is_sorted());
        let staged = PageKey::Staged {
            transaction: StagedId(7),
            chunk: 9,
        };
        assert_eq!(PageKey::from_bytes(&staged.to_bytes()), Some(staged));
        assert_eq!(PageKey::from_bytes(AT), None);
        assert_eq!(PageKey::from_bytes(b"q123"), None);
    }

    #[test]
    fn long_ids_have_short_keys_of_their_own() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        lookup_key(PRODUCER, &[7; 5000], &mut a);
        lookup_key(PRODUCER, &[7; 5001], &mut b);
        assert_ne!(a, b);
        assert!(a.len() <= 2 + SHORT_ID_BYTES);
        lookup_key(OUTCOME, b"tx", &mut a);
        assert_eq!(a, b"o=tx");
    }

    #[test]
    fn a_value_under_another_key_or_with_a_flipped_bit_does_not_pass() {
        let (value, crc) = seal_value(b"k", b"body");
        assert_eq!(open_value(b"k", &value), Some((&b"body"[..], crc)));
        assert_eq!(open_value(b"l", &value), None);
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open_value(b"k", &flipped), None, "bit {bit}");
        }
        assert_eq!(open_value(b"k", &value[..3]), None);
    }
}
