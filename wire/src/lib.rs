//! The wire protocols of Holdfast, as pure functions from bytes to commands
//! and back. Nothing here opens a socket, reads a clock or starts a task.
//!
//! The way of a frame: [`detect::detect`] tells from the first bytes of a new
//! connection whether it speaks OpenWire; [`openwire::frame_length`] finds
//! where a frame ends; [`openwire::Decoder`] turns it into an
//! [`openwire::Command`]; [`openwire::Encoder`] does the opposite. Both work
//! in the [`openwire::WireFormat`] that [`openwire::negotiate()`] made of the
//! two `WireFormatInfo` that open every connection.
//!
//! Guarantees: decoding never panics, allocates in proportion to the frame
//! (bounds in [`limits`]), and never looks up or runs anything that the wire
//! names. A frame that was decoded encodes again, in any format.

pub mod detect;
mod error;
pub mod limits;
pub mod openwire;

pub use error::{Action, Error};
