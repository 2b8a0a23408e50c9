//! All queues and where their messages are.
//!
//! Guaranteed: counts are those of what is in the pages; a page that changed stays in memory until a checkpoint has it; what
//! is put in and taken out between two checkpoints never reaches the database.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::control::QueueImage;
use super::dirt::Dirt;
use super::key::PageKey;
use super::page::{Page, PageMark, Slot, join, split};
use super::page_cache::{PageCache, PageName, Verdict};
use super::queue::{PageSlot, Queue, fetch};
use super::source::Source;
use super::tables::Entry;
use crate::error::Result;
use crate::limits::PAGE_ENTRIES;
use crate::position::{QueueId, Seq};
use crate::summary::QueueSummary;

/// Queue ids are ours and dense: multiplying spreads them well enough.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Queues = HashMap<QueueId, Queue, BuildHasherDefault<IdHasher>>;

/// See the module.
pub(super) struct QueueTable {
    queues: Queues,
    next: QueueId,
    cache: PageCache,
    /// Pages of removed queues that are in the database, or are just being written to it.
    gone: Vec<PageKey>,
}

/// A page for a checkpoint: the page, or none if it is to go.
pub(super) type FrozenPage = (PageKey, Option<Arc<Page>>);

impl QueueTable {
    pub(super) fn new(page_cache_bytes: usize) -> Self {
        Self::from_image(&[], QueueId(1), page_cache_bytes)
    }

    pub(super) fn from_image(
        images: &[QueueImage],
        next: QueueId,
        page_cache_bytes: usize,
    ) -> Self {
        Self {
            queues: images
                .iter()
                .map(|image| (image.id, Queue::from_image(image)))
                .collect(),
            next,
            cache: PageCache::new(page_cache_bytes),
            gone: Vec::new(),
        }
    }

    pub(super) fn next(&self) -> QueueId {
        self.next
    }

    pub(super) fn get(&self, id: QueueId) -> Option<&Queue> {
        self.queues.get(&id)
    }

    pub(super) fn summaries(&self) -> Vec<QueueSummary> {
        let mut all: Vec<_> = self
            .queues
            .iter()
            .filter_map(|(id, queue)| queue.summary(*id))
            .collect();
        all.sort_unstable_by_key(|queue| queue.id);
        all
    }

    /// Queues that no record has named.
    pub(super) fn nameless(&self) -> Vec<QueueId> {
        let nameless = self.queues.iter().filter(|(_, queue)| queue.name.is_none());
        nameless.map(|(id, _)| *id).collect()
    }

    /// A queue by id; created without a name if it is not there: in a replay its record may come later.
    pub(super) fn get_or_create(&mut self, id: QueueId) -> &mut Queue {
        self.next = self.next.max(QueueId(id.0.saturating_add(1)));
        self.queues.entry(id).or_default()
    }

    /// Takes a queue out and shows all that was in it, page by page: it may be more than fits in memory.
    pub(super) fn remove(
        &mut self,
        source: &mut Source,
        id: QueueId,
        mut visit: impl FnMut(&Slot),
    ) -> Result<Option<Queue>> {
        self.next = self.next.max(QueueId(id.0.saturating_add(1)));
        let Some(mut queue) = self.queues.remove(&id) else {
            return Ok(None);
        };
        for (number, slot) in std::mem::take(&mut queue.pages) {
            if slot.stored.is_some() || slot.dirt.is_writing() {
                self.gone.push(PageKey::Entries {
                    queue: id,
                    page: number,
                });
            }
            match (slot.page, slot.stored) {
                (Some(page), _) => {
                    self.cache.leave(page.memory());
                    page.iter_from(0).for_each(|(_, slot)| visit(slot));
                }
                (None, Some(mark)) => {
                    let page = fetch(source, (id, number), mark)?;
                    page.iter_from(0).for_each(|(_, slot)| visit(slot));
                }
                (None, None) => {}
            }
        }
        Ok(Some(queue))
    }

