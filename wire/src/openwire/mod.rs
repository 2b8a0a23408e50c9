//! OpenWire, versions 1 to 12, tight and loose, with and without the cache.
//!
//! The story, in reading order: a connection begins with both sides sending a
//! `WireFormatInfo` in [`initial_format`]; [`negotiate()`] makes a
//! [`WireFormat`] of the two; [`Encoder`] and [`Decoder`] (`codec.rs`) speak
//! it. Each structure is declared once under `command/` by the `structure!`
//! macro of `marshal.rs`: its fields in wire order, each with its kind and the
//! version that brought it. From that declaration follow the tight and the
//! loose form, writing and reading, through the two traits `Writer` and
//! `Reader`; `tight/` and `loose.rs` implement them, `cache.rs` holds the
//! tables behind cached fields, `throwable.rs` and `primitive.rs` the two
//! layouts that are not structures.
//!
//! Deliberately not here: sockets, timers, the meaning of commands, Java
//! serialization, compression.

mod body;
mod cache;
mod codec;
mod command;
mod cursor;
mod format;
mod loose;
mod marshal;
mod memo;
mod mutf8;
mod negotiate;
mod primitive;
mod property_map;
mod stored;
mod text;
mod throwable;
mod tight;
pub mod type_id;

#[cfg(test)]
mod tests;

pub use codec::{Decoder, Encoder, frame_length};
pub use command::*;
pub use format::{WireFormat, initial_format, stored_format};
pub use negotiate::{Negotiated, Offer, Preferences, negotiate};
pub use primitive::Primitive;
pub use property_map::PropertyMap;
pub use text::Text;
pub use throwable::{StackElement, Throwable};
