//! A look through a whole database: proves it against the control file, and counts anew what a half-written checkpoint left.
//!
//! While a checkpoint is under way each page is as of the old place or as of the new one; anything else is damage. Replaying
//! from the old place leads to the same state from every such mixture, because records are absolute.

use std::collections::BTreeMap;

use super::control::{Control, Image, QueueImage};
use super::database::{Database, Trouble};
use super::key::{AT, OUTCOME, PRODUCER, PageKey, open_value};
use super::lookup::Known;
use super::outcome_table::Ended;
use super::page::{Page, PageMark};
use super::producer_table::Producer;
use super::segment_use::{NOTE_BYTES, Segments, message_bytes};
use super::staged::decode_chunk;
use super::tally::Tally;
use crate::limits::STAGED_CHUNK;
use crate::position::{QueueId, StagedId};

/// What was found.
#[derive(Default)]
pub(super) struct Survey {
    pages: BTreeMap<PageKey, PageMark>,
    counts: BTreeMap<QueueId, Count>,
    segments: Segments,
    producers: Tally,
    outcomes: Tally,
}

#[derive(Clone, Copy, Default)]
struct Count {
    count: u64,
    bytes: u64,
}

impl Survey {
    /// Looks through all of it.
    ///
    /// # Errors
    /// Trouble with the database, or a value that is damaged in itself.
    pub(super) fn of(database: &dyn Database, control: &Control) -> Result<Self, Trouble> {
        let staged: BTreeMap<_, _> = control
            .image
            .staged
            .iter()
            .map(|image| (image.id, image.operations))
            .collect();
        let mut survey = Self::default();
        let mut damaged = None;
        database.scan(&[], &mut |key, value| {
            let taken = survey.take_in(key, value, &staged);
            damaged = taken.is_none().then(|| key.to_vec());
            damaged.is_none()
        })?;
        match damaged {
            Some(key) => Err(format!(
                "the value of key {:?} is damaged",
                String::from_utf8_lossy(&key)
            )),
            None => Ok(survey),
        }
    }

    /// None if the value is damaged.
    fn take_in(
        &mut self,
        key: &[u8],
        value: &[u8],
        staged: &BTreeMap<StagedId, u64>,
    ) -> Option<()> {
        let (body, crc) = open_value(key, value)?;
        match *key.first()? {
            PRODUCER => {
                self.producers.add(crc);
                self.segments
                    .add(Producer::decode(body)?.segment(), NOTE_BYTES);
            }
            OUTCOME => {
                self.outcomes.add(crc);
                self.segments
                    .add(Ended::decode(body)?.segment(), NOTE_BYTES);
            }
            _ if key == AT => {}
            _ => match PageKey::from_bytes(key)? {
                key @ PageKey::Entries { queue, .. } => {
                    self.take_in_page(key, queue, &Page::decode(body)?, crc)
                }
                key @ PageKey::Staged { transaction, chunk } => {
                    self.pages.insert(
                        key,
                        PageMark {
                            crc,
                            ..PageMark::default()
                        },
                    );
                    let operations = decode_chunk(body)?;
                    // What was staged after the place that is replayed from will be staged again.
                    let count = staged.get(&transaction).copied().unwrap_or(0);
                    let count = count.saturating_sub(chunk.saturating_mul(STAGED_CHUNK as u64));
                    for operation in operations
                        .iter()
                        .take(usize::try_from(count).unwrap_or(usize::MAX))
                    {
                        let (segment, bytes) = operation.pinned();
                        self.segments.add(segment, bytes);
                    }
                }
            },
        }
        Some(())
    }

    fn take_in_page(&mut self, key: PageKey, queue: QueueId, page: &Page, crc: u32) {
        self.pages.insert(key, page.mark(crc));
        let count = self.counts.entry(queue).or_default();
        for (_, slot) in page.iter_from(0) {
            count.count += 1;
            count.bytes += u64::from(slot.len);
            self.segments
                .add(slot.position.segment, message_bytes(slot.len));
        }
    }

