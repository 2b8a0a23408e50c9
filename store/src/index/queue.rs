//! One queue: its name, its mark, its counts, and its pages in memory or in the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::control::QueueImage;
use super::dirt::Dirt;
use super::key::PageKey;
use super::page::{Page, PageMark, join};
use super::page_cache::{PageCache, PageName};
use super::source::Source;
use crate::error::Result;
use crate::position::{QueueId, SegmentNumber, Seq};
use crate::summary::QueueSummary;

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    /// The name and the segment of the latest record that says so; none until that record was replayed.
    pub(super) name: Option<(Box<[u8]>, SegmentNumber)>,
    /// The dispatch mark and the segment of the latest record that says so.
    pub(super) mark: Option<(Seq, SegmentNumber)>,
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// Above every sequence seen.
    pub(super) next_seq: Seq,
    /// Number of the highest page that had anything put into it: it stays even when empty, for what comes next.
    pub(super) tail: u64,
    pub(super) pages: BTreeMap<u64, PageSlot>,
}

/// A page of a queue.
#[derive(Default)]
pub(super) struct PageSlot {
    /// None: only in the database.
    pub(super) page: Option<Arc<Page>>,
    /// As it is in the database.
    pub(super) stored: Option<PageMark>,
    pub(super) dirt: Dirt,
    /// Since the clock last came by.
    pub(super) used: bool,
    ticket: u64,
}

impl PageSlot {
    /// Whether nobody would miss it.
    pub(super) fn is_void(&self) -> bool {
        self.stored.is_none()
            && !self.dirt.is_writing()
            && self.page.as_ref().is_none_or(|page| page.live() == 0)
    }

    pub(super) fn has_ticket(&self, ticket: u64) -> bool {
        self.ticket == ticket && self.page.is_some()
    }

    pub(super) fn can_leave(&self) -> bool {
        self.dirt.is_clean() && self.stored.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        match (&self.page, self.stored) {
            (Some(page), _) => page.live() == 0,
            (None, stored) => stored.is_none(),
        }
    }

    fn first(&self) -> Option<u8> {
        match (&self.page, self.stored) {
            (Some(page), _) => page.first(),
            (None, stored) => stored.map(|mark| mark.first),
        }
    }

    /// Puts a page into memory.
    pub(super) fn enter(&mut self, cache: &mut PageCache, name: PageName, page: Page) {
        self.ticket = cache.enter(name, page.memory());
        self.page = Some(Arc::new(page));
    }

    /// The page, fetched if need be.
    pub(super) fn load(
        &mut self,
        cache: &mut PageCache,
        source: &mut Source,
        name: PageName,
    ) -> Result<&mut Arc<Page>> {
        self.used = true;
        if self.page.is_none() {
            let page = match self.stored {
                Some(mark) => fetch(source, name, mark)?,
                None => Page::default(),
            };
            self.enter(cache, name, page);
        }
        Ok(self.page.as_mut().expect("fetched or just put there"))
    }
}

/// Reads a page from the database and compares it with its mark.
pub(super) fn fetch(source: &mut Source, (queue, page): PageName, mark: PageMark) -> Result<Page> {
    let key = PageKey::Entries { queue, page };
    let body = source.page(key, mark)?;
    match Page::decode(&body) {
        Some(page) if page.live() == mark.live => Ok(page),
        _ => Err(source.condemn(format!("{key:?} does not hold what its mark says"))),
    }
}

impl Queue {
    pub(super) fn from_image(image: &QueueImage) -> Self {
        let stored = |mark: &PageMark| PageSlot {
            stored: Some(*mark),
            ..PageSlot::default()
        };
        Self {
            name: image
                .name
                .as_ref()
                .map(|(name, segment)| (name.as_slice().into(), *segment)),
            mark: image.mark,
            count: image.count,
            bytes: image.bytes,
            next_seq: image.next_seq,
            tail: image.pages.last().map_or(0, |(page, _)| *page),
            pages: image
                .pages
                .iter()
                .map(|(page, mark)| (*page, stored(mark)))
                .collect(),
        }
    }

    /// What the control file is to say of it; pages that are being written get their marks later.
    pub(super) fn image(&self, id: QueueId) -> QueueImage {
        let pages = self.pages.iter().filter_map(|(number, slot)| {
            let mark = if slot.dirt.is_writing() {
                (!slot.is_empty()).then(PageMark::default)
            } else {
                slot.stored
            };
            mark.map(|mark| (*number, mark))
        });
        QueueImage {
            id,
            name: self
                .name
                .as_ref()
                .map(|(name, segment)| (name.to_vec(), *segment)),
            mark: self.mark,
            count: self.count,
            bytes: self.bytes,
            next_seq: self.next_seq,
            pages: pages.collect(),
        }
    }

    /// None until its name is known.
    pub(super) fn summary(&self, id: QueueId) -> Option<QueueSummary> {
        let (name, _) = self.name.as_ref()?;
        let first = self.pages.iter().find(|(_, slot)| !slot.is_empty());
        Some(QueueSummary {
            id,
            name: name.to_vec(),
            count: self.count,
            bytes: self.bytes,
            first: first.and_then(|(page, slot)| slot.first().map(|index| join(*page, index))),
            // Sequences start at 1.
            next_seq: self.next_seq.max(Seq(1)),
            mark: self.mark.map_or(Seq(0), |(mark, _)| mark),
        })
    }

    /// A page lost its last entry: makes it small, or away with it if nothing depends on it.
    pub(super) fn emptied(&mut self, cache: &mut PageCache, number: u64) {
        if number == self.tail {
            return;
        }
        let Some(slot) = self.pages.get_mut(&number) else {
            return;
        };
        let Some(before) = slot
            .page
            .as_ref()
            .filter(|page| page.live() == 0)
            .map(|page| page.memory())
        else {
            return;
        };
        if slot.is_void() {
            cache.leave(before);
            self.pages.remove(&number);
            return;
        }
        let small = Page::default();
        cache.resized(before, small.memory());
        slot.page = Some(Arc::new(small));
    }
}
