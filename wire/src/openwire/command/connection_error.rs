//! An error that answers no request.

use super::base::Base;
use super::ids::ConnectionId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::throwable::Throwable;

structure! {
    /// Goes to the client's exception listener; the connection stays open.
    #[derive(PartialEq, Eq)]
    pub struct ConnectionError = CONNECTION_ERROR {
        /// Number and wish for an answer.
        pub base: Base => base,
        /// What went wrong.
        pub exception: Option<Box<Throwable>> => throwable,
        /// The connection it is about.
        pub connection_id: Option<ConnectionId> => nested,
    }
}
