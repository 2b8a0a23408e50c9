//! The promise of an answer to one request.

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wire::openwire::Command;

use crate::error::Error;

/// A request on its way. Dropping it forgets the answer; the request is carried out all the same.
#[derive(Debug)]
#[must_use = "an answer that nobody looks at may have been a refusal"]
pub struct Receipt {
    pub(crate) what: &'static str,
    pub(crate) answer: oneshot::Receiver<Result<Command, Error>>,
}

/// Where the answer goes.
pub(crate) struct Waiting {
    pub(crate) answer: oneshot::Sender<Result<Command, Error>>,
    /// Freed with the answer: the bound on unanswered requests.
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl Receipt {
    /// Waits until the broker has carried the request out.
    ///
    /// # Errors
    /// The broker refused, or the connection was lost and the outcome is unknown.
    pub async fn answered(self) -> Result<(), Error> {
        let what = self.what;
        match self.command().await? {
            Command::Response(_) | Command::IntegerResponse(_) => Ok(()),
            _ => Err(Error::UnexpectedAnswer { what }),
        }
    }

    async fn command(self) -> Result<Command, Error> {
        match self.answer.await {
            Ok(answer) => answer,
            // The exchange answers everybody before it goes; this is only for the case that it panicked.
            Err(_) => Err(Error::Closed { what: "connection" }),
        }
    }
}
