//! What stands behind the first invalid batch of the newest segment (FORMAT.md 5, step 6).
//!
//! Batches are written one after the other, each durable before the next: a valid batch behind an invalid one proves that
//! the invalid one was durable once. Everything else behind it is a torn write.

use super::cursor::Cursor;
use crate::error::Result;
use crate::limits::{BLOCK, BLOCK_BYTES};

static ZERO_BLOCK: [u8; BLOCK] = [0; BLOCK];

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// Offset of a valid batch of this epoch with an expected or higher number.
    pub(super) valid_at: Option<u64>,
    /// From the start of the look to the last block that is not zero.
    pub(super) torn_bytes: u64,
}

/// Looks at every block from `from` to the cursor's limit, stopping at the first valid batch.
pub(super) fn look(cursor: &mut Cursor, from: u64, epoch: u64, least_number: u64) -> Result<Tail> {
    let mut tail = Tail::default();
    let mut at = from;
    while at < cursor.limit() {
        let block = cursor.bytes(at, BLOCK)?;
        if block.is_empty() {
            break;
        }
        if block != &ZERO_BLOCK[..block.len()] {
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
    }
    Ok(tail)
}
