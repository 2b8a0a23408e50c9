//! A broker made of a closure, for the tests of this crate: real sockets on port 0, real frames, no store.
//!
//! It negotiates, says who it is, records every command and answers what the closure says. `raw` peers skip even that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use wire::openwire::{
    BrokerId, BrokerInfo, Command, ConsumerInfo, Decoder, Destination, Encoder, ExceptionResponse,
    Message as WireMessage, MessageDispatch, MessageId, Offer, ProducerId, Response, Throwable,
    WireFormatInfo, frame_length, initial_format, negotiate,
};

use crate::options::ConnectOptions;
use crate::uri::BrokerUri;

/// Everything here takes milliseconds; this is for a machine that is busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What the closure does with a command.
#[derive(Default)]
pub(crate) struct Replies {
    pub(crate) commands: Vec<Command>,
    /// Close the socket after these.
    pub(crate) close: bool,
}

impl Replies {
    /// A plain yes, when one is asked for.
    pub(crate) fn yes(&mut self, command: &Command) {
        if command.response_required() {
            self.commands.push(yes_to(command));
        }
    }

    /// An exception.
    pub(crate) fn no(&mut self, command: &Command, class: &str, message: &str) {
        self.commands.push(
            ExceptionResponse {
                correlation_id: command.command_id(),
                exception: Some(Box::new(Throwable::new(class, message))),
                ..ExceptionResponse::default()
            }
            .into(),
        );
    }
}

pub(crate) fn yes_to(command: &Command) -> Command {
    Response {
        correlation_id: command.command_id(),
        ..Response::default()
    }
    .into()
}

/// A listening fake.
pub(crate) struct FakeBroker {
    pub(crate) uri: BrokerUri,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    commands: Mutex<Vec<Command>>,
    /// Sockets that the client has closed.
    closed: AtomicUsize,
    grown: Notify,
}

impl FakeBroker {
    /// Accepts any number of connections; `behave` gets the number of the connection, from 1, and each command.
    pub(crate) async fn start(
        behave: impl Fn(usize, &Command, &mut Replies) + Send + Sync + 'static,
    ) -> Self {
        let (listener, uri) = listen().await;
        let seen = Arc::new(Seen::default());
        let (record, behave) = (Arc::clone(&seen), Arc::new(behave));
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                number += 1;
                tokio::spawn(serve(
                    stream,
                    number,
                    Arc::clone(&record),
                    Arc::clone(&behave),
                ));
            }
        });
        Self { uri, seen }
    }

    /// One that says yes to everything.
    pub(crate) async fn agreeable() -> Self {
        Self::start(|_, command, replies| replies.yes(command)).await
    }

    /// Waits until a command that fits was seen.
    pub(crate) async fn saw<T>(&self, what: &str, fits: impl Fn(&Command) -> Option<T>) -> T {
        let looking = async {
            loop {
                let grown = self.seen.grown.notified();
                tokio::pin!(grown);
                grown.as_mut().enable();
                if let Some(found) = self.commands().iter().find_map(&fits) {
                    return found;
                }
                grown.await;
            }
        };
        match tokio::time::timeout(DEADLINE, looking).await {
            Ok(found) => found,
            Err(_) => panic!("no {what} among {:?}", self.names()),
        }
    }

    /// Waits until a client has closed its socket.
    pub(crate) async fn saw_close(&self) {
        let looking = async {
            loop {
                let grown = self.seen.grown.notified();
                tokio::pin!(grown);
                grown.as_mut().enable();
                if self.seen.closed.load(Ordering::Relaxed) > 0 {
                    return;
                }
                grown.await;
            }
        };
        let closed = tokio::time::timeout(DEADLINE, looking).await;
        assert!(closed.is_ok(), "no socket was closed");
    }

    /// Everything so far.
    pub(crate) fn commands(&self) -> Vec<Command> {
        self.seen.commands.lock().unwrap().clone()
    }

    /// The names of everything so far.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.commands().iter().map(Command::name).collect()
    }
}

