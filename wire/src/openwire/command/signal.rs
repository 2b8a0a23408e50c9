//! Commands that carry nothing or next to nothing.

use super::base::Base;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// Sign of life. With a wish for an answer, it is answered by itself
    /// without that wish.
    #[derive(Copy, PartialEq, Eq)]
    pub struct KeepAliveInfo = KEEP_ALIVE_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
    }
}

structure! {
    /// The client's last command: what follows is a clean end of connection.
    #[derive(Copy, PartialEq, Eq)]
    pub struct ShutdownInfo = SHUTDOWN_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
    }
}

structure! {
    /// Does nothing but to be answered.
    #[derive(Copy, PartialEq, Eq)]
    pub struct FlushCommand = FLUSH_COMMAND {
        /// Number and wish for an answer.
        pub base: Base => base,
    }
}

structure! {
    /// A command to the broker by name; ignored.
    #[derive(PartialEq, Eq)]
    pub struct ControlCommand = CONTROL_COMMAND {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The name.
        pub command: Option<Text> => string,
    }
}
