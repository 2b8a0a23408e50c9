//! A checkpoint: what changed, frozen; the steps that write it; and what became of it.
//!
//! Into the generation that is there: control `updating`, the pages, sync, still the holder?, control `stable`. Into a new
//! one: all of it, sync, still the holder?, control `stable`; the old one is good until then. No step is needed to be
//! undone: whatever was reached, the control file on disk tells the truth about it. So it can be given up between any two
//! steps when the store ends; what was begun in the database is given up only when there is no time at all.

use std::collections::HashSet;
use std::sync::Arc;

use super::control::{Control, Image, Updating, put_after};
use super::database::{Change, Database, Form, Trouble};
use super::generation::{Generation, Place, form_of};
use super::key::{AT, OUTCOME, PRODUCER, PageKey, open_value, seal_value};
use super::lookup::Frozen;
use super::page::{Page, PageMark};
use super::source::read_page;
use super::survey;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::limits::{
    DATABASE_BATCH_OPS, DATABASE_BLOAT_BYTES, DATABASE_BLOAT_FACTOR, DATABASE_SPARE_BYTES,
    FILE_INDEX_BYTES,
};
use crate::signals::Patience;

/// Everything that a checkpoint has to write, frozen by [`crate::index::Index::begin_checkpoint`].
pub(crate) struct Snapshot {
    pub(super) work: Result<Work, Trouble>,
}

/// The frozen things.
pub(super) struct Work {
    pub(super) place: Place,
    pub(super) boot_id: String,
    /// Where pages are now.
    pub(super) generation: Option<Arc<Generation>>,
    /// The last stable control file, as of that generation.
    pub(super) stable: Option<Arc<Control>>,
    /// Write a new generation.
    pub(super) anew: bool,
    /// Producers and outcomes in the database were counted before.
    pub(super) proven: bool,
    /// As it is to be, with placeholders for the marks of `pages` and the tallies.
    pub(super) image: Image,
    pub(super) pages: Vec<(PageKey, Body)>,
    /// Pages that a new generation has to copy.
    pub(super) kept: Vec<(PageKey, PageMark)>,
    pub(super) lookups: Vec<Frozen>,
}

/// What a page is to be.
pub(super) enum Body {
    Entries(Arc<Page>),
    Staged(Vec<u8>),
    Gone,
}

/// What became of a checkpoint; hand it to [`crate::index::Index::finish_checkpoint`].
pub(crate) struct Written {
    pub(super) end: Result<Stable, Stop>,
    pub(super) pages: Vec<(PageKey, Option<PageMark>)>,
    pub(super) lookups: Vec<Vec<u8>>,
}

/// A checkpoint that counts.
pub(super) struct Stable {
    pub(super) control: Arc<Control>,
    pub(super) generation: Arc<Generation>,
    /// The database is much larger than what is in it.
    pub(super) bloated: bool,
}

/// Why a checkpoint does not count.
pub(super) enum Stop {
    /// No longer the holder, or the store ends.
    Ended(Error),
    /// Nothing was touched.
    Before(Trouble),
    /// The generation may be a mixture now; what is in memory is whole.
    Midway(Trouble),
    /// What the generation holds is not what was written to it.
    Damage(Trouble),
}

impl Snapshot {
    /// Writes it. Slow; needs no lock on the index.
    ///
    /// # Errors
    /// Only what `verify` says (then do nothing more with the store). Trouble with files or the database is in `Written`.
    pub(crate) fn write(self, verify: &dyn Fn() -> Result<()>) -> Result<Written> {
        self.write_while(verify, &|| Patience::Plenty)
    }

    /// As [`Snapshot::write`], as long as there is patience.
    ///
    /// # Errors
    /// As [`Snapshot::write`], and [`Error::Closed`] when it was given up. The index cannot be used any more then.
    pub(crate) fn write_while(
        self,
        verify: &dyn Fn() -> Result<()>,
        patience: &dyn Fn() -> Patience,
    ) -> Result<Written> {
        let watch = Watch { verify, patience };
        let mut work = match self.work {
            Ok(work) => work,
            Err(reason) => {
                let end = Err(Stop::Before(reason));
                return Ok(Written {
                    end,
                    pages: Vec::new(),
                    lookups: Vec::new(),
                });
            }
        };
        let (pages, values) = work.encode_pages(&watch)?;
        let end = if work.anew {
            work.write_anew(values, &watch)
        } else {
            work.write_changes(&pages, values, &watch)
        };
        if let Err(Stop::Ended(error)) = end {
            return Err(error);
        }
        Ok(Written {
            end,
            pages,
            lookups: work.lookups.into_iter().map(|(key, _)| key).collect(),
        })
    }
}

