//! The life of one socket.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tracing::Instrument;

use super::{Edge, End};
use crate::protocol::openwire;

/// Serves a socket until it ends, and says how it ended. Everything that goes
/// wrong here costs this connection only.
pub(crate) async fn serve(edge: Arc<Edge>, socket: TcpStream, remote: SocketAddr) {
    let span = tracing::info_span!("connection", %remote);
    let end = run(&edge, socket, remote).instrument(span).await;
    end.report(&edge, remote);
}

async fn run(edge: &Arc<Edge>, socket: TcpStream, remote: SocketAddr) -> End {
    // Small commands must not wait for the acknowledgement of earlier ones.
    if let Err(error) = socket.set_nodelay(true) {
        return End::Gone(error.to_string());
    }
    // Whoever is evicted for this place says so itself.
    let (place, _) = edge.admission.wait();
    openwire::serve(edge, socket, remote, place).await
}
