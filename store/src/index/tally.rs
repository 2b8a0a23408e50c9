//! A count and a sum of checksums: proves a set of values without listing them.

/// Of all producers, or all outcomes, in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Of the checksums of the values, wrapping.
    pub(super) sum: u64,
}

impl Tally {
    pub(super) fn add(&mut self, crc: u32) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(u64::from(crc));
    }

    /// Wraps when the database had lost the value before: the tally then never fits again, which is what it is for.
    pub(super) fn sub(&mut self, crc: u32) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(u64::from(crc));
    }
}
