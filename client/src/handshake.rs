//! From an address to a negotiated socket.
//!
//! Each step has its deadline. Guarantees that nothing but a `WireFormatInfo` is accepted first, and that bytes behind
//! it are kept for the reader.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use wire::limits::MAX_HANDSHAKE_FRAME;
use wire::openwire::{
    Command, Decoder, Encoder, Negotiated, Offer, WireFormatInfo, initial_format, negotiate,
};

use crate::error::Error;
use crate::frames::Frames;
use crate::options::ConnectOptions;
use crate::uri::BrokerUri;

/// A socket over which both sides may speak.
pub(crate) struct Opened {
    pub(crate) reader: OwnedReadHalf,
    pub(crate) writer: OwnedWriteHalf,
    pub(crate) frames: Frames,
    pub(crate) negotiated: Negotiated,
}

/// Connects and negotiates.
pub(crate) async fn open(uri: &BrokerUri, options: &ConnectOptions) -> Result<Opened, Error> {
    let stream = connect(uri, options.connect_timeout).await?;
    let limit = options.handshake_timeout;
    match tokio::time::timeout(limit, exchange(uri, stream, options)).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::Handshake {
            uri: uri.to_string(),
            what: "introduce itself",
            after: limit,
        }),
    }
}

async fn connect(uri: &BrokerUri, limit: Duration) -> Result<TcpStream, Error> {
    let failed = |source| Error::Connect {
        uri: uri.to_string(),
        source: Arc::new(source),
    };
    let connecting = TcpStream::connect((uri.host(), uri.port()));
    let stream = match tokio::time::timeout(limit, connecting).await {
        Ok(connected) => connected.map_err(failed)?,
        Err(_) => {
            let what = format!("no answer within {limit:?}");
            return Err(failed(io::Error::new(io::ErrorKind::TimedOut, what)));
        }
    };
    // Requests are small and waited for: never hold one back for a fuller packet.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

async fn exchange(
    uri: &BrokerUri,
    stream: TcpStream,
    options: &ConnectOptions,
) -> Result<Opened, Error> {
    let lost = |cause: String| Error::Lost {
        uri: uri.to_string(),
        cause: cause.into(),
    };
    let (mut reader, writer) = stream.into_split();
    let mine = WireFormatInfo::offer(&offer(uri, options));
    write(&writer, mine.clone())
        .await
        .map_err(|error| lost(format!("write: {error}")))?;
    let mut frames = Frames::new(MAX_HANDSHAKE_FRAME);
    let theirs = read(&mut reader, &mut frames).await.map_err(lost)?;
    let negotiated = negotiate(&mine, &theirs).map_err(|error| lost(error.to_string()))?;
    frames.set_limit(negotiated.format.max_frame_size);
    Ok(Opened {
        reader,
        writer,
        frames,
        negotiated,
    })
}

/// Loose and without cache: what a message needs anyway is small against its body, and an encoder without tables can
/// refuse one command and write the next.
fn offer(uri: &BrokerUri, options: &ConnectOptions) -> Offer {
    Offer {
        tight: false,
        cache: None,
        max_inactivity: options.inactivity,
        host: Some(uri.host().to_owned()),
        ..Offer::default()
    }
}

async fn write(stream: &OwnedWriteHalf, mine: WireFormatInfo) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    Encoder::new(initial_format())
        .encode(&Command::WireFormatInfo(mine), &mut buffer)
        .map_err(io::Error::other)?;
    while !buffer.is_empty() {
        stream.writable().await?;
        match stream.try_write(&buffer) {
            Ok(count) => {
                let _ = buffer.split_to(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read(stream: &mut OwnedReadHalf, frames: &mut Frames) -> Result<WireFormatInfo, String> {
    let mut decoder = Decoder::new(initial_format());
    let command = loop {
        let next = frames.next_command(&mut decoder);
        if let Some(command) = next.map_err(|error| error.to_string())? {
            break command;
        }
        match frames.fill(stream).await {
            Ok(0) => return Err("closed before it introduced itself".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(format!("read: {error}")),
        }
    };
    match command {
        Command::WireFormatInfo(info) => Ok(info),
        other => Err(format!(
            "begins with {} instead of WireFormatInfo",
            other.name()
        )),
    }
}
