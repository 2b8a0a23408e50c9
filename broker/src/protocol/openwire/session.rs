//! Commands of one connection, in order, as calls on the engine's `Peer`.
//!
//! A command that asks for an answer gets exactly one: sends, acknowledgements
//! and transaction ends are answered by the engine once they are durable, the
//! rest here at once. An error of a command that asked for none goes out as
//! ConnectionError. Not here: what the commands do.

use std::net::SocketAddr;
use std::sync::Arc;

use wire::openwire::{
    Base, Command, ConnectionControl, ConnectionId, ConnectionInfo, DestinationInfo, KeepAliveInfo,
    Message, ObjectId, ProducerInfo, RemoveInfo, SessionInfo,
};

use crate::admission::{ClientPlace, WaitingPlace};
use crate::connection::{Edge, End};
use crate::engine::Hello;
use crate::limits;
use crate::outbox::Outbox;
use crate::outgoing::{Outgoing, Refusal, Reply};
use crate::peer::{Admission, Cause, Peer};

/// Whether the connection may go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Go,
    /// Too much is under way: wait for `room` first.
    Wait,
}

/// One connection from its BrokerInfo on.
pub(super) struct Session {
    edge: Arc<Edge>,
    outbox: Arc<Outbox>,
    remote: SocketAddr,
    stage: Stage,
    /// The peer said ConnectionControl{faultTolerant} before its ConnectionInfo.
    fault_tolerant: bool,
    /// The peer said BrokerInfo: it is another broker.
    network: bool,
    max_frame: usize,
}

/// How far the peer has come.
enum Stage {
    /// No client yet; it may stay so for ever (spare sockets of `failover:`).
    Waiting(#[allow(dead_code)] WaitingPlace),
    Client(Box<Client>),
    /// It has removed its connection and only says goodbye.
    Left,
}

/// A connected client.
struct Client {
    peer: Peer,
    id: ConnectionId,
    _place: ClientPlace,
}

impl Session {
    pub(super) fn new(
        edge: Arc<Edge>,
        outbox: Arc<Outbox>,
        remote: SocketAddr,
        place: WaitingPlace,
    ) -> Session {
        Session {
            edge,
            outbox,
            remote,
            stage: Stage::Waiting(place),
            fault_tolerant: false,
            network: false,
            max_frame: limits::MAX_EARLY_FRAME_BYTES,
        }
    }

    /// The agreed limit, which counts once the peer is a client.
    pub(super) fn set_max_frame(&mut self, bytes: usize) {
        self.max_frame = bytes;
    }

    /// Largest frame accepted now.
    pub(super) fn frame_limit(&self) -> usize {
        match self.stage {
            Stage::Client(_) => self.max_frame,
            Stage::Waiting(_) | Stage::Left => self.max_frame.min(limits::MAX_EARLY_FRAME_BYTES),
        }
    }

    /// Executes one command.
    pub(super) fn handle(&mut self, command: Command) -> Result<Step, End> {
        match command {
            Command::Message(message) => return self.send(message),
            Command::MessageAck(ack) => self.acknowledge(*ack)?,
            Command::MessagePull(pull) => self.pull(&pull)?,
            Command::TransactionInfo(info) => self.transact(*info)?,
            Command::ConsumerInfo(info) => self.add_consumer(*info)?,
            Command::ConsumerControl(control) => self.control_consumer(&control)?,
            Command::ProducerInfo(info) => self.add_producer(*info)?,
            Command::SessionInfo(info) => self.add_session(info)?,
            Command::DestinationInfo(info) => self.change_destination(*info)?,
            Command::RemoveInfo(info) => self.remove(info)?,
            Command::RemoveSubscriptionInfo(info) => {
                let refusal = Refusal::unsupported("durable subscriptions are not supported");
                self.answer(&info.base, Err(refusal));
            }
            Command::ConnectionInfo(info) => self.connect(*info)?,
            other => self.housekeeping(other)?,
        }
        Ok(Step::Go)
    }

