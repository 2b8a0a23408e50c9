//! Who is master: an exclusive lock on one file of the data directory, and proof that it is still ours.
//!
//! Several brokers share one directory. The one that holds the lock on `DIR/lock` is master. Becoming master is
//! [`acquire`], and it keeps this order:
//!
//! 1. take the lock: block in the kernel on a local file system, poll on a network one (`wait.rs`);
//! 2. make sure that the path still leads to the locked file (`file.rs`);
//! 3. read who held it before, ask the caller for the highest epoch in the journal, and write a [`Holder`] with a
//!    random token and an [`Epoch`] above both; sync it (`holder.rs`);
//! 4. verify once, and hand out [`Held`]: the proof that the store asks for by value.
//!
//! Acting as master means to verify after every synced batch, before anything follows from it: [`Verifier::verify`]
//! (`verifier.rs`). If it succeeds, no later epoch had been raised before, so the next master will read that batch. On a
//! local file system the kernel keeps the lock as long as the process lives, and only a removed or replaced lock
//! file could let another in: two `stat` calls tell. On a network file system the holder record is read past the
//! cache as well. [`watch()`] does the same once a second when nothing is written, and has a deadline that needs
//! no file system call (`watch.rs`).
//!
//! The lock file is never deleted, never opened twice in one process, and written by nobody who does not hold the
//! lock. What this crate does not do: it cannot stop a process that lost the lock from writing to other files.
//! That is what epochs, seals and locked segments in the store are for.

mod epoch;
mod error;
mod file;
mod filesystem;
mod held;
mod holder;
mod limits;
mod lost;
mod mounts;
mod settings;
mod status;
mod stop;
mod verifier;
mod wait;
mod watch;

pub use epoch::Epoch;
pub use error::{Action, Error};
pub use filesystem::{Filesystem, FilesystemKind};
pub use held::Held;
pub use holder::{Holder, Identity};
pub use lost::Lost;
pub use settings::{Settings, Waiting};
pub use status::{Status, read_status};
pub use stop::Stop;
pub use verifier::Verifier;
pub use wait::{Progress, WaitReason, acquire};
pub use watch::{Watcher, watch};
