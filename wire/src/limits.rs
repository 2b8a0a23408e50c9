//! Every bound of this crate with its reason. A peer reaches these limits only
//! by mistake or malice, so each of them ends in an [`crate::Error`] that costs
//! the peer its connection. What a deployment may want to choose (the frame
//! size, the cache size) is a setting elsewhere; here are the fixed bounds.

/// Oldest OpenWire version that is spoken.
pub const MIN_VERSION: i32 = 1;

/// Newest OpenWire version; all clients since 5.14 speak it.
pub const MAX_VERSION: i32 = 12;

/// Frame size offered by default: what a stock activemq.xml sets. Clients of
/// 6.3 derive their decompression limit from it, so it should not be smaller.
pub const DEFAULT_MAX_FRAME: usize = 104_857_600;

/// Largest frame before negotiation. A `WireFormatInfo` has about 350 bytes;
/// whoever sends more has not shown yet that it speaks OpenWire at all.
pub const MAX_HANDSHAKE_FRAME: usize = 65_536;

/// Properties in a `WireFormatInfo`, as in ActiveMQ 6.3 (stock peers send 14).
pub const MAX_HANDSHAKE_PROPERTIES: usize = 64;

/// Bytes of one key or value in a `WireFormatInfo`, as in ActiveMQ 6.3.
pub const MAX_HANDSHAKE_VALUE: usize = 512;

/// Structures within structures. An advisory about a message inside a dispatch
/// nests five deep; the rest is reserve. Keeps the decoder's stack small.
pub const MAX_NESTING: u32 = 16;

/// Causes below one throwable. Java programs seldom exceed twenty.
pub const MAX_CAUSES: usize = 64;

/// Array elements and stack elements in one frame, all arrays together. An
/// element costs the sender at least a byte and us up to some 700: small frames
/// are bounded by that (`tests/allocation.rs` measures it), large ones by this,
/// to about 48 MB beside their bytes.
pub const MAX_ELEMENTS: usize = 65_536;

/// Array capacity that is reserved on the word of the sender alone.
pub const TRUSTED_CAPACITY: usize = 64;

/// Longest string on the wire, in bytes: the length is a u16.
pub const MAX_STRING: usize = 65_535;

/// Longest string that is sent with the only-ASCII bit: Java reads that length
/// as a signed number. Longer ones go as modified UTF-8, which is unsigned.
pub const MAX_ASCII_STRING: usize = 32_766;

/// Bytes of one boolean stream: its longest length form is an i16.
pub const MAX_BIT_BYTES: usize = 32_767;

/// Cache entries that we offer when caching is on, as Java does.
pub const DEFAULT_CACHE: u16 = 1024;

/// Cache entries of a peer that does not say how many it has, as in Java.
pub const UNSTATED_CACHE: u16 = 16_383;

/// Largest cache: an index is an i16.
pub const MAX_CACHE: u16 = 32_767;

/// Slots that a writer keeps free for the command that it is about to write.
/// A Java writer with fewer slots than this hangs, so fewer are never offered.
pub const CACHE_RESERVE: u16 = 100;

/// Maps and lists within maps and lists of a primitive map.
pub const MAX_PRIMITIVE_DEPTH: usize = 32;

/// Values in one primitive map or stream, nested ones included. One byte on
/// the wire can be one value of some 40 bytes in memory.
pub const MAX_PRIMITIVES: usize = 1 << 20;

/// Slots of the table in which a decoder finds the strings it has just seen.
pub const MEMO_SLOTS: usize = 64;

/// Longest string that this table keeps: ids and names, not payloads.
pub const MEMO_TEXT: usize = 256;
