//! The life of one OpenWire connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::openwire::{Decoder, Encoder};

use super::format::OpenWire;
use super::frames::Frames;
use super::inactivity::{self, Life};
use super::session::{Session, Step};
use super::{format, handshake};
use crate::admission::WaitingPlace;
use crate::connection::{Edge, End};
use crate::limits;
use crate::outbox::Outbox;

/// Serves a socket until it ends.
pub(crate) async fn serve(
    edge: &Arc<Edge>,
    socket: TcpStream,
    remote: SocketAddr,
    place: WaitingPlace,
) -> End {
    let (reader, writer) = socket.into_split();
    let mut frames = Frames::new(reader, limits::MAX_EARLY_FRAME_BYTES);
    let over = place.over().clone();
    let patience = edge.settings.handshake_timeout;
    let agreed = tokio::select! {
        agreed = timeout(patience, handshake::run(&edge.settings, &writer, &mut frames)) => agreed,
        () = over.cancelled() => return ended(edge, None),
    };
    let agreed = match agreed {
        Ok(Ok(agreed)) => agreed,
        Ok(Err(end)) => return end,
        Err(_) => return End::Mute(patience),
    };
    place.spoke();

    let format = Box::new(OpenWire::new(Encoder::new(agreed.format)));
    let outbox = Outbox::new(writer, format, over.clone());
    let writer = tokio::spawn({
        let outbox = Arc::clone(&outbox);
        async move { outbox.run_writer().await }
    });
    // XA clients block until they know the broker, so this is always said.
    outbox.push(format::broker_info(&edge.engine, &edge.settings));
    outbox.flush();

    let life = Life {
        reads: frames.reads(),
        paused: AtomicBool::new(false),
    };
    let mut session = Session::new(Arc::clone(edge), Arc::clone(&outbox), remote, place);
    session.set_max_frame(agreed.format.max_frame_size);
    let decoder = Decoder::new(agreed.format);
    let end = tokio::select! {
        // Every message passes here: no lots are drawn, and there is one thing to watch for all that may end it. Reading
        // comes last: a client that sends without end may use up the task's budget, and could keep the timer from ticking.
        biased;
        () = over.cancelled() => ended(edge, Some(&outbox)),
        silence = inactivity::watch(&life, &outbox, agreed.max_inactivity, agreed.initial_delay) => {
            End::Silent(silence)
        }
        end = read(&mut session, &mut frames, decoder, &life) => end,
    };
    session.leave();
    linger(&end, &mut frames, &outbox, edge).await;
    outbox.close();
    // The task only waits for the close; an error would be its panic.
    let _ = writer.await;
    end
}

/// Who ended it, when it was not the peer.
fn ended(edge: &Edge, outbox: Option<&Arc<Outbox>>) -> End {
    match outbox {
        _ if edge.stop.is_cancelled() => End::Stopped,
        Some(outbox) if outbox.is_closed() => {
            let cause = outbox.cause().unwrap_or("replaced, or the broker stops");
            End::Closed(cause.to_owned())
        }
        _ => End::Crowded,
    }
}

/// Reads in bursts: everything that has arrived is executed, then what came of
/// it is written once.
async fn read(
    session: &mut Session,
    frames: &mut Frames,
    mut decoder: Decoder,
    life: &Life,
) -> End {
    loop {
        loop {
            frames.set_limit(session.frame_limit());
            let step = match frames.next(&mut decoder) {
                Ok(Some(command)) => session.handle(command),
                Ok(None) => break,
                Err(error) => Err(End::Broken(error)),
            };
            match step {
                Ok(Step::Go) => {}
                Ok(Step::Wait) => {
                    session.flush();
                    life.paused.store(true, Ordering::Relaxed);
                    session.room().await;
                    life.paused.store(false, Ordering::Relaxed);
                }
                Err(end) => {
                    session.flush();
                    return end;
                }
            }
        }
        session.flush();
        if session.is_behind() {
            life.paused.store(true, Ordering::Relaxed);
            session.caught_up().await;
            life.paused.store(false, Ordering::Relaxed);
        }
        match frames.fill().await {
            Ok(0) if frames.in_the_middle() => return End::CutOff,
            Ok(0) => return End::Gone("end of stream".to_owned()),
            Ok(_) => {}
            Err(error) => return End::Gone(error.to_string()),
        }
    }
}

/// Lets the last answers reach the client where there are some worth it.
async fn linger(end: &End, frames: &mut Frames, outbox: &Outbox, edge: &Edge) {
    let told = async {
        outbox.until_below(0).await;
        if matches!(end, End::Refused(_)) {
            // Closing with unread bytes would reset the connection and take the
            // exception away from the client before it has read it.
            frames.discard_to_end().await;
        }
    };
    if matches!(end, End::Goodbye | End::Refused(_)) {
        tokio::select! {
            _ = timeout(limits::REFUSED_LINGER, told) => {}
            () = edge.stop.cancelled() => {}
        }
    }
}
