//! Whether the committing thread stays awake for the next message.
//!
//! A lone producer that waits for each answer is back within a moment, and to wake a sleeping thread on a sleeping
//! processor takes a good part of its round. So after a run of batches with one waiter each the thread watches for the
//! next one instead of sleeping, for a fraction of a millisecond; where it watched in vain it sleeps for the next few.
//! More producers keep it busy anyway, and their threads need the processor.

use crate::limits;

/// How many batches in a row had one waiter.
#[derive(Default)]
pub(crate) struct Lone {
    run: u32,
}

impl Lone {
    /// A batch was written that so many waited for.
    pub(crate) fn wrote(&mut self, waiters: usize) {
        self.run = if waiters == 1 {
            self.run.saturating_add(1)
        } else {
            0
        };
    }

    pub(crate) fn is_expected(&self) -> bool {
        self.run >= limits::LONE_RUN
    }

    /// Whether the next one came while the thread stayed awake.
    pub(crate) fn awaited(&mut self, came: bool) {
        if !came {
            self.run = limits::LONE_RUN - limits::LONE_REST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(batches: u32) -> Lone {
        let mut lone = Lone::default();
        (0..batches).for_each(|_| lone.wrote(1));
        lone
    }

    #[test]
    fn a_run_of_single_waiters_is_needed() {
        assert!(!after(limits::LONE_RUN - 1).is_expected());
        assert!(after(limits::LONE_RUN).is_expected());
    }

    #[test]
    fn company_ends_the_run() {
        for waiters in [0, 2] {
            let mut lone = after(limits::LONE_RUN);
            lone.wrote(waiters);
            lone.wrote(1);
            assert!(!lone.is_expected(), "{waiters} waiters");
        }
    }

    #[test]
    fn watching_in_vain_makes_it_rest_and_success_does_not() {
        let mut lone = after(limits::LONE_RUN);
        lone.awaited(true);
        assert!(lone.is_expected());
        lone.awaited(false);
        for _ in 0..limits::LONE_REST {
            assert!(!lone.is_expected());
            lone.wrote(1);
        }
        assert!(lone.is_expected());
    }
}
