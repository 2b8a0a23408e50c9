//! Things found by an opaque id, any number of them: those that changed or were asked for lately are in memory, the others
//! are fetched from the database on a miss.
//!
//! What is not yet in the database is never dropped; the rest is dropped when there is too much of it. It does not know
//! what it keeps beyond the segment and the age of each thing.

use std::collections::HashMap;

use super::dirt::Dirt;
use super::key::{lookup_key, open_value};
use super::segment_use::{NOTE_BYTES, Segments};
use super::source::Source;
use crate::error::Result;
use crate::limits::{DIRTY_NOTE_BYTES, EXPIRE_STEP, LOOKUP_CACHE_ENTRIES};
use crate::position::SegmentNumber;

/// A kind of thing that is looked up.
pub(super) trait Known: Copy + PartialEq {
    /// First byte of its keys.
    const KIND: u8;

    fn encode(&self) -> Vec<u8>;

    fn decode(body: &[u8]) -> Option<Self>;

    /// The segment that it pins.
    fn segment(&self) -> SegmentNumber;

    /// When it was last heard of.
    fn time_ms(&self) -> u64;
}

/// A key and the body of its new value, or none if it is to go.
pub(super) type Frozen = (Vec<u8>, Option<Vec<u8>>);

/// All things of one kind.
pub(super) struct Lookup<V> {
    cached: HashMap<Box<[u8]>, Cached<V>>,
    dirty: Vec<Box<[u8]>>,
    /// Reused, so that a hit allocates nothing.
    key: Vec<u8>,
    /// Where the next look for old ones begins.
    sweep: Vec<u8>,
}

struct Cached<V> {
    /// None: unknown, or to be removed from the database.
    value: Option<V>,
    dirt: Dirt,
}

impl<V: Known> Lookup<V> {
    pub(super) fn new() -> Self {
        Self {
            cached: HashMap::new(),
            dirty: Vec::new(),
            key: Vec::new(),
            sweep: vec![V::KIND],
        }
    }

    pub(super) fn get(&mut self, source: &mut Source, id: &[u8]) -> Result<Option<V>> {
        let mut key = std::mem::take(&mut self.key);
        lookup_key(V::KIND, id, &mut key);
        let found = self.by_key(source, &key).map(|cached| cached.value);
        self.key = key;
        found
    }

    /// Replaces what is known under an id by what `change` makes of it, and moves the pin with it.
    pub(super) fn change(
        &mut self,
        source: &mut Source,
        segments: &mut Segments,
        id: &[u8],
        change: impl FnOnce(Option<&V>) -> V,
    ) -> Result<()> {
        let mut key = std::mem::take(&mut self.key);
        lookup_key(V::KIND, id, &mut key);
        let changed = self.change_key(source, segments, &key, change);
        self.key = key;
        changed
    }

    /// As [`Lookup::change`], by the key.
    pub(super) fn change_key(
        &mut self,
        source: &mut Source,
        segments: &mut Segments,
        key: &[u8],
        change: impl FnOnce(Option<&V>) -> V,
    ) -> Result<()> {
        let cached = self.by_key(source, key)?;
        let new = change(cached.value.as_ref());
        if cached.value == Some(new) {
            return Ok(());
        }
        let old = cached.value.map(|value| value.segment());
        if old != Some(new.segment()) {
            segments.shift(old, new.segment(), NOTE_BYTES);
        }
        cached.value = Some(new);
        if cached.dirt.touch() {
            self.dirty.push(key.into());
        }
        Ok(())
    }

    fn by_key(&mut self, source: &mut Source, key: &[u8]) -> Result<&mut Cached<V>> {
        // Two lookups on a miss and on a hit: the borrow checker does not see that a hit could return at once.
        if !self.cached.contains_key(key) {
            let value = match source.lookup(key)? {
                Some(body) => Some(
                    V::decode(&body)
                        .ok_or_else(|| source.condemn("a looked-up value is damaged".into()))?,
                ),
                None => None,
            };
            self.cached.insert(
                key.into(),
                Cached {
                    value,
                    dirt: Dirt::Clean,
                },
            );
        }
        Ok(self.cached.get_mut(key).expect("found or just put there"))
    }

    /// Forgets what was not heard of after `through_ms`: looks at some of those in the database, in turn. What is only in
    /// memory is young.
    pub(super) fn expire(
        &mut self,
        source: &mut Source,
        segments: &mut Segments,
        through_ms: u64,
    ) -> Result<()> {
        let (mut old, mut seen, mut next) = (Vec::new(), 0, None);
        source.scan(&self.sweep, &mut |key, value| {
            if key.first() != Some(&V::KIND) {
                return false;
            }
            if seen == EXPIRE_STEP {
                next = Some(key.to_vec());
                return false;
            }
            seen += 1;
            let stored = open_value(key, value).and_then(|(body, _)| V::decode(body));
            if stored.is_some_and(|stored| stored.time_ms() <= through_ms) {
                old.push(key.to_vec());
            }
            true
        })?;
        self.sweep = next.unwrap_or_else(|| vec![V::KIND]);
        old.iter()
            .try_for_each(|key| self.forget(source, segments, key, through_ms))
    }

    /// Forgets what is under a key, unless it was heard of after `through_ms`: a scan of the database may have seen
    /// less than is known by now.
    pub(super) fn forget(
        &mut self,
        source: &mut Source,
        segments: &mut Segments,
        key: &[u8],
        through_ms: u64,
    ) -> Result<()> {
        let cached = self.by_key(source, key)?;
        let Some(value) = cached.value.filter(|value| value.time_ms() <= through_ms) else {
            return Ok(());
        };
        segments.sub(value.segment(), NOTE_BYTES);
        cached.value = None;
        if cached.dirt.touch() {
            self.dirty.push(key.into());
        }
        Ok(())
    }

    /// At most this much memory is waiting for a checkpoint.
    pub(super) fn dirty_bytes(&self) -> usize {
        self.dirty.len() * DIRTY_NOTE_BYTES
    }

    /// Hands everything that changed to a checkpoint.
    pub(super) fn freeze(&mut self, out: &mut Vec<Frozen>) {
        for key in std::mem::take(&mut self.dirty) {
            let Some(cached) = self.cached.get_mut(&key) else {
                continue;
            };
            cached.dirt.freeze();
            out.push((key.into_vec(), cached.value.map(|value| value.encode())));
        }
    }

    /// The checkpoint with this key ended.
    pub(super) fn thaw(&mut self, key: &[u8], stable: bool) {
        if let Some(cached) = self.cached.get_mut(key)
            && cached.dirt.thaw(stable)
        {
            self.dirty.push(key.into());
        }
    }

    /// Drops what the database has, if there is too much of it.
    pub(super) fn evict(&mut self) {
        if self.cached.len() > LOOKUP_CACHE_ENTRIES {
            self.cached.retain(|_, cached| !cached.dirt.is_clean());
            self.cached.shrink_to(LOOKUP_CACHE_ENTRIES);
        }
    }
}