/// A peer that writes `bytes` as soon as it is connected to, and then closes, or stays silent.
pub(crate) async fn raw_peer(bytes: Vec<u8>, stays: bool) -> BrokerUri {
    let (listener, uri) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        if !stays {
            // Only our half: a socket closed with unread bytes would be reset.
            stream.shutdown().await.unwrap();
        }
        let mut ignored = Vec::new();
        let _ = stream.read_to_end(&mut ignored).await;
    });
    uri
}

/// A peer that negotiates, waits for the introduction and then writes `bytes`.
pub(crate) async fn rude_peer(bytes: Vec<u8>) -> BrokerUri {
    let (listener, uri) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = Peer::negotiated(stream).await.unwrap();
        peer.command().await.unwrap();
        peer.stream.write_all(&bytes).await.unwrap();
        let mut ignored = Vec::new();
        let _ = peer.stream.read_to_end(&mut ignored).await;
    });
    uri
}

async fn listen() -> (TcpListener, BrokerUri) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, uri.parse().unwrap())
}

/// Options with a short patience for handshakes.
pub(crate) fn impatient() -> ConnectOptions {
    ConnectOptions {
        handshake_timeout: Duration::from_millis(200),
        ..ConnectOptions::default()
    }
}

/// The dispatch of a text message to a consumer.
pub(crate) fn dispatch(info: &ConsumerInfo, number: i64, text: &str) -> Command {
    let mut message = WireMessage {
        message_id: Some(MessageId {
            producer_id: Some(ProducerId {
                connection_id: "ID:other:1".into(),
                value: 1,
                session_id: 1,
            }),
            producer_sequence_id: number,
            broker_sequence_id: 1_000 + number,
            ..MessageId::default()
        }),
        destination: info.destination.clone(),
        persistent: true,
        ..WireMessage::default()
    };
    message.set_text(text).unwrap();
    MessageDispatch {
        consumer_id: info.consumer_id.clone(),
        destination: info.destination.clone(),
        message: Some(Arc::new(message)),
        ..MessageDispatch::default()
    }
    .into()
}

pub(crate) fn queue() -> Destination {
    Destination::queue("Q")
}

struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    encoder: Encoder,
    decoder: Decoder,
}

impl Peer {
    async fn negotiated(stream: TcpStream) -> Option<Self> {
        let mine = WireFormatInfo::offer(&Offer::default());
        let mut peer = Self {
            stream,
            buffer: BytesMut::new(),
            encoder: Encoder::new(initial_format()),
            decoder: Decoder::new(initial_format()),
        };
        peer.write(&[Command::WireFormatInfo(mine.clone())]).await?;
        let Some(Command::WireFormatInfo(theirs)) = peer.command().await else {
            return None;
        };
        let format = negotiate(&mine, &theirs).unwrap().format;
        (peer.encoder, peer.decoder) = (Encoder::new(format), Decoder::new(format));
        let info = BrokerInfo {
            broker_id: Some(BrokerId {
                value: "ID:fake".into(),
            }),
            broker_name: Some("fake".into()),
            ..BrokerInfo::default()
        };
        peer.write(&[info.into()]).await?;
        Some(peer)
    }

    async fn command(&mut self) -> Option<Command> {
        loop {
            if let Some(length) = frame_length(&self.buffer, usize::MAX).unwrap()
                && self.buffer.len() >= 4 + length
            {
                self.buffer.advance(4);
                let frame = self.buffer.split_to(length);
                return Some(self.decoder.decode_slice(&frame).unwrap());
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn write(&mut self, commands: &[Command]) -> Option<()> {
        let mut out = BytesMut::new();
        for command in commands {
            self.encoder.encode(command, &mut out).unwrap();
        }
        self.stream.write_all(&out).await.ok()
    }
}

async fn serve(
    stream: TcpStream,
    number: usize,
    seen: Arc<Seen>,
    behave: Arc<impl Fn(usize, &Command, &mut Replies)>,
) {
    let Some(mut peer) = Peer::negotiated(stream).await else {
        return;
    };
    while let Some(command) = peer.command().await {
        let mut replies = Replies::default();
        behave(number, &command, &mut replies);
        seen.commands.lock().unwrap().push(command);
        seen.grown.notify_waiters();
        if peer.write(&replies.commands).await.is_none() || replies.close {
            return;
        }
    }
    seen.closed.fetch_add(1, Ordering::Relaxed);
    seen.grown.notify_waiters();
}