/// Asked between the steps.
struct Watch<'a> {
    verify: &'a dyn Fn() -> Result<()>,
    patience: &'a dyn Fn() -> Patience,
}

impl Watch<'_> {
    fn verify(&self) -> Result<(), Stop> {
        (self.verify)().map_err(Stop::Ended)
    }

    /// Where nothing has been written that counts: ends as soon as the store does.
    fn before(&self) -> Result<()> {
        match (self.patience)() {
            Patience::Plenty => Ok(()),
            Patience::Little | Patience::Gone => Err(Error::Closed),
        }
    }

    /// In the middle of changing the generation that counts.
    fn midway(&self) -> Result<(), Stop> {
        match (self.patience)() {
            Patience::Plenty | Patience::Little => Ok(()),
            Patience::Gone => Err(Stop::Ended(Error::Closed)),
        }
    }
}

/// Pages with their marks, and all values to be written.
type Encoded = (Vec<(PageKey, Option<PageMark>)>, Vec<Change>);

impl Work {
    /// Values of the frozen pages; their marks go into the image.
    fn encode_pages(&mut self, watch: &Watch<'_>) -> Result<Encoded> {
        let (mut marks, mut values) = (Vec::new(), Vec::new());
        for (key, body) in std::mem::take(&mut self.pages) {
            watch.before()?;
            let bytes = key.to_bytes();
            let (value, mark) = match body {
                Body::Gone => (None, None),
                Body::Entries(page) => {
                    let (value, crc) = seal_value(&bytes, &page.encode());
                    (Some(value), Some(page.mark(crc)))
                }
                Body::Staged(body) => {
                    let (value, crc) = seal_value(&bytes, &body);
                    (
                        Some(value),
                        Some(PageMark {
                            crc,
                            ..PageMark::default()
                        }),
                    )
                }
            };
            if let Some(mark) = mark {
                self.image.set_mark(key, mark);
            }
            marks.push((key, mark));
            values.push((bytes, value));
        }
        Ok((marks, values))
    }

    fn write_changes(
        &mut self,
        pages: &[(PageKey, Option<PageMark>)],
        mut values: Vec<Change>,
        watch: &Watch<'_>,
    ) -> Result<Stable, Stop> {
        let (Some(generation), Some(stable)) = (self.generation.clone(), self.stable.clone())
        else {
            return Err(Stop::Before("there is no generation to write to".into()));
        };
        watch.verify()?;
        self.place.tidy(&[&generation.name, &stable.generation]);
        let existing = generation.database.bytes_on_disk().unwrap_or(0);
        self.check_space(&values, form_of(&generation.name), existing)?;
        self.prove(&*generation.database, &stable, watch)?;
        (self.image.producers, self.image.outcomes) =
            (stable.image.producers, stable.image.outcomes);
        values.extend(self.encode_lookups(&*generation.database, watch)?);
        let control = self.control(&generation.name);
        let updating = Updating {
            after: self.image.after,
            pages: pages.to_vec(),
            producers: self.image.producers,
            outcomes: self.image.outcomes,
        };
        let image = stable.image.clone();
        let updating = Control {
            image,
            updating: Some(updating),
            ..control.clone()
        };
        watch.before().map_err(Stop::Ended)?;
        updating
            .write(&*self.place.fs, &self.place.dir)
            .map_err(Stop::Midway)?;
        let midway = || watch.midway();
        self.write_values(&*generation.database, values, &midway)?;
        self.conclude(generation, control, watch)
    }