    /// Commands about the connection itself; most need no more than an answer.
    fn housekeeping(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::KeepAliveInfo(info) => self.keep_alive(info),
            Command::ConnectionControl(control) => {
                self.fault_tolerant |= control.fault_tolerant;
                self.answer(&control.base, Ok(()));
            }
            Command::BrokerInfo(info) => {
                // The start of a bridge: served as a client whose messages
                // carry the ids of many producers. No reply.
                self.network = true;
                self.answer(&info.base, Ok(()));
            }
            Command::ShutdownInfo(_) => return Err(End::Goodbye),
            Command::WireFormatInfo(_) => return Err(End::Unexpected("second WireFormatInfo")),
            // Failover replays Response commands of its own making; the others
            // mean nothing in this direction (openwire 5.12).
            other => {
                if let Some(base) = other.base() {
                    self.answer(base, Ok(()));
                }
            }
        }
        Ok(())
    }

    /// A keep-alive that asks for an answer gets itself back, not a Response.
    fn keep_alive(&self, mut info: KeepAliveInfo) {
        if info.base.response_required {
            info.base.response_required = false;
            self.push(Command::KeepAliveInfo(info));
        }
    }

    fn connect(&mut self, info: ConnectionInfo) -> Result<(), End> {
        let Some(id) = info.connection_id.clone() else {
            return Err(End::Unexpected("ConnectionInfo without a connection id"));
        };
        match &self.stage {
            Stage::Client(client) if client.id == id => {
                self.answer(&info.base, Ok(()));
                return Ok(());
            }
            Stage::Waiting(_) => {}
            Stage::Client(_) | Stage::Left => {
                return Err(End::Unexpected("second ConnectionInfo"));
            }
        }
        let base = info.base;
        let manageable = info.manageable;
        match self.admit(id, info) {
            Ok(client) => {
                self.stage = Stage::Client(Box::new(client));
                if manageable {
                    self.push(no_cluster());
                }
                self.answer(&base, Ok(()));
                Ok(())
            }
            Err(Turned::Away(end)) => Err(end),
            Err(Turned::Refused(refusal)) => {
                let text = refusal.to_string();
                self.answer(&base, Err(refusal));
                Err(End::Refused(text))
            }
        }
    }

    fn admit(&self, id: ConnectionId, info: ConnectionInfo) -> Result<Client, Turned> {
        if info
            .client_id
            .as_ref()
            .is_none_or(wire::openwire::Text::is_empty)
        {
            let text = "No clientID specified for connection request";
            return Err(Turned::Refused(Refusal::invalid_client_id(text)));
        }
        let hello = Hello {
            connection: id.clone(),
            client_id: info.client_id,
            fault_tolerant: self.fault_tolerant || info.fault_tolerant,
            failover_reconnect: info.failover_reconnect,
            network: self.network,
            remote: format!("tcp://{}", self.remote),
        };
        let evicted = Arc::downgrade(&self.outbox);
        let evict = Box::new(move || {
            if let Some(outbox) = evicted.upgrade() {
                outbox.close();
            }
        });
        let peer = self
            .edge
            .engine
            .connect(hello, Arc::clone(&self.outbox), evict);
        let peer = peer.map_err(Turned::Refused)?;
        // Asked after the engine, which has just evicted the client's own dead
        // socket: its place may be the one that is needed.
        let place = self
            .edge
            .admission
            .client()
            .ok_or_else(|| Turned::Away(End::NoPlace(self.edge.admission.clients_limit())))?;
        Ok(Client {
            peer,
            id,
            _place: place,
        })
    }

    fn send(&mut self, message: Arc<Message>) -> Result<Step, End> {
        let answer = wanted(&message.base);
        match self.peer()?.send(message, answer) {
            Admission::Go => Ok(Step::Go),
            Admission::Wait => Ok(Step::Wait),
        }
    }

    fn add_session(&mut self, info: SessionInfo) -> Result<(), End> {
        if let Some(id) = info.session_id {
            self.peer()?.add_session(id);
        }
        self.answer(&info.base, Ok(()));
        Ok(())
    }

    fn add_producer(&mut self, info: ProducerInfo) -> Result<(), End> {
        let Some(id) = info.producer_id else {
            return Err(End::Unexpected("ProducerInfo without an id"));
        };
        let result = self
            .peer()?
            .add_producer(id, info.destination, info.window_size);
        self.answer(&info.base, result);
        Ok(())
    }

