//! The size in front of every frame. Checked before anything is allocated.

use crate::error::Error;

/// Bytes of the size.
pub(crate) const PREFIX: usize = 4;

/// Reads the size prefix at the start of `buf`: how many bytes the frame has
/// after the prefix. `None` when the prefix is not complete yet.
///
/// # Errors
/// The size is negative or above `max`; nothing has been allocated for it.
pub fn frame_length(buf: &[u8], max: usize) -> Result<Option<usize>, Error> {
    let Some(prefix) = buf.first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let size = i32::from_be_bytes(*prefix);
    let length = usize::try_from(size).map_err(|_| Error::NegativeFrame { size })?;
    if length > max {
        return Err(Error::FrameTooLarge {
            size: length,
            limit: max,
        });
    }
    Ok(Some(length))
}
