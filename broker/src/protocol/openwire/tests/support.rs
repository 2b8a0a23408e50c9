//! A live broker on a free port, a client that speaks commands, and a log that
//! can be read.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::openwire::{
    Base, Command, ConnectionId, ConnectionInfo, Decoder, Encoder, Negotiated, Offer,
    WireFormatInfo, frame_length, initial_format, negotiate,
};

use crate::config::ListenUri;
use crate::connection::{Edge, EdgeSettings, serve};
use crate::engine::{Engine, EngineSettings};
use crate::listener;
use crate::logs::Gate;

/// Nothing in these tests takes this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A broker on a port of its own, with its own directory.
pub(super) struct Broker {
    pub(super) address: SocketAddr,
    pub(super) edge: Arc<Edge>,
    _directory: tempfile::TempDir,
}

pub(super) fn settings() -> EdgeSettings {
    EdgeSettings {
        name: "test".to_owned(),
        url: "tcp://127.0.0.1:0".to_owned(),
        max_frame: 1024 * 1024,
        max_inactivity: Duration::from_secs(30),
        initial_delay: Duration::from_secs(10),
        handshake_timeout: PATIENCE,
        max_connections: 100,
        max_waiting: 100,
    }
}

impl Broker {
    pub(super) async fn start(settings: EdgeSettings) -> Broker {
        let directory = tempfile::tempdir().unwrap();
        let engine = engine(directory.path());
        let edge = Edge::new(engine, settings, CancellationToken::new());
        let uri = ListenUri {
            host: "127.0.0.1".to_owned(),
            port: 0,
        };
        let listener = listener::bind(&uri).await.unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let serving = Arc::clone(&edge);
        let refusals = Arc::new(Gate::new(1, PATIENCE));
        tokio::spawn(listener::run(
            listener,
            edge.stop.clone(),
            refusals,
            move |socket, remote| {
                tokio::spawn(serve(Arc::clone(&serving), socket, remote));
            },
        ));
        Broker {
            address,
            edge,
            _directory: directory,
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.edge.stop.cancel();
        self.edge.engine.close();
    }
}

fn engine(directory: &std::path::Path) -> Arc<Engine> {
    let held = crate::boot::testing::held(directory);
    let settings = EngineSettings::default();
    Engine::start(
        directory,
        held,
        settings,
        Box::new(|cause| panic!("lost: {cause}")),
    )
    .unwrap()
    .0
}

/// The client's side of a connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    encoder: Encoder,
    decoder: Decoder,
    buffer: BytesMut,
    /// What both sides agreed on.
    pub(super) agreed: Negotiated,
    next_id: i32,
}

impl Client {
    /// Connects and negotiates; the next command is the broker's BrokerInfo.
    pub(super) async fn negotiate(address: SocketAddr, offer: &Offer) -> Client {
        Client::open(address, WireFormatInfo::offer(offer)).await
    }

    /// The same with a ready WireFormatInfo.
    pub(super) async fn open(address: SocketAddr, mine: WireFormatInfo) -> Client {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut buffer = BytesMut::new();
        Encoder::new(initial_format())
            .encode(&mine.clone().into(), &mut buffer)
            .unwrap();
        stream.write_all(&buffer).await.unwrap();
        buffer.clear();
        let mut first = Decoder::new(initial_format());
        let theirs = match read(&mut stream, &mut buffer, &mut first).await {
            Some(Command::WireFormatInfo(theirs)) => theirs,
            other => panic!("no WireFormatInfo but {other:?}"),
        };
        let agreed = negotiate(&mine, &theirs).unwrap();
        Client {
            stream,
            encoder: Encoder::new(agreed.format),
            decoder: Decoder::new(agreed.format),
            buffer,
            agreed,
            next_id: 1,
        }
    }

    /// A connected client of this name, BrokerInfo read and dropped.
    pub(super) async fn connect(address: SocketAddr, offer: &Offer, name: &str) -> Client {
        let mut client = Client::negotiate(address, offer).await;
        assert!(matches!(
            client.receive().await,
            Some(Command::BrokerInfo(_))
        ));
        let answer = client.request(connection_info(name)).await;
        assert!(matches!(answer, Command::Response(_)), "{answer:?}");
        client
    }

    pub(super) async fn send(&mut self, command: &Command) {
        let bytes = self.frame(command);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// What `send` would write.
    pub(super) fn frame(&mut self, command: &Command) -> BytesMut {
        let mut bytes = BytesMut::new();
        self.encoder.encode(command, &mut bytes).unwrap();
        bytes
    }

    /// Sends with a fresh id and waits for the answer to it.
    pub(super) async fn request(&mut self, mut command: Command) -> Command {
        let id = self.next_id;
        self.next_id += 1;
        *command.base_mut().unwrap() = Base {
            command_id: id,
            response_required: true,
        };
        self.send(&command).await;
        loop {
            let received = self.receive().await.expect("an answer");
            if received.correlation_id() == Some(id) {
                return received;
            }
        }
    }

    /// The next command, or None at the end of the stream.
    pub(super) async fn receive(&mut self) -> Option<Command> {
        read(&mut self.stream, &mut self.buffer, &mut self.decoder).await
    }

    /// Reads on until the broker ends the connection.
    pub(super) async fn expect_end(&mut self) {
        while self.receive().await.is_some() {}
    }

    /// Proves that the connection still works in both directions.
    pub(super) async fn ping(&mut self) {
        let mut ping = Command::KeepAliveInfo(wire::openwire::KeepAliveInfo::default());
        ping.base_mut().unwrap().response_required = true;
        self.send(&ping).await;
        loop {
            let received = self.receive().await.expect("the ping's echo");
            if matches!(received, Command::KeepAliveInfo(_)) {
                assert!(!received.response_required());
                return;
            }
        }
    }
}

async fn read(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    decoder: &mut Decoder,
) -> Option<Command> {
    loop {
        if let Some(length) = frame_length(buffer, usize::MAX).unwrap()
            && buffer.len() >= 4 + length
        {
            buffer.advance(4);
            let frame = buffer.split_to(length).freeze();
            return Some(decoder.decode(frame).unwrap());
        }
        match timeout(PATIENCE, stream.read_buf(buffer))
            .await
            .expect("in time")
        {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

pub(super) fn connection_info(name: &str) -> Command {
    ConnectionInfo {
        connection_id: Some(ConnectionId { value: name.into() }),
        client_id: Some(name.into()),
        manageable: true,
        client_master: true,
        ..ConnectionInfo::default()
    }
    .into()
}

/// The log of this thread; the tests run their broker's tasks on it.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Catches the log until the guard goes.
    pub(super) fn catch() -> (Log, tracing::subscriber::DefaultGuard) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Causes of all lines with this event so far.
    pub(super) fn causes(&self, event: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .filter(|line| line["event"] == event)
            .map(|line| line["cause"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits until there are so many lines with this event.
    pub(super) async fn wait(&self, event: &str, count: usize) -> Vec<String> {
        let found = async {
            loop {
                let causes = self.causes(event);
                if causes.len() >= count {
                    return causes;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, found).await.expect("the log lines")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
