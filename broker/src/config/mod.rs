//! Every setting of `holdfast broker`, where it may come from, and its check.
//!
//! Flags go before environment (`HOLDFAST_*`), environment before the TOML
//! file, the file before the defaults. `settings` is the list of keys,
//! `sources` reads the three places, `value` parses sizes and times,
//! `listen_uri` the listeners. Everything is checked before a file or a port
//! is touched.

mod listen_uri;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod value;

pub use listen_uri::ListenUri;
pub use settings::{KEYS, KeepAwake, LockMode, LogFormat, Settings};
pub use sources::{Sources, load};
pub(crate) use value::{bytes, duration};
