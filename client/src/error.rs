//! What can go wrong for a client, with the facts that its operator needs.
//!
//! Callers match on [`Error::action`], never on text: `Retry` means that the same request may succeed on another
//! connection, `Reject` that it will not, `Exit` that the program itself is at fault. Errors are cheap to clone, since
//! one lost connection is the answer to every waiting request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
pub use wire::Action;
use wire::openwire::TransactionId;

/// A request or connection that failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that cannot be understood.
    #[error("address {uri:?}: {why}")]
    Uri {
        /// The address as given.
        uri: String,
        /// What is wrong with it.
        why: String,
    },
    /// No TCP connection could be made.
    #[error("cannot connect to {uri}: {source}")]
    Connect {
        /// The address.
        uri: String,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The peer did not do its part of the handshake in time.
    #[error("{uri} did not {what} within {after:?}")]
    Handshake {
        /// The address.
        uri: String,
        /// What it should have done.
        what: &'static str,
        /// How long it was given.
        after: Duration,
    },
    /// The connection broke. Requests without an answer may or may not have been carried out.
    #[error("connection to {uri} lost: {cause}")]
    Lost {
        /// The address.
        uri: String,
        /// What ended it.
        cause: Arc<str>,
    },
    /// The connection broke after a commit had left: only the broker knows whether it happened. Ask it with
    /// [`crate::Connection::settle`].
    #[error("commit of {transaction} is in doubt: {cause}")]
    InDoubt {
        /// The transaction.
        transaction: Box<TransactionId>,
        /// How the connection was lost.
        cause: Box<Error>,
    },
    /// The broker's exception.
    #[error("{class}: {message}")]
    Refused {
        /// Java class name, such as `javax.jms.InvalidDestinationException`.
        class: String,
        /// Its message.
        message: String,
    },
    /// The broker answered with a command that fits no request of this kind.
    #[error("unexpected answer to {what}")]
    UnexpectedAnswer {
        /// The request.
        what: &'static str,
    },
    /// A message that cannot be put on the wire.
    #[error("cannot encode a command: {0}")]
    Encode(wire::Error),
    /// The body or properties of a message are not what was asked for.
    #[error("message {id}: {what}")]
    Content {
        /// The message.
        id: String,
        /// What is wrong with it.
        what: String,
    },
    /// The connection, session or consumer was closed on this side.
    #[error("{what} is closed")]
    Closed {
        /// What is closed.
        what: &'static str,
    },
    /// A call that does not fit the kind of session.
    #[error("{what}")]
    Misuse {
        /// What does not fit.
        what: &'static str,
    },
    /// No address answered in time.
    #[error("no broker after {attempts} attempts in {after:?}, last: {last}")]
    GaveUp {
        /// Addresses tried, repeats included.
        attempts: u64,
        /// How long it took.
        after: Duration,
        /// The last error.
        last: Box<Error>,
    },
}

impl Error {
    /// What the caller should do about it.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Connect { .. }
            | Self::Handshake { .. }
            | Self::Lost { .. }
            | Self::InDoubt { .. } => Action::Retry,
            Self::Refused { .. }
            | Self::UnexpectedAnswer { .. }
            | Self::Encode(_)
            | Self::Content { .. }
            | Self::Closed { .. }
            | Self::GaveUp { .. } => Action::Reject,
            Self::Uri { .. } | Self::Misuse { .. } => Action::Exit,
        }
    }

    /// Whether another connection may bring the same request to its end.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.action() == Action::Retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_asks_for_another_try_and_refusal_does_not() {
        let lost = Error::Lost {
            uri: "tcp://h:1".to_owned(),
            cause: "end of stream".into(),
        };
        assert_eq!(lost.action(), Action::Retry);
        assert_eq!(
            lost.to_string(),
            "connection to tcp://h:1 lost: end of stream"
        );
        let refused = Error::Refused {
            class: "javax.jms.JMSException".to_owned(),
            message: "no".to_owned(),
        };
        assert_eq!(refused.action(), Action::Reject);
        assert_eq!(refused.to_string(), "javax.jms.JMSException: no");
        let gave_up = Error::GaveUp {
            attempts: 3,
            after: Duration::from_secs(1),
            last: Box::new(lost),
        };
        assert!(!gave_up.is_retry());
        assert_eq!(
            Error::Misuse {
                what: "commit outside a transacted session"
            }
            .action(),
            Action::Exit
        );
    }
}