    /// Temporary destinations come and go; others exist by being used.
    fn change_destination(&mut self, info: DestinationInfo) -> Result<(), End> {
        let Some(destination) = info.destination else {
            return Err(End::Unexpected("DestinationInfo without a destination"));
        };
        let remove = info.operation_type == DestinationInfo::REMOVE;
        let peer = self.peer()?;
        let result = match (destination.is_temporary(), remove) {
            (true, false) => peer.add_temporary(destination),
            (true, true) => peer.remove_temporary(destination),
            (false, false) => Ok(()),
            (false, true) => {
                let text = format!("{destination} cannot be removed by clients");
                Err(Refusal::unsupported(text))
            }
        };
        self.answer(&info.base, result);
        Ok(())
    }

    fn remove(&mut self, info: RemoveInfo) -> Result<(), End> {
        let last = info.last_delivered_sequence_id;
        match info.object_id {
            Some(ObjectId::Consumer(id)) => self.peer()?.remove_consumer(&id, last),
            Some(ObjectId::Producer(id)) => self.peer()?.remove_producer(&id),
            Some(ObjectId::Session(id)) => self.peer()?.remove_session(&id, last),
            Some(ObjectId::Connection(_)) => {
                let stage = std::mem::replace(&mut self.stage, Stage::Left);
                if let Stage::Client(client) = stage {
                    client.peer.close(Cause::Closed {
                        last_delivered: last,
                    });
                }
            }
            None => {}
        }
        self.answer(&info.base, Ok(()));
        Ok(())
    }

    /// Ends a burst: what was gathered takes effect and is written.
    pub(super) fn flush(&mut self) {
        if let Stage::Client(client) = &mut self.stage {
            client.peer.flush_touched();
        }
        self.outbox.flush();
    }

    /// Resolves when the engine takes more of this client.
    pub(super) async fn room(&self) {
        if let Stage::Client(client) = &self.stage {
            client.peer.room().await;
        }
    }

    /// Whether the client does not read its answers.
    pub(super) fn is_behind(&self) -> bool {
        self.outbox.load() > limits::OUTBOX_STOP_READING_BYTES
    }

    /// Resolves when it has read most of them.
    pub(super) async fn caught_up(&self) {
        self.outbox
            .until_below(limits::OUTBOX_STOP_READING_BYTES / 2)
            .await;
    }

    /// The connection ended: all that the client holds goes back.
    pub(super) fn leave(&mut self) {
        if let Stage::Client(client) = std::mem::replace(&mut self.stage, Stage::Left) {
            client.peer.close(Cause::Lost);
        }
    }

    /// The engine's side of the client. Commands before ConnectionInfo, or
    /// after the connection was removed, have no place to go.
    pub(super) fn peer(&mut self) -> Result<&mut Peer, End> {
        match &mut self.stage {
            Stage::Client(client) => Ok(&mut client.peer),
            Stage::Waiting(_) => Err(End::Unexpected("command before ConnectionInfo")),
            Stage::Left => Err(End::Unexpected("command after the connection was removed")),
        }
    }

    /// Says what came of a command, in the way that it asked for.
    pub(super) fn answer(&self, base: &Base, result: Result<(), Refusal>) {
        let item = match (wanted(base), result) {
            (Some(correlation), result) => Outgoing::Answer {
                correlation,
                result: result.map(|()| Reply::Ok),
            },
            (None, Err(refusal)) => Outgoing::AsyncError(refusal),
            (None, Ok(())) => return,
        };
        self.outbox.push(item);
    }

    fn push(&self, command: Command) {
        self.outbox.push(Outgoing::Command(Box::new(command)));
    }
}

/// Why a ConnectionInfo did not make a client.
enum Turned {
    Refused(Refusal),
    Away(End),
}

/// The id to answer to, if an answer is wanted.
pub(super) fn wanted(base: &Base) -> Option<i32> {
    base.response_required.then_some(base.command_id)
}

/// "Stay with the URIs that you were configured with": slaves do not listen,
/// so there is nothing that a client could be told to connect to.
fn no_cluster() -> Command {
    ConnectionControl {
        connected_brokers: Some("".into()),
        reconnect_to: Some("".into()),
        ..ConnectionControl::default()
    }
    .into()
}
