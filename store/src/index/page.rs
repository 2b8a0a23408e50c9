//! A page: where the messages of 256 consecutive sequences of one queue are.
//!
//! In memory a slot per sequence from the first used one on, on disk only what is live, as differences: nine bytes or so
//! a message. A page does not know which queue it belongs to.

use super::encoding::{Fields, put_number, put_signed};
use crate::limits::PAGE_ENTRIES;
use crate::position::{Position, Seq};

/// One message: where its payload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) position: Position,
    pub(super) len: u32,
    pub(super) crc: u32,
    pub(super) redeliveries: u16,
    /// Kept inside so that a slot stays at 32 bytes.
    live: bool,
}

impl Slot {
    pub(super) fn new(position: Position, len: u32, crc: u32, redeliveries: u16) -> Self {
        Self {
            position,
            len,
            crc,
            redeliveries,
            live: true,
        }
    }
}

/// What the control file says of a page: enough to prove it, and to know its first message without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageMark {
    /// Checksum of the value in the database.
    pub(super) crc: u32,
    /// Live entries in it.
    pub(super) live: u16,
    /// Index of the first of them.
    pub(super) first: u8,
}

/// Page and index in it of a sequence.
pub(super) fn split(seq: Seq) -> (u64, u8) {
    let index = u8::try_from(seq.0 % PAGE_ENTRIES).expect("a page has at most 256 entries");
    (seq.0 / PAGE_ENTRIES, index)
}

/// The sequence at an index of a page.
pub(super) fn join(page: u64, index: u8) -> Seq {
    Seq(page * PAGE_ENTRIES + u64::from(index))
}

/// Entries of one page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Index of the first slot.
    base: u8,
    live: u16,
    slots: Vec<Slot>,
}

impl Page {
    pub(super) fn live(&self) -> u16 {
        self.live
    }

    /// Bytes it takes in memory, with the map entry and the allocations around it.
    pub(super) fn memory(&self) -> usize {
        128 + self.slots.capacity() * size_of::<Slot>()
    }

    pub(super) fn get(&self, index: u8) -> Option<&Slot> {
        let at = index.checked_sub(self.base)?;
        self.slots.get(usize::from(at)).filter(|slot| slot.live)
    }

    /// Puts a slot in; answers the one it replaces.
    pub(super) fn put(&mut self, index: u8, slot: Slot) -> Option<Slot> {
        if self.slots.is_empty() {
            self.base = index;
        }
        if index < self.base {
            let missing = usize::from(self.base - index);
            self.slots
                .splice(0..0, std::iter::repeat_n(Slot::default(), missing));
            self.base = index;
        }
        let at = usize::from(index - self.base);
        if at >= self.slots.len() {
            self.slots.resize(at, Slot::default());
            self.slots.push(slot);
            self.live += 1;
            return None;
        }
        let old = std::mem::replace(&mut self.slots[at], slot);
        if old.live {
            return Some(old);
        }
        self.live += 1;
        None
    }

    /// Takes a slot out.
    pub(super) fn take(&mut self, index: u8) -> Option<Slot> {
        let at = index.checked_sub(self.base)?;
        let slot = self.slots.get_mut(usize::from(at))?;
        if !slot.live {
            return None;
        }
        self.live -= 1;
        Some(std::mem::take(slot))
    }

    /// Sets a redelivery count; false if there is no such message.
    pub(super) fn set_redeliveries(&mut self, index: u8, count: u16) -> bool {
        let slot = index
            .checked_sub(self.base)
            .and_then(|at| self.slots.get_mut(usize::from(at)));
        match slot.filter(|slot| slot.live) {
            Some(slot) => {
                slot.redeliveries = count;
                true
            }
            None => false,
        }
    }

    /// Live slots from an index on, in order.
    pub(super) fn iter_from(&self, index: u8) -> impl Iterator<Item = (u8, &Slot)> {
        let skip = usize::from(index.saturating_sub(self.base));
        let indexed = (self.base..=u8::MAX).zip(&self.slots);
        indexed.skip(skip).filter(|(_, slot)| slot.live)
    }

    /// Index of the first live slot.
    pub(super) fn first(&self) -> Option<u8> {
        self.iter_from(0).next().map(|(index, _)| index)
    }

