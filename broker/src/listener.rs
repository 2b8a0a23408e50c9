//! Opens listeners and hands accepted sockets on.
//!
//! Binding and serving are apart: the role binds everything before it says
//! `master.ready`, and a test binds port 0. Not here: what a socket says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::config::ListenUri;
use crate::error::Error;
use crate::limits;
use crate::logs::Gate;

/// Opens the listeners of one URI: one per address that its host name has.
pub(crate) async fn bind(uri: &ListenUri) -> Result<Vec<TcpListener>, Error> {
    let failed = |source| Error::Listen {
        uri: uri.to_string(),
        source,
    };
    let addresses = tokio::net::lookup_host((uri.host.as_str(), uri.port))
        .await
        .map_err(failed)?;
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(open(address).map_err(failed)?);
    }
    if listeners.is_empty() {
        return Err(failed(io::Error::other("the host name has no address")));
    }
    Ok(listeners)
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A new master takes the port over while sockets of the old one linger in
    // TIME_WAIT; a listener that is still alive is refused all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::LISTEN_BACKLOG)
}

/// Accepts until `stop`, calling `serve` for each socket. `serve` must not
/// block: it starts a task.
pub(crate) async fn run(
    listener: TcpListener,
    stop: CancellationToken,
    refusals: Arc<Gate>,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, remote)) => serve(socket, remote),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: what is connected goes on, and
                // a place comes free when something closes.
                if let Some(suppressed) = refusals.pass() {
                    tracing::warn!(
                        event = "connection.refused",
                        cause = %error,
                        suppressed,
                        "cannot accept connections"
                    );
                }
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The peer gave up between its connect and our accept.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
