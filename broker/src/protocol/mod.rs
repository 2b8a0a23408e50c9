//! Protocols: wire commands to calls on a `Peer`, `Outgoing` to frames. One
//! room per protocol; today OpenWire.

pub(crate) mod openwire;
