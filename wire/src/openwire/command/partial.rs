//! Pieces of commands, for the UDP transport. Never on TCP.

use bytes::Bytes;

use super::base::Base;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// A piece of a command.
    #[derive(PartialEq, Eq)]
    pub struct PartialCommand = PARTIAL_COMMAND {
        /// The command's number.
        pub command_id: i32 => int,
        /// The piece.
        pub data: Option<Bytes> => bytes,
    }
}

structure! {
    /// The last piece of a command.
    #[derive(PartialEq, Eq)]
    pub struct LastPartialCommand = LAST_PARTIAL_COMMAND {
        /// The command's number.
        pub command_id: i32 => int,
        /// The piece.
        pub data: Option<Bytes> => bytes,
    }
}

structure! {
    /// Asks for commands again.
    #[derive(PartialEq, Eq)]
    pub struct ReplayCommand = REPLAY_COMMAND {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// First one missing.
        pub first_nak_number: i32 => int,
        /// Last one missing.
        pub last_nak_number: i32 => int,
    }
}
