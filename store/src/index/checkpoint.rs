//! Both ends of a checkpoint that need the index: freezing what changed, and taking in what became of it.

use std::sync::Arc;

use super::key::{PRODUCER, PageKey};
use super::snapshot::{Body, Snapshot, Stop, Work, Written};
use super::source::Source;
use crate::index::Index;
use crate::index::control::Image;
use crate::journal::After;

impl Index {
    /// Freezes what changed since the last checkpoint. Quick, no I/O (it waits for the database if that is still opening).
    /// `after` is where a replay would go on from: everything before it has been applied. One checkpoint at a time; also
    /// allowed in the middle of a long replay.
    pub(crate) fn begin_checkpoint(&mut self, after: After) -> Snapshot {
        let generation = match self.source.ready() {
            Ok(generation) => generation.map(Arc::clone),
            Err(error) => {
                return Snapshot {
                    work: Err(error.to_string()),
                };
            }
        };
        let anew = self.begin_anew || generation.is_none();
        let (mut kept, mut lookups) = (Vec::new(), Vec::new());
        let entries = self.queues.freeze(anew, &mut kept);
        let staged = self.staged.freeze(anew, &mut kept);
        self.producers.freeze(&mut lookups);
        self.outcomes.freeze(&mut lookups);
        let entries = entries
            .into_iter()
            .map(|(key, page)| (key, page.map_or(Body::Gone, Body::Entries)));
        let staged = staged
            .into_iter()
            .map(|(key, body)| (key, body.map_or(Body::Gone, Body::Staged)));
        let work = Work {
            place: self.source.place().clone(),
            boot_id: self.boot_id.clone(),
            generation,
            stable: self.stable.clone(),
            anew,
            proven: self.proven,
            image: self.image(after),
            pages: entries.chain(staged).collect(),
            kept,
            lookups,
        };
        Snapshot { work: Ok(work) }
    }

    fn image(&self, after: After) -> Image {
        Image {
            after,
            next_queue: self.queues.next(),
            next_staged: self.staged.next(),
            queues: self.queues.image(),
            segments: self.segments.iter().collect(),
            staged: self.staged.image(),
            ..Image::default()
        }
    }

    /// Takes in what became of a checkpoint. True: it is stable, and segments before `after` may be reclaimed. False: nothing
    /// is lost, and the next one tries again.
    pub(crate) fn finish_checkpoint(&mut self, written: Written) -> bool {
        let stable = written.end.is_ok();
        for (key, mark) in written.pages {
            match key {
                PageKey::Entries { queue, page } => self.queues.thaw((queue, page), mark, stable),
                PageKey::Staged { transaction, chunk } => {
                    self.staged.thaw(transaction, chunk, mark, stable)
                }
            }
        }
        for key in written.lookups {
            match key.first() {
                Some(&PRODUCER) => self.producers.thaw(&key, stable),
                _ => self.outcomes.thaw(&key, stable),
            }
        }
        self.staged.thawed(stable);
        match written.end {
            Ok(stable) => {
                self.stable = Some(stable.control);
                self.source.switch(stable.generation);
                self.begin_anew = stable.bloated;
                self.proven = true;
                self.warned = false;
                self.queues.evict();
                self.producers.evict();
                self.outcomes.evict();
            }
            Err(stop) => self.failed(stop),
        }
        stable
    }

    /// Closes the database: from here on this index touches no file.
    pub(crate) fn close(&mut self) {
        self.source = Source::empty(self.source.place().clone());
    }

    fn failed(&mut self, stop: Stop) {
        let reason = match stop {
            Stop::Before(reason) => reason,
            Stop::Midway(reason) => {
                // The tallies no longer fit the database, and need not: everything is written anew.
                self.begin_anew = true;
                self.proven = true;
                reason
            }
            Stop::Damage(reason) => {
                self.source.condemn(reason);
                return;
            }
            Stop::Ended(error) => error.to_string(),
        };
        if !self.warned {
            tracing::warn!(%reason, "no checkpoint of the index: what it holds stays in memory, and the journal grows");
        }
        self.warned = true;
    }
}
