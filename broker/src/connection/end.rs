//! Every way a connection can end, and what is said about it.

use std::net::SocketAddr;
use std::time::Duration;

use super::Edge;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// It said goodbye.
    #[error("closed by the client")]
    Goodbye,
    /// The peer went away without a word.
    #[error("the client is gone: {0}")]
    Gone(String),
    /// The stream ended where a frame had begun.
    #[error("the stream ends inside a frame")]
    CutOff,
    /// It sent what cannot be read.
    #[error(transparent)]
    Broken(#[from] wire::Error),
    /// It speaks something else.
    #[error("the peer does not speak OpenWire")]
    Foreign,
    /// It sent a command that has no place there.
    #[error("unexpected {0}")]
    Unexpected(&'static str),
    /// No WireFormatInfo in time.
    #[error("no wire format from the peer for {} ms", .0.as_millis())]
    Mute(Duration),
    /// Nothing read for longer than was agreed.
    #[error("nothing heard from the peer for {} ms", .0.as_millis())]
    Silent(Duration),
    /// Its ConnectionInfo was refused; it was told why.
    #[error("the client was refused: {0}")]
    Refused(String),
    /// As many clients as may be are connected.
    #[error("all {0} places for clients are taken")]
    NoPlace(usize),
    /// Too many sockets wait that are no clients.
    #[error("too many sockets that have not connected as a client")]
    Crowded,
    /// Another socket of the same client took over, or writing failed.
    #[error("closed by the broker: {0}")]
    Closed(String),
    /// The broker stops, or is no longer master.
    #[error("the broker stops")]
    Stopped,
}

impl End {
    /// Writes the connection's one line, if it deserves one.
    pub(super) fn report(&self, edge: &Edge, remote: SocketAddr) {
        match self {
            End::NoPlace(_) | End::Crowded => {
                if let Some(suppressed) = edge.refused.pass() {
                    tracing::warn!(
                        event = "connection.refused",
                        %remote,
                        cause = %self,
                        suppressed,
                        "connection refused"
                    );
                }
            }
            End::CutOff
            | End::Broken(_)
            | End::Foreign
            | End::Unexpected(_)
            | End::Mute(_)
            | End::Silent(_)
            | End::Refused(_) => {
                if let Some(suppressed) = edge.failed.pass() {
                    tracing::warn!(
                        event = "connection.failed",
                        %remote,
                        cause = %self,
                        suppressed,
                        "connection failed"
                    );
                }
            }
            // What clients do every day.
            End::Goodbye | End::Gone(_) | End::Closed(_) | End::Stopped => {
                tracing::debug!(%remote, cause = %self, "connection ended");
            }
        }
    }
}

/// A failing socket is a client that went away.
impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> End {
        End::Gone(error.to_string())
    }
}