    /// Compares what was found with what must be there.
    ///
    /// # Errors
    /// The first difference, for the log.
    pub(super) fn prove(&self, control: &Control, same_boot: bool) -> Result<(), Trouble> {
        let stable: BTreeMap<_, _> = control.pages().collect();
        let changed: BTreeMap<_, _> = control
            .updating
            .iter()
            .flat_map(|updating| updating.pages.iter().copied())
            .collect();
        for (key, mark) in &stable {
            let found = self.pages.get(key);
            let as_before = found.is_some_and(|found| found.crc == mark.crc);
            let as_after = changed
                .get(key)
                .is_some_and(|after| after.map(|mark| mark.crc) == found.map(|mark| mark.crc));
            if !as_before && !as_after {
                return Err(format!(
                    "{key:?}: found {found:?}, want {mark:?} or what the last checkpoint made of it"
                ));
            }
        }
        for (key, found) in &self.pages {
            let is_left_over = matches!(key, PageKey::Staged { .. });
            let as_after = changed
                .get(key)
                .is_some_and(|after| after.is_some_and(|mark| mark.crc == found.crc));
            if !stable.contains_key(key) && !as_after && !is_left_over {
                return Err(format!("{key:?} is there and should not be"));
            }
        }
        self.prove_tallies(control, same_boot)
    }

    fn prove_tallies(&self, control: &Control, same_boot: bool) -> Result<(), Trouble> {
        let found = (self.producers, self.outcomes);
        if found == (control.image.producers, control.image.outcomes) {
            return Ok(());
        }
        match &control.updating {
            Some(updating) if found == (updating.producers, updating.outcomes) => Ok(()),
            // A mixture of before and after, which only the page cache of this very run of the host can vouch for.
            Some(_) if same_boot => Ok(()),
            Some(_) => Err(
                "a checkpoint was cut off by the end of its host, and not all of it is there"
                    .into(),
            ),
            None => Err(format!(
                "producers and outcomes are {found:?}, the control file says otherwise"
            )),
        }
    }

    /// What is in this database, to be replayed onto from the stable place.
    pub(super) fn image(mut self, control: &Control) -> Image {
        let mut image = control.image.clone();
        image.producers = self.producers;
        image.outcomes = self.outcomes;
        for staged in &mut image.staged {
            let key = |chunk| PageKey::Staged {
                transaction: staged.id,
                chunk,
            };
            let marks = (0u64..)
                .zip(&staged.chunks)
                .map(|(chunk, old)| *self.pages.get(&key(chunk)).unwrap_or(old));
            staged.chunks = marks.collect();
        }
        let mut queues: BTreeMap<QueueId, QueueImage> = image
            .queues
            .drain(..)
            .map(|queue| {
                (
                    queue.id,
                    QueueImage {
                        pages: Vec::new(),
                        ..queue
                    },
                )
            })
            .collect();
        for (key, mark) in &self.pages {
            // A queue that the stable place does not know yet gets its name in the replay.
            if let PageKey::Entries { queue, page } = key {
                let queue = queues.entry(*queue).or_insert_with(|| QueueImage {
                    id: *queue,
                    ..QueueImage::default()
                });
                queue.pages.push((*page, *mark));
            }
        }
        for queue in queues.values_mut() {
            let found = self.counts.get(&queue.id).copied().unwrap_or_default();
            (queue.count, queue.bytes) = (found.count, found.bytes);
            let named = queue.name.as_ref().map(|(_, segment)| *segment);
            let marked = queue.mark.map(|(_, segment)| segment);
            named
                .iter()
                .chain(&marked)
                .for_each(|segment| self.segments.add(*segment, NOTE_BYTES));
        }
        image.queues = queues.into_values().collect();
        image.segments = self.segments.iter().collect();
        image
    }
}

/// Counts producers and outcomes only.
///
/// # Errors
/// Trouble with the database, or a damaged value.
pub(super) fn tallies(
    database: &dyn Database,
    go_on: &dyn Fn() -> bool,
) -> Result<(Tally, Tally), Trouble> {
    let (mut producers, mut outcomes, mut damaged) = (Tally::default(), Tally::default(), false);
    for (kind, tally) in [(PRODUCER, &mut producers), (OUTCOME, &mut outcomes)] {
        database.scan(&[kind], &mut |key, value| {
            if key.first() != Some(&kind) {
                return false;
            }
            match open_value(key, value) {
                Some((_, crc)) => tally.add(crc),
                None => damaged = true,
            }
            !damaged && go_on()
        })?;
    }
    if damaged {
        Err("a producer or outcome is damaged".into())
    } else {
        Ok((producers, outcomes))
    }
}
