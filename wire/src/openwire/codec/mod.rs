//! Frames to commands and back, for one direction of one connection. The
//! encoder and the decoder hold the cache tables of the negotiated format, so
//! each must see every frame of its direction, in order.
//!
//! After an error the connection must be closed: the tables of the two ends
//! may differ from there on. The encoder enforces it when the cache is on.

mod decoder;
mod encoder;
mod input;
mod prefix;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use prefix::frame_length;

pub(crate) use decoder::read_frame;
pub(crate) use input::{Input, Tables};
