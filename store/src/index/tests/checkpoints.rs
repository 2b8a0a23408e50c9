//! What a checkpoint saves, what it leaves out, and what it does when it cannot be written.
