//! What can be wrong with a frame, and what to do about it. Each variant
//! carries the numbers that an operator needs; none carries payload, since
//! errors are logged.

use thiserror::Error;

/// What the holder of an error should do. The same four words in every crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Try again later.
    Retry,
    /// Refuse this peer or request; everybody else goes on.
    Reject,
    /// Stop being master.
    Demote,
    /// End the process.
    Exit,
}

/// A frame, a property map or a handshake that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The size prefix is negative.
    #[error("frame size {size} is negative")]
    NegativeFrame {
        /// The size prefix.
        size: i32,
    },
    /// The frame is larger than was agreed.
    #[error("frame of {size} bytes exceeds the limit of {limit}")]
    FrameTooLarge {
        /// Bytes of the frame without its prefix.
        size: usize,
        /// The agreed limit.
        limit: usize,
    },
    /// The frame ends inside a value.
    #[error("frame ends at byte {at}: {wanted} more bytes wanted, {left} left")]
    Truncated {
        /// Position in the frame.
        at: usize,
        /// Bytes that the value needs.
        wanted: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// The boolean stream ends before the structure does.
    #[error("boolean stream of {bits} bits is too short")]
    BitsExhausted {
        /// Bits in the stream.
        bits: usize,
    },
    /// A length or count is negative.
    #[error("length {length} at byte {at} is negative")]
    NegativeLength {
        /// The length as read.
        length: i32,
        /// Position after it.
        at: usize,
    },
    /// The structure ended before the frame did.
    #[error("{left} bytes follow the structure of type {type_id}")]
    TrailingBytes {
        /// Bytes that nothing asked for.
        left: usize,
        /// The outermost structure.
        type_id: u8,
    },
    /// No such structure in the negotiated version.
    #[error("type {type_id} is unknown in version {version}")]
    UnknownType {
        /// The type id.
        type_id: u8,
        /// The negotiated version.
        version: i32,
    },
    /// A structure where another kind is wanted.
    #[error("type {type_id} stands where {wanted} is wanted")]
    UnexpectedType {
        /// The type id found.
        type_id: u8,
        /// What the field holds.
        wanted: &'static str,
    },
    /// An array of ids or infos holds a null.
    #[error("array of {wanted} holds a null")]
    NullElement {
        /// What the array holds.
        wanted: &'static str,
    },
    /// Structures, causes or maps nest too deep.
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// The limit that was reached.
        limit: usize,
    },
    /// Too many array elements, stack elements or map values.
    #[error("{count} elements exceed the limit of {limit}")]
    TooManyElements {
        /// Elements so far, the refused ones included.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A cache index that the sender never filled, or beyond the table.
    #[error("cache index {index} is not in use ({size} slots)")]
    CacheIndex {
        /// The index.
        index: i16,
        /// Negotiated slots.
        size: usize,
    },
    /// A cache index that holds something else.
    #[error("cache index {index} does not hold {wanted}")]
    CacheMismatch {
        /// The index.
        index: i16,
        /// What the field holds.
        wanted: &'static str,
    },
    /// A string too long for the wire.
    #[error("string of {length} bytes exceeds the limit of {limit}")]
    StringTooLong {
        /// Encoded bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A byte array or array too long for the wire.
    #[error("array of {length} exceeds the limit of {limit}")]
    ArrayTooLong {
        /// Elements or bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// More booleans than a frame can hold.
    #[error("boolean stream of {bytes} bytes exceeds the limit of {limit}")]
    TooManyBits {
        /// Bytes needed.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An earlier frame failed half written, so the cache tables of the two
    /// ends differ: the connection must be closed.
    #[error("the marshalling cache is out of step after a failed write")]
    OutOfStep,
    /// The opening bytes are not those of a `WireFormatInfo`.
    #[error("the peer did not open with the OpenWire magic")]
    BadMagic,
    /// A version that cannot be spoken.
    #[error("version {version} is not between {min} and {max}")]
    BadVersion {
        /// The version asked for.
        version: i32,
        /// Oldest spoken.
        min: i32,
        /// Newest spoken.
        max: i32,
    },
    /// A type code that no primitive value has.
    #[error("primitive type {code} at byte {at} is unknown")]
    BadPrimitive {
        /// The type code.
        code: u8,
        /// Position after it.
        at: usize,
    },
    /// A property holds another type than it must.
    #[error("property {key} has the wrong type")]
    PropertyType {
        /// The key.
        key: &'static str,
    },
    /// The message is not of the kind whose body was asked for.
    #[error("the message does not hold {wanted}")]
    WrongBody {
        /// What was asked for.
        wanted: &'static str,
    },
    /// The body is deflated; it is opaque to this crate.
    #[error("the body is compressed")]
    Compressed,
}

impl Error {
    /// All errors here are about one peer and its frame: refuse that.
    #[must_use]
    pub fn action(&self) -> Action {
        Action::Reject
    }
}
