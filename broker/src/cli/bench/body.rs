//! What a message of the bench says about itself, in its first 16 bytes:
//!
//! ```text
//! producer u16 | sequence u48 | run u16 | check u8 | sent u40, in units of 64 ns, since the run's clock started
//! ```
//!
//! all big-endian. The sequence counts one producer's messages to one queue. The run keeps what earlier runs left apart.
//! The check keeps most bodies of other programs from being taken for ours. The time wraps after 19 hours, which only
//! matters to messages that waited for so long.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::clock::Moment;
use super::limits::{BODY_BUFFER, MOST_SEQUENCES};

/// Bytes of an identity: the smallest body.
pub(super) const IDENTITY_BYTES: usize = 16;

/// Where the check is.
const CHECK_AT: usize = 10;
/// Nanoseconds in a unit of time, as a power of two.
const UNIT_BITS: u32 = 6;
/// Bits of the time.
const TIME_BITS: u32 = 40;

/// Who a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) run: u16,
    pub(super) producer: u16,
    /// Below 2^48.
    pub(super) sequence: u64,
    /// When it was sent, or due.
    pub(super) sent: Stamp,
}

/// A moment as bodies hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

impl Stamp {
    pub(super) fn of(moment: Moment) -> Self {
        Self((moment.0 >> UNIT_BITS) & mask())
    }

    /// How long ago it was.
    pub(super) fn age(self, now: Moment) -> Duration {
        let units = Self::of(now).0.wrapping_sub(self.0) & mask();
        Duration::from_nanos(units << UNIT_BITS)
    }
}

const fn mask() -> u64 {
    (1 << TIME_BITS) - 1
}

impl Identity {
    fn encode(&self) -> [u8; IDENTITY_BYTES] {
        let name = u64::from(self.producer) << 48 | self.sequence;
        let rest = u64::from(self.run) << 48 | self.sent.0;
        let mut bytes = [0; IDENTITY_BYTES];
        bytes[..8].copy_from_slice(&name.to_be_bytes());
        bytes[8..].copy_from_slice(&rest.to_be_bytes());
        bytes[CHECK_AT] = check(&bytes);
        bytes
    }

    /// Reads a body. None when it is not ours.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut bytes = *body.first_chunk::<IDENTITY_BYTES>()?;
        let given = std::mem::take(&mut bytes[CHECK_AT]);
        if given != check(&bytes) {
            return None;
        }
        let whole = u128::from_be_bytes(bytes);
        let part = |shift: u32, bits: u32| {
            let value = (whole >> shift) & ((1 << bits) - 1);
            u64::try_from(value).unwrap_or(u64::MAX)
        };
        let identity = Self {
            producer: u16::try_from(part(112, 16)).ok()?,
            sequence: part(64, 48),
            run: u16::try_from(part(48, 16)).ok()?,
            sent: Stamp(part(0, TIME_BITS)),
        };
        (identity.sequence < MOST_SEQUENCES).then_some(identity)
    }
}

/// Differs for most small changes, and is not 0 for zeros.
fn check(bytes: &[u8; IDENTITY_BYTES]) -> u8 {
    let fold = |sum: u8, byte: &u8| sum.rotate_left(3) ^ byte;
    bytes.iter().fold(0x5a, fold)
}

/// Makes bodies of one size, many of them in one buffer.
pub(super) struct Bodies {
    buffer: BytesMut,
    size: usize,
}

impl Bodies {
    /// Bodies of `size` bytes, at least [`IDENTITY_BYTES`].
    pub(super) fn new(size: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            size: size.max(IDENTITY_BYTES),
        }
    }

    /// The next one.
    pub(super) fn next(&mut self, identity: &Identity) -> Bytes {
        if self.buffer.capacity() < self.size {
            self.buffer = BytesMut::with_capacity(self.size.max(BODY_BUFFER));
        }
        self.buffer.put_slice(&identity.encode());
        self.buffer.put_bytes(b'.', self.size - IDENTITY_BYTES);
        self.buffer.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            run: 0xfedc,
            producer: 0xabcd,
            sequence: MOST_SEQUENCES - 1,
            sent: Stamp::of(Moment(123_456_789)),
        }
    }

    #[test]
    fn what_goes_in_comes_out_of_any_size() {
        for size in [0, 16, 17, 1_024, 3 * BODY_BUFFER] {
            let mut bodies = Bodies::new(size);
            for _ in 0..3 {
                let body = bodies.next(&identity());
                assert_eq!(body.len(), size.max(16));
                assert_eq!(Identity::decode(&body), Some(identity()));
            }
        }
    }

    #[test]
    fn bodies_of_others_are_not_ours() {
        for body in [&[][..], &[0; 15], &[0; 1_024], b"n=17 xxxxxxxxxxxxxxxxxx"] {
            assert_eq!(Identity::decode(body), None, "{body:?}");
        }
        let good = identity().encode();
        for bit in 0..128 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Identity::decode(&bad), None, "bit {bit}");
        }
    }

    #[test]
    fn ages_survive_the_wrap_of_the_time() {
        let almost = Moment((1 << (TIME_BITS + UNIT_BITS)) - 64);
        let after = almost.plus(Duration::from_nanos(6_400));
        assert_eq!(Stamp::of(almost).age(after), Duration::from_nanos(6_400));
    }
}
