//! The format of a connection: what was negotiated, as plain data. How it
//! comes about is in `negotiate.rs`, what it does in `codec.rs`.

use crate::limits;

/// How commands are written on one connection, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireFormat {
    /// OpenWire version, 1 to 12.
    pub version: i32,
    /// Tight encoding: booleans gathered in a bit stream, short longs.
    pub tight: bool,
    /// Slots of the marshalling cache per direction; `None` is off.
    pub cache: Option<u16>,
    /// Throwables carry their stack and cause.
    pub stack_traces: bool,
    /// Largest frame in bytes, without the size prefix.
    pub max_frame_size: usize,
}

/// The format before negotiation, good for `WireFormatInfo` only: loose,
/// without cache and stack traces, small frames.
#[must_use]
pub fn initial_format() -> WireFormat {
    WireFormat {
        version: limits::MIN_VERSION,
        tight: false,
        cache: None,
        stack_traces: false,
        max_frame_size: limits::MAX_HANDSHAKE_FRAME,
    }
}

/// The format of stored messages: newest version, loose, without cache. What
/// [`crate::openwire::Message::encode_stored`] writes, a [`crate::openwire::Decoder`]
/// of this format reads.
#[must_use]
pub fn stored_format() -> WireFormat {
    WireFormat {
        version: limits::MAX_VERSION,
        tight: false,
        cache: None,
        stack_traces: true,
        max_frame_size: usize::MAX,
    }
}
