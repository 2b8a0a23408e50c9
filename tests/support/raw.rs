//! A peer that says whatever a test wants: bytes, half frames, commands that make no sense.

use super::wait::DEADLINE;
use bytes::{Buf, BytesMut};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use wire::openwire::{
    Command, ConnectionInfo, Decoder, Encoder, Offer, WireFormatInfo, frame_length, initial_format,
    negotiate,
};

/// A socket with or without manners.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: BytesMut,
    encoder: Encoder,
    decoder: Decoder,
}

impl Raw {
    /// Connects and says nothing.
    pub(crate) fn connect(uri: &str) -> Self {
        let address = uri.strip_prefix("tcp://").expect("a tcp address");
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a time limit can be set");
        Self {
            stream,
            buffer: BytesMut::new(),
            encoder: Encoder::new(initial_format()),
            decoder: Decoder::new(initial_format()),
        }
    }

    /// Connects and negotiates.
    pub(crate) fn negotiated(uri: &str) -> Self {
        let mut raw = Self::connect(uri);
        let mine = WireFormatInfo::offer(&Offer::default());
        raw.send(mine.clone().into());
        let Some(Command::WireFormatInfo(theirs)) = raw.command() else {
            panic!("the broker does not begin with WireFormatInfo");
        };
        let format = negotiate(&mine, &theirs).expect("a common format").format;
        (raw.encoder, raw.decoder) = (Encoder::new(format), Decoder::new(format));
        raw
    }

    /// Connects, negotiates and is accepted as a client.
    pub(crate) fn introduced(uri: &str, id: &str) -> Self {
        let mut raw = Self::negotiated(uri);
        raw.send(Self::introduction(id));
        while !matches!(
            raw.command().expect("an answer to the introduction"),
            Command::Response(_)
        ) {}
        raw
    }

    /// A ConnectionInfo.
    pub(crate) fn introduction(id: &str) -> Command {
        let mut info = ConnectionInfo {
            connection_id: Some(wire::openwire::ConnectionId { value: id.into() }),
            client_id: Some(id.into()),
            ..ConnectionInfo::default()
        };
        (info.base.command_id, info.base.response_required) = (1, true);
        info.into()
    }

    /// Writes bytes; a peer that has closed already is fine.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Writes a command.
    pub(crate) fn send(&mut self, command: Command) {
        let mut out = BytesMut::new();
        self.encoder
            .encode(&command, &mut out)
            .expect("the test's commands can be written");
        self.write(&out);
    }

    /// The next command, or none when the broker has closed.
    pub(crate) fn command(&mut self) -> Option<Command> {
        loop {
            if let Some(length) =
                frame_length(&self.buffer, usize::MAX).expect("the broker's frames are sound")
                && self.buffer.len() >= 4 + length
            {
                self.buffer.advance(4);
                let frame = self.buffer.split_to(length);
                return Some(
                    self.decoder
                        .decode_slice(&frame)
                        .expect("the broker's commands are sound"),
                );
            }
            let mut part = [0; 4096];
            match self.stream.read(&mut part) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing from the broker: {error}"),
            }
        }
    }

    /// Reads until the broker closes; panics when it does not.
    pub(crate) fn wait_for_close(mut self) {
        while self.command().is_some() {}
    }
}
