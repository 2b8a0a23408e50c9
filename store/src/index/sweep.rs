//! Which outcomes are to be forgotten: the old ones, and the oldest of all while there are too many.
//!
//! Looks through all that are in the database, beside the lock on the index, because that may take a while; the index
//! forgets what was found a piece at a time ([`Index::forget_outcomes`]). What is in memory only is younger than all of
//! them and is left alone: there is never more of it than the journal took between two checkpoints.

use std::sync::Arc;
use std::time::Duration;

use super::database::{Database, Trouble};
use super::generation::Generation;
use super::key::{OUTCOME, open_value};
use super::lookup::Known;
use super::outcome_table::Ended;
use crate::clock;
use crate::error::Result;
use crate::index::Index;

/// One look through the outcomes.
pub(crate) struct Sweep {
    generation: Arc<Generation>,
    now_ms: u64,
    age: Duration,
    limit: usize,
}

/// What a look through the outcomes has found.
pub(crate) struct Swept {
    /// Keys of those to be forgotten.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Only if they are no younger than this: they may have been heard of again meanwhile.
    pub(crate) through_ms: u64,
    /// When the next look is worth it, if there are not too many before.
    next_ms: u64,
}

impl Index {
    /// Whether there may be outcomes to be forgotten.
    pub(crate) fn is_sweep_due(&self, now_ms: u64) -> bool {
        let stored = self
            .stable
            .as_ref()
            .map_or(0, |stable| stable.image.outcomes.count);
        stored > self.outcome_limit as u64 || (stored > 0 && now_ms >= self.next_sweep_ms)
    }

    /// A look through the outcomes, if one is due. Quick; one at a time, and not beside a checkpoint.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn begin_sweep(&mut self, now_ms: u64) -> Result<Option<Sweep>> {
        if !self.is_sweep_due(now_ms) {
            return Ok(None);
        }
        let sweep = self.source.ready()?.map(|generation| Sweep {
            generation: Arc::clone(generation),
            now_ms,
            age: self.outcome_age,
            limit: self.outcome_limit,
        });
        Ok(sweep)
    }

    /// Takes in the result: from here on [`Index::forget_outcomes`] is to be called with its keys.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn finish_sweep(&mut self, swept: Result<Swept, Trouble>) -> Result<Swept> {
        let swept = swept.map_err(|trouble| self.source.condemn(trouble))?;
        self.next_sweep_ms = swept.next_ms;
        Ok(swept)
    }

    /// All of a sweep at once, where nobody else waits for the index.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn sweep(&mut self, now_ms: u64) -> Result<()> {
        let Some(sweep) = self.begin_sweep(now_ms)? else {
            return Ok(());
        };
        let swept = self.finish_sweep(sweep.look())?;
        self.forget_outcomes(&swept.keys, swept.through_ms)
    }

    /// Forgets some of what a sweep has found; the next checkpoint takes it out of the database.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub(crate) fn forget_outcomes(&mut self, keys: &[Vec<u8>], through_ms: u64) -> Result<()> {
        keys.iter().try_for_each(|key| {
            self.outcomes
                .forget(&mut self.source, &mut self.segments, key, through_ms)
        })
    }
}

impl Sweep {
    /// Looks. Slow; needs no lock on the index.
    ///
    /// # Errors
    /// Trouble with the database, or a damaged value.
    pub(crate) fn look(&self) -> Result<Swept, Trouble> {
        self.look_while(&|| true)
    }

    /// As [`Sweep::look`], given up as soon as `go_on` says no: what it answers is of no use then.
    ///
    /// # Errors
    /// As [`Sweep::look`].
    pub(crate) fn look_while(&self, go_on: &dyn Fn() -> bool) -> Result<Swept, Trouble> {
        let database = &*self.generation.database;
        let mut times = Vec::new();
        visit(database, go_on, &mut |_, time_ms| times.push(time_ms))?;
        let (through_ms, mut of_the_last) = self.leaving(&mut times);
        let mut keys = Vec::new();
        let mut oldest_left = self.now_ms;
        visit(database, go_on, &mut |key, time_ms| {
            let last = time_ms == through_ms && of_the_last > 0;
            of_the_last -= usize::from(last);
            if time_ms < through_ms || last {
                keys.push(key.to_vec());
            } else {
                oldest_left = oldest_left.min(time_ms);
            }
        })?;
        // While new ones come all the time one is always about to be too old: not every checkpoint looks for it.
        let soonest = clock::after(self.now_ms, self.age / 10);
        let next_ms = clock::after(oldest_left, self.age).max(soonest);
        Ok(Swept {
            keys,
            through_ms,
            next_ms,
        })
    }

    /// Up to which time all leave, and how many of that very time.
    fn leaving(&self, times: &mut [u64]) -> (u64, usize) {
        let too_old_ms = clock::older_than(self.age, self.now_ms);
        if times.len() <= self.limit {
            return (too_old_ms, usize::MAX);
        }
        // Some more than the limit asks for, so that not every checkpoint has to look.
        let count = times.len() - (self.limit - self.limit / 4);
        let (before, last_ms, _) = times.select_nth_unstable(count - 1);
        if *last_ms <= too_old_ms {
            return (too_old_ms, usize::MAX);
        }
        // Those of one batch have one time: only as many of them as are too many.
        let of_the_last = 1 + before.iter().filter(|time| *time == last_ms).count();
        (*last_ms, of_the_last)
    }
}

/// Visits keys and times of all outcomes in a database.
fn visit(
    database: &dyn Database,
    go_on: &dyn Fn() -> bool,
    seen: &mut dyn FnMut(&[u8], u64),
) -> Result<(), Trouble> {
    let mut damaged = false;
    database.scan(&[OUTCOME], &mut |key, value| {
        if key.first() != Some(&OUTCOME) {
            return false;
        }
        match open_value(key, value).and_then(|(body, _)| Ended::decode(body)) {
            Some(ended) => seen(key, ended.time_ms()),
            None => damaged = true,
        }
        !damaged && go_on()
    })?;
    if damaged {
        return Err("an outcome is damaged".into());
    }
    Ok(())
}