    /// Stores a message; answers the one of that sequence that it replaces.
    pub(super) fn put(
        &mut self,
        source: &mut Source,
        id: QueueId,
        seq: Seq,
        new: Slot,
    ) -> Result<Option<Slot>> {
        let (number, index) = split(seq);
        self.next = self.next.max(QueueId(id.0.saturating_add(1)));
        let queue = self.queues.entry(id).or_default();
        let slot = queue.pages.entry(number).or_default();
        let page = slot.load(&mut self.cache, source, (id, number))?;
        let before = page.memory();
        let old = Arc::make_mut(page).put(index, new);
        let after = page.memory();
        if before != after {
            self.cache.resized(before, after);
        }
        if slot.dirt.touch() {
            self.cache.list_dirty((id, number));
        }
        if let Some(old) = &old {
            queue.count -= 1;
            queue.bytes -= u64::from(old.len);
        }
        queue.count += 1;
        queue.bytes += u64::from(new.len);
        queue.next_seq = queue.next_seq.max(seq.next());
        if number > queue.tail {
            let left = std::mem::replace(&mut queue.tail, number);
            queue.emptied(&mut self.cache, left);
            self.keep_in_bounds();
        }
        Ok(old)
    }

    /// Takes a message out.
    pub(super) fn take(
        &mut self,
        source: &mut Source,
        id: QueueId,
        seq: Seq,
    ) -> Result<Option<Slot>> {
        let (number, index) = split(seq);
        let Some(queue) = self.queues.get_mut(&id) else {
            return Ok(None);
        };
        let Some(slot) = queue.pages.get_mut(&number) else {
            return Ok(None);
        };
        let page = slot.load(&mut self.cache, source, (id, number))?;
        if page.get(index).is_none() {
            return Ok(None);
        }
        let page = Arc::make_mut(page);
        let old = page.take(index);
        let empty = page.live() == 0;
        if slot.dirt.touch() {
            self.cache.list_dirty((id, number));
        }
        if let Some(old) = &old {
            queue.count -= 1;
            queue.bytes -= u64::from(old.len);
        }
        if empty {
            queue.emptied(&mut self.cache, number);
        }
        Ok(old)
    }

    /// Sets a redelivery count; an unknown message is ignored.
    pub(super) fn redelivered(
        &mut self,
        source: &mut Source,
        id: QueueId,
        seq: Seq,
        count: u16,
    ) -> Result<()> {
        let (number, index) = split(seq);
        let Some(slot) = self
            .queues
            .get_mut(&id)
            .and_then(|queue| queue.pages.get_mut(&number))
        else {
            return Ok(());
        };
        let page = slot.load(&mut self.cache, source, (id, number))?;
        if page.get(index).is_some()
            && Arc::make_mut(page).set_redeliveries(index, count)
            && slot.dirt.touch()
        {
            self.cache.list_dirty((id, number));
        }
        Ok(())
    }

    /// One message.
    pub(super) fn find(
        &mut self,
        source: &mut Source,
        id: QueueId,
        seq: Seq,
    ) -> Result<Option<Slot>> {
        let (number, index) = split(seq);
        let Some(slot) = self
            .queues
            .get_mut(&id)
            .and_then(|queue| queue.pages.get_mut(&number))
        else {
            return Ok(None);
        };
        let found = slot
            .load(&mut self.cache, source, (id, number))?
            .get(index)
            .copied();
        self.keep_in_bounds();
        Ok(found)
    }

    /// Messages from a sequence on.
    pub(super) fn entries(
        &mut self,
        source: &mut Source,
        id: QueueId,
        from: Seq,
        max: usize,
    ) -> Result<Vec<Entry>> {
        let mut out = Vec::new();
        let (mut number, mut index) = split(from);
        while out.len() < max {
            let Some(queue) = self.queues.get_mut(&id) else {
                break;
            };
            let Some((found, slot)) = queue
                .pages
                .range_mut(number..)
                .find(|(_, slot)| !slot.is_empty())
            else {
                break;
            };
            let found = *found;
            let page = slot.load(&mut self.cache, source, (id, found))?;
            let start = if found == number { index } else { 0 };
            let more = page.iter_from(start).take(max - out.len());
            out.extend(more.map(|(index, slot)| Entry::new(join(found, index), slot)));
            (number, index) = (found + 1, 0);
            self.keep_in_bounds();
        }
        Ok(out)
    }

    /// At most this much memory is waiting for a checkpoint.
    pub(super) fn dirty_bytes(&self) -> usize {
        let page = usize::try_from(PAGE_ENTRIES).unwrap_or(usize::MAX) * size_of::<Slot>();
        self.cache.bytes().min(self.cache.dirty_pages() * page)
    }

