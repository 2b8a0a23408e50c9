//! A session introduces itself.

use super::base::Base;
use super::ids::SessionId;
use crate::openwire::marshal::{fields, structure};

structure! {
    /// A session.
    #[derive(PartialEq, Eq)]
    pub struct SessionInfo = SESSION_INFO {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// The session.
        pub session_id: Option<SessionId> => cached,
    }
}
