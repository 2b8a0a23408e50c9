//! Whether something in memory differs from what the database holds, while a checkpoint may be under way.

/// State of one page or looked-up thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dirt {
    /// As in the database.
    #[default]
    Clean,
    /// Changed since.
    Dirty,
    /// Frozen in the running checkpoint, unchanged since then.
    Writing,
    /// Frozen in the running checkpoint and changed again.
    Rewritten,
}

impl Dirt {
    /// Notes a change; true if it has to be put on the list of the next checkpoint.
    pub(super) fn touch(&mut self) -> bool {
        let (next, list) = match *self {
            Self::Clean => (Self::Dirty, true),
            Self::Writing => (Self::Rewritten, true),
            other => (other, false),
        };
        *self = next;
        list
    }

    /// A checkpoint takes it.
    pub(super) fn freeze(&mut self) {
        *self = Self::Writing;
    }

    /// The checkpoint ended; true if it has to be put on the list again.
    pub(super) fn thaw(&mut self, stable: bool) -> bool {
        let (next, list) = match *self {
            Self::Writing if stable => (Self::Clean, false),
            Self::Writing => (Self::Dirty, true),
            Self::Rewritten => (Self::Dirty, false),
            other => (other, false),
        };
        *self = next;
        list
    }

    pub(super) fn is_clean(self) -> bool {
        self == Self::Clean
    }

    pub(super) fn is_writing(self) -> bool {
        matches!(self, Self::Writing | Self::Rewritten)
    }
}

#[cfg(test)]
mod tests {
    use super::Dirt;

    #[test]
    fn a_change_during_a_checkpoint_survives_it() {
        let mut dirt = Dirt::default();
        assert!(dirt.touch());
        assert!(!dirt.touch(), "listed once");
        dirt.freeze();
        assert!(dirt.touch());
        assert!(!dirt.thaw(true), "listed already");
        assert_eq!(dirt, Dirt::Dirty);
        dirt.freeze();
        assert!(dirt.thaw(false), "a failed checkpoint lists it again");
        dirt.freeze();
        assert!(!dirt.thaw(true));
        assert!(dirt.is_clean());
    }
}
