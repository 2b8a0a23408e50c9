//! What stands behind the first invalid batch of the newest segment (FORMAT.md 5, step 6).
//!
//! Batches are written one after the other, each durable before the next: a valid batch behind an invalid one proves that
//! the invalid one was durable once. Everything else behind it is a torn write. A takeover waits for this, and most of
//! the segment was never written: once a long stretch is zero, the rest is sampled, and read only if it is not.

use super::cursor::Cursor;
use crate::error::Result;
use crate::limits::{BLOCK, BLOCK_BYTES, QUIET_BYTES, SAMPLE_BYTES};

static ZERO_BLOCK: [u8; BLOCK] = [0; BLOCK];

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// Offset of a valid batch of this epoch with an expected or higher number.
    pub(super) valid_at: Option<u64>,
    /// From the start of the look to the last block that is not zero.
    pub(super) torn_bytes: u64,
}

/// Looks from `from` to the cursor's limit, stopping at the first valid batch.
pub(super) fn look(cursor: &mut Cursor, from: u64, epoch: u64, least_number: u64) -> Result<Tail> {
    let mut tail = Tail::default();
    let mut at = from;
    // The disk works on all of it at once.
    cursor.announce_last(from, QUIET_BYTES);
    cursor.announce_samples(samples(from + QUIET_BYTES, cursor.limit()));
    // None once a sample was not zero: then every block counts.
    let mut quiet = Some(0);
    while at < cursor.limit() {
        let block = cursor.bytes(at, BLOCK)?;
        if block.is_empty() {
            break;
        }
        if is_zero(block) {
            quiet = quiet.map(|bytes| bytes + BLOCK_BYTES);
        } else {
            quiet = quiet.map(|_| 0);
            tail.torn_bytes = at + block.len() as u64 - from;
            if let Ok((header, _)) = cursor.frame(at)?
                && header.epoch == epoch
                && header.number >= least_number
            {
                tail.valid_at = Some(at);
                return Ok(tail);
            }
        }
        at += BLOCK_BYTES;
        if quiet.is_some_and(|bytes| bytes >= QUIET_BYTES) {
            if samples_are_zero(cursor, at)? {
                break;
            }
            quiet = None;
        }
    }
    Ok(tail)
}

/// Data behind a hole would be a run of batches without gaps, so one block in a while is enough to notice it.
fn samples_are_zero(cursor: &mut Cursor, from: u64) -> Result<bool> {
    for at in samples(from, cursor.limit()) {
        if !is_zero(&cursor.sample(at)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn samples(from: u64, limit: u64) -> impl Iterator<Item = u64> {
    let first = from.div_ceil(SAMPLE_BYTES);
    (first..)
        .map(|n| n * SAMPLE_BYTES)
        .take_while(move |at| *at < limit)
}

fn is_zero(block: &[u8]) -> bool {
    block == &ZERO_BLOCK[..block.len()]
}