    fn write_anew(&mut self, mut values: Vec<Change>, watch: &Watch<'_>) -> Result<Stable, Stop> {
        let old = self.generation.clone();
        watch.verify()?;
        let current = [
            old.as_ref().map(|old| &old.name),
            self.stable.as_ref().map(|stable| &stable.generation),
        ];
        let current: Vec<&str> = current.into_iter().flatten().map(String::as_str).collect();
        self.place.tidy(&current);
        let size = self.estimate();
        self.check_space(&values, self.place.suited(size), 0)?;
        if let (Some(old), Some(stable)) = (&old, &self.stable) {
            self.prove(&*old.database, stable, watch)?;
        }
        let generation = Arc::new(self.place.create(size).map_err(Stop::Midway)?);
        values.retain(|(_, value)| value.is_some());
        values.extend(self.encode_lookups(&*generation.database, watch)?);
        values.retain(|(_, value)| value.is_some());
        if let Some(old) = old {
            self.copy_kept(&old, &*generation.database, watch)?;
        }
        // Nothing says yet that this generation counts.
        let before = || watch.before().map_err(Stop::Ended);
        self.write_values(&*generation.database, values, &before)?;
        self.place
            .sync_new(&generation.name)
            .map_err(Stop::Midway)?;
        let control = self.control(&generation.name);
        self.conclude(generation, control, watch)
    }

    /// The last steps: still the holder, and the control file says so.
    fn conclude(
        &self,
        generation: Arc<Generation>,
        control: Control,
        watch: &Watch<'_>,
    ) -> Result<Stable, Stop> {
        watch.verify()?;
        control
            .write(&*self.place.fs, &self.place.dir)
            .map_err(Stop::Midway)?;
        let bloated = is_bloated(&*generation.database, &control)
            || self
                .place
                .is_misplaced(&generation.name, content(&control.image));
        Ok(Stable {
            control: Arc::new(control),
            generation,
            bloated,
        })
    }

    fn control(&self, generation: &str) -> Control {
        Control {
            epoch: self.place.epoch,
            boot_id: self.boot_id.clone(),
            generation: generation.to_owned(),
            image: self.image.clone(),
            updating: None,
        }
    }

    /// How large the index will be: producers and outcomes, which are counted only as they are written, as they were, and
    /// the new ones.
    fn estimate(&self) -> u64 {
        let known = self.stable.as_ref().map(|stable| &stable.image);
        let others = known.map_or(0, |image| image.producers.count + image.outcomes.count);
        content(&self.image) + (others + self.lookups.len() as u64) * 128
    }

    /// A full disk must show before the database sees it.
    fn check_space(&self, values: &[Change], form: Form, existing: u64) -> Result<(), Stop> {
        let changed: usize = values
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        let kept = self.kept.len() as u64 * 4096;
        let spare = match form {
            // Written whole beside the old one.
            Form::File => FILE_INDEX_BYTES + existing,
            Form::Sled => DATABASE_SPARE_BYTES,
        };
        let needed = spare + DATABASE_BLOAT_FACTOR * (changed as u64 + kept);
        // Nothing is known of the directory before it is there; its parent is on the same disk.
        let dir = self.place.dir.parent().unwrap_or(&self.place.dir);
        match self.place.fs.available_space(dir) {
            Ok(available) if available < needed => Err(Stop::Before(format!(
                "{available} bytes of disk are left, a checkpoint may take {needed}"
            ))),
            _ => Ok(()),
        }
    }

    /// Before the first write: everything that was there must still be there.
    fn prove(
        &self,
        database: &dyn Database,
        stable: &Control,
        watch: &Watch<'_>,
    ) -> Result<(), Stop> {
        if self.proven {
            return Ok(());
        }
        let go_on = || watch.before().is_ok();
        let found = survey::tallies(database, &go_on).map_err(Stop::Damage)?;
        watch.before().map_err(Stop::Ended)?;
        let want = (stable.image.producers, stable.image.outcomes);
        if found == want {
            return Ok(());
        }
        Err(Stop::Damage(format!(
            "producers and outcomes are {found:?}, want {want:?}"
        )))
    }

    /// Values of what is looked up; the tallies follow what they replace in `database`.
    fn encode_lookups(
        &mut self,
        database: &dyn Database,
        watch: &Watch<'_>,
    ) -> Result<Vec<Change>, Stop> {
        let mut values = Vec::with_capacity(self.lookups.len());
        for (key, body) in &self.lookups {
            watch.before().map_err(Stop::Ended)?;
            let tally = tally_of(&mut self.image, key);
            if let Some(old) = database.get(key).map_err(Stop::Damage)? {
                let (_, crc) = open_value(key, &old)
                    .ok_or_else(|| Stop::Damage("a looked-up value is damaged".into()))?;
                tally.sub(crc);
            }
            let value = body.as_ref().map(|body| seal_value(key, body));
            if let Some((_, crc)) = &value {
                tally.add(*crc);
            }
            values.push((key.clone(), value.map(|(value, _)| value)));
        }
        Ok(values)
    }

