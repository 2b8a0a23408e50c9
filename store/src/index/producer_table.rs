//! What is known of each producer: which of its sequences are stored.

/// Which sequences of a producer are stored: the highest, and the 64 below it one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProducerState {
    /// Highest sequence stored.
    pub(crate) last: u64,
    /// Bit i: sequence `last - 1 - i` is stored.
    pub(crate) window: u64,
}

impl ProducerState {
    /// The state after the first message of a producer.
    pub(crate) fn first(sequence: u64) -> Self {
        Self { last: sequence, window: 0 }
    }

    /// Whether this sequence is stored. One below the window counts as stored.
    pub(crate) fn knows(&self, sequence: u64) -> bool {
        if sequence >= self.last {
            return sequence == self.last;
        }
        let below = self.last - 1 - sequence;
        below >= 64 || self.window & (1 << below) != 0
    }

    /// Notes that a sequence is stored; false if it was known already.
    pub(crate) fn note(&mut self, sequence: u64) -> bool {
        if self.knows(sequence) {
            return false;
        }
        if sequence < self.last {
            self.window |= 1 << (self.last - 1 - sequence);
            return true;
        }
        let step = sequence - self.last;
        // The old highest becomes the bit `step - 1`; what leaves the window counts as stored from then on.
        self.window = if step > 64 { 0 } else { self.window.checked_shl(step as u32).unwrap_or(0) | 1 << (step - 1) };
        self.last = sequence;
        true
    }
}