    #[cfg(test)]
    pub(super) fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Hands changed pages to a checkpoint, or all that are in memory if `full`; what stays in the old generation is put
    /// into `kept`.
    pub(super) fn freeze(
        &mut self,
        full: bool,
        kept: &mut Vec<(PageKey, PageMark)>,
    ) -> Vec<FrozenPage> {
        let mut frozen: Vec<FrozenPage> = self.gone.drain(..).map(|key| (key, None)).collect();
        let mut names = self.cache.take_dirty();
        if full {
            names = self.names_in_memory(kept);
        }
        for name @ (id, number) in names {
            let Some(queue) = self.queues.get_mut(&id) else {
                continue;
            };
            let Some(slot) = queue.pages.get_mut(&number) else {
                continue;
            };
            if let Some(page) = freeze_page(slot, full) {
                frozen.push((
                    PageKey::Entries {
                        queue: id,
                        page: number,
                    },
                    page,
                ));
            } else if slot.is_void() {
                queue.emptied(&mut self.cache, name.1);
            }
        }
        frozen
    }

    fn names_in_memory(&self, kept: &mut Vec<(PageKey, PageMark)>) -> Vec<PageName> {
        let mut names = Vec::new();
        for (id, queue) in &self.queues {
            for (number, slot) in &queue.pages {
                if slot.page.is_some() {
                    names.push((*id, *number));
                } else {
                    kept.extend(slot.stored.map(|mark| {
                        (
                            PageKey::Entries {
                                queue: *id,
                                page: *number,
                            },
                            mark,
                        )
                    }));
                }
            }
        }
        names
    }

    /// What the control file is to say; pages being written get their marks later.
    pub(super) fn image(&self) -> Vec<QueueImage> {
        let mut images: Vec<_> = self
            .queues
            .iter()
            .map(|(id, queue)| queue.image(*id))
            .collect();
        images.sort_unstable_by_key(|image| image.id);
        images
    }

    /// The checkpoint with this page ended.
    pub(super) fn thaw(&mut self, name: PageName, mark: Option<PageMark>, stable: bool) {
        let (id, number) = name;
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let Some(slot) = queue.pages.get_mut(&number) else {
            return;
        };
        if slot.dirt.thaw(stable) {
            self.cache.list_dirty(name);
        }
        if stable {
            slot.stored = mark;
        }
        if slot.is_void() {
            queue.emptied(&mut self.cache, number);
        }
    }

    /// After a checkpoint: drops clean pages beyond the limit.
    pub(super) fn evict(&mut self) {
        let queues = &mut self.queues;
        self.cache
            .evict(true, |name, ticket| judge(queues, name, ticket));
    }

    /// After a page came into memory.
    fn keep_in_bounds(&mut self) {
        let queues = &mut self.queues;
        self.cache
            .evict(false, |name, ticket| judge(queues, name, ticket));
        if self.cache.is_stale() {
            let is_there = |(id, number): PageName, ticket| {
                let slot = self
                    .queues
                    .get(&id)
                    .and_then(|queue| queue.pages.get(&number));
                slot.is_some_and(|slot| slot.has_ticket(ticket))
            };
            self.cache.prune(is_there);
        }
    }
}

/// Takes a page into a checkpoint; none if there is nothing to write.
fn freeze_page(slot: &mut PageSlot, full: bool) -> Option<Option<Arc<Page>>> {
    if !full && slot.dirt != Dirt::Dirty {
        return None;
    }
    let page = slot.page.as_ref().filter(|page| page.live() > 0).cloned();
    if page.is_none() && slot.stored.is_none() {
        slot.dirt = Dirt::Clean;
        return None;
    }
    slot.dirt.freeze();
    Some(page)
}

fn judge(queues: &mut Queues, (id, number): PageName, ticket: u64) -> Verdict {
    let slot = queues
        .get_mut(&id)
        .and_then(|queue| queue.pages.get_mut(&number));
    let Some(slot) = slot.filter(|slot| slot.has_ticket(ticket)) else {
        return Verdict::Stale;
    };
    if std::mem::take(&mut slot.used) || !slot.can_leave() {
        return Verdict::Stays;
    }
    let page = slot.page.take();
    page.map_or(Verdict::Stale, |page| Verdict::Left(page.memory()))
}