    /// Copies what did not change, proving it on the way.
    fn copy_kept(
        &mut self,
        old: &Generation,
        new: &dyn Database,
        watch: &Watch<'_>,
    ) -> Result<(), Stop> {
        let mut batch = Vec::with_capacity(DATABASE_BATCH_OPS);
        for (key, mark) in &self.kept {
            watch.before().map_err(Stop::Ended)?;
            let body = read_page(old, *key, *mark).map_err(Stop::Damage)?;
            let key = key.to_bytes();
            let (value, _) = seal_value(&key, &body);
            batch.push((key, Some(value)));
            write_full_batch(new, &mut batch).map_err(Stop::Midway)?;
        }
        let changed: HashSet<&[u8]> = self.lookups.iter().map(|(key, _)| key.as_slice()).collect();
        let image = &mut self.image;
        let mut failed = None;
        for kind in [OUTCOME, PRODUCER] {
            let scanned = old.database.scan(&[kind], &mut |key, value| {
                if key.first() != Some(&kind) || failed.is_some() {
                    return false;
                }
                if changed.contains(key) {
                    return true;
                }
                if let Err(ending) = watch.before() {
                    failed = Some(Stop::Ended(ending));
                    return false;
                }
                failed = match open_value(key, value) {
                    Some((_, crc)) => {
                        tally_of(image, key).add(crc);
                        batch.push((key.to_vec(), Some(value.to_vec())));
                        write_full_batch(new, &mut batch).err().map(Stop::Midway)
                    }
                    None => Some(Stop::Damage("a looked-up value is damaged".into())),
                };
                true
            });
            scanned.map_err(Stop::Damage)?;
        }
        match failed {
            Some(stop) => Err(stop),
            None => new.write(batch).map_err(Stop::Midway),
        }
    }

    /// Writes values in batches that sled can bear, the place last, and syncs. Each batch reaches the file at once, so that
    /// neither the sync at the end nor giving up between two of them takes long.
    fn write_values(
        &self,
        database: &dyn Database,
        values: Vec<Change>,
        go_on: &dyn Fn() -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut values = values.into_iter();
        loop {
            let batch: Vec<Change> = values.by_ref().take(DATABASE_BATCH_OPS).collect();
            if batch.is_empty() {
                break;
            }
            go_on()?;
            database.write(batch).map_err(Stop::Midway)?;
            database.push().map_err(Stop::Midway)?;
        }
        let mut place = Vec::new();
        put_after(&mut place, self.image.after);
        let (value, _) = seal_value(AT, &place);
        go_on()?;
        database
            .write(vec![(AT.to_vec(), Some(value))])
            .map_err(Stop::Midway)?;
        database.sync().map_err(Stop::Midway)
    }
}

fn tally_of<'a>(image: &'a mut Image, key: &[u8]) -> &'a mut Tally {
    if key.first() == Some(&PRODUCER) {
        &mut image.producers
    } else {
        &mut image.outcomes
    }
}

fn write_full_batch(database: &dyn Database, batch: &mut Vec<Change>) -> Result<(), Trouble> {
    if batch.len() < DATABASE_BATCH_OPS {
        return Ok(());
    }
    database.write(std::mem::take(batch))
}

/// What is in an index, in bytes, about.
fn content(image: &Image) -> u64 {
    let messages: u64 = image
        .queues
        .iter()
        .map(|queue| queue.count * 10 + queue.pages.len() as u64 * 64)
        .sum();
    let staged: u64 = image
        .staged
        .iter()
        .map(|staged| staged.operations * 16)
        .sum();
    let others = (image.producers.count.saturating_add(image.outcomes.count)).saturating_mul(128);
    messages.saturating_add(staged).saturating_add(others)
}

/// Whether a new generation would be much smaller.
fn is_bloated(database: &dyn Database, control: &Control) -> bool {
    let content = DATABASE_BLOAT_FACTOR.saturating_mul(content(&control.image));
    let limit = DATABASE_BLOAT_BYTES.saturating_add(content);
    database.bytes_on_disk().is_ok_and(|bytes| bytes > limit)
}