    /// The body of its value in the database.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(usize::from(self.live) * 10 + 4);
        put_number(&mut out, u64::from(self.live));
        let (mut next, mut segment, mut end) = (0u64, 0u64, 0u64);
        for (index, slot) in self.iter_from(0) {
            let moved = slot.position.segment.0 != segment;
            let came_back = slot.redeliveries != 0;
            let gap = u64::from(index) - next;
            put_number(
                &mut out,
                gap << 2 | u64::from(moved) << 1 | u64::from(came_back),
            );
            if moved {
                put_number(&mut out, slot.position.segment.0);
                (segment, end) = (slot.position.segment.0, 0);
            }
            put_signed(
                &mut out,
                slot.position.offset.wrapping_sub(end).cast_signed(),
            );
            put_number(&mut out, u64::from(slot.len));
            out.extend(slot.crc.to_le_bytes());
            if came_back {
                put_number(&mut out, u64::from(slot.redeliveries));
            }
            next = u64::from(index) + 1;
            end = slot.position.offset.wrapping_add(u64::from(slot.len));
        }
        out
    }

    /// A page from the body of its value; `None` if it is none.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        let live = fields.u16()?;
        let (mut page, mut next, mut position) = (Self::default(), 0u64, Position::default());
        for _ in 0..live {
            let head = fields.number()?;
            if head & 2 != 0 {
                position = Position {
                    segment: fields.segment()?,
                    offset: 0,
                };
            }
            position.offset = position
                .offset
                .wrapping_add(fields.signed()?.cast_unsigned());
            let (len, crc) = (fields.u32()?, fields.fixed_u32()?);
            let redeliveries = if head & 1 != 0 { fields.u16()? } else { 0 };
            let index = u8::try_from(next.checked_add(head >> 2)?).ok()?;
            page.put(index, Slot::new(position, len, crc, redeliveries));
            position.offset = position.offset.wrapping_add(u64::from(len));
            next = u64::from(index) + 1;
        }
        fields.is_empty().then_some(page)
    }

    /// What the control file is to say of it.
    pub(super) fn mark(&self, crc: u32) -> PageMark {
        PageMark {
            crc,
            live: self.live,
            first: self.first().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::SegmentNumber;
    use proptest::prelude::*;

    fn slot(segment: u64, offset: u64, len: u32, redeliveries: u16) -> Slot {
        let position = Position {
            segment: SegmentNumber(segment),
            offset,
        };
        Slot::new(position, len, len ^ 0x5555, redeliveries)
    }

    #[test]
    fn a_slot_takes_32_bytes_and_an_entry_on_disk_about_nine() {
        assert_eq!(size_of::<Slot>(), 32);
        let mut page = Page::default();
        for index in 0..=255u8 {
            page.put(index, slot(7, 4096 + u64::from(index) * 1100, 1024, 0));
        }
        let body = page.encode();
        assert!(body.len() <= 256 * 10, "{} bytes", body.len());
        assert_eq!(Page::decode(&body), Some(page));
    }

    #[test]
    fn cut_or_foreign_bodies_are_refused() {
        let mut page = Page::default();
        page.put(3, slot(1, 4144, 10, 2));
        page.put(200, slot(2, 64, 0, 0));
        let body = page.encode();
        for len in 0..body.len() {
            assert_eq!(Page::decode(&body[..len]), None, "cut at {len}");
        }
        let mut longer = body.clone();
        longer.push(0);
        assert_eq!(Page::decode(&longer), None);
    }

    proptest! {
        #[test]
        fn a_page_behaves_like_a_map(
            steps in proptest::collection::vec((any::<u8>(), any::<u64>(), any::<u64>(), any::<u32>(), any::<bool>()), 0..300)
        ) {
            let (mut page, mut model) = (Page::default(), std::collections::BTreeMap::new());
            for (index, segment, offset, len, put) in steps {
                if put {
                    let new = slot(segment, offset, len, segment.to_le_bytes()[0].into());
                    prop_assert_eq!(page.put(index, new), model.insert(index, new));
                } else {
                    prop_assert_eq!(page.take(index), model.remove(&index));
                }
                prop_assert_eq!(usize::from(page.live()), model.len());
                prop_assert_eq!(page.first(), model.keys().next().copied());
                prop_assert_eq!(page.get(index), model.get(&index));
            }
            let all: Vec<_> = page.iter_from(0).map(|(i, s)| (i, *s)).collect();
            prop_assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
            let back = Page::decode(&page.encode()).expect("its own bytes");
            prop_assert!(back.iter_from(100).eq(page.iter_from(100)));
        }
    }
}
