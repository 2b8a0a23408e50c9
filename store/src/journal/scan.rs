//! Walks all batches of one sealed segment, for compaction.
//!
//! As strict as recovery: the chain must reach the seal. The segment being written cannot be scanned.

use super::chain::{Link, read_sealed};
use super::directory::{Directory, SegmentInfo};
use super::recover::read_whole;
use super::view::View;
use crate::error::{Error, Result};
use crate::limits::COMPACTION_READ_BYTES;
use crate::position::SegmentNumber;
use crate::record::Seal;

/// Hands every batch of segment `number`, in order, to `visit`.
///
/// # Errors
/// `Damaged` when it is not sealed or not whole, `Io`, and what `visit` answers.
pub(crate) fn scan_segment(
    directory: &Directory,
    number: SegmentNumber,
    visit: &mut dyn FnMut(View<'_>) -> Result<()>,
) -> Result<()> {
    let files = directory.segments();
    let Some(info) = files.iter().rev().find(|info| info.number == number) else {
        let what = "the segment is not there".to_owned();
        return Err(Error::Damaged {
            path: directory.path_of_number(number),
            offset: 0,
            what,
        });
    };
    let link = read_sealed(directory, info, &mut 0)?;
    let seal = seal_of(directory, &link, &files)?;
    read_whole(directory, &link, seal, COMPACTION_READ_BYTES, visit)
}

/// What the segment after this one says about it.
fn seal_of(directory: &Directory, link: &Link, files: &[SegmentInfo]) -> Result<Seal> {
    for later in files.iter().filter(|info| info.number > link.info.number) {
        // A spare, or what a replaced master left: not the successor.
        let Ok(later) = read_sealed(directory, later, &mut 0) else {
            continue;
        };
        if (later.seal.segment, later.seal.epoch) == (link.info.number, link.info.epoch) {
            return Ok(later.seal);
        }
    }
    Err(Error::Damaged {
        path: directory.path_of(&link.info),
        offset: 0,
        what: "no later segment seals it".into(),
    })
}
