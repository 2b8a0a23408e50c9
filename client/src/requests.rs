//! The commands that this client writes, with only the fields that it means.
//!
//! One short function per command; numbers and wishes for an answer are filled in by the exchange.

use wire::openwire::{
    AckKind, Base, Command, ConnectionControl, ConnectionId, ConnectionInfo, ConsumerId,
    ConsumerInfo, Destination, KeepAliveInfo, MessageAck, MessageId, MessagePull, ObjectId,
    ProducerId, ProducerInfo, RemoveInfo, SessionId, SessionInfo, ShutdownInfo, TransactionId,
    TransactionInfo, TransactionKind,
};

use crate::options::ConnectOptions;

/// Sign of life, or the answer to one.
pub(crate) fn keep_alive(response_required: bool) -> Command {
    KeepAliveInfo {
        base: Base {
            response_required,
            ..Base::default()
        },
    }
    .into()
}

/// What a failover client says before it introduces itself again.
pub(crate) fn fault_tolerance() -> Command {
    ConnectionControl {
        fault_tolerant: true,
        ..ConnectionControl::default()
    }
    .into()
}

/// The introduction.
pub(crate) fn connection(options: &ConnectOptions) -> Command {
    let id = options.identity.connection_id();
    let client_id = match &options.client_id {
        Some(given) => given.as_str().into(),
        None => id.value.clone(),
    };
    ConnectionInfo {
        connection_id: Some(id.clone()),
        client_id: Some(client_id),
        user_name: options.user_name.as_ref().map(Into::into),
        password: options.password.as_ref().map(Into::into),
        manageable: true,
        client_master: true,
        fault_tolerant: options.fault_tolerant,
        failover_reconnect: options.identity.was_introduced(),
        ..ConnectionInfo::default()
    }
    .into()
}

pub(crate) fn session(id: &SessionId) -> Command {
    SessionInfo {
        session_id: Some(id.clone()),
        ..SessionInfo::default()
    }
    .into()
}

pub(crate) fn producer(id: &ProducerId, destination: &Destination) -> Command {
    ProducerInfo {
        producer_id: Some(id.clone()),
        destination: Some(destination.clone()),
        ..ProducerInfo::default()
    }
    .into()
}

pub(crate) fn consumer(id: &ConsumerId, destination: &Destination, prefetch: u16) -> Command {
    ConsumerInfo {
        consumer_id: Some(id.clone()),
        destination: Some(destination.clone()),
        prefetch_size: i32::from(prefetch),
        dispatch_async: true,
        ..ConsumerInfo::default()
    }
    .into()
}

/// Asks for one message; `timeout` as on the wire: 0 for ever, -1 not at all, else milliseconds.
pub(crate) fn pull(id: &ConsumerId, destination: &Destination, timeout: i64) -> Command {
    MessagePull {
        consumer_id: Some(id.clone()),
        destination: Some(destination.clone()),
        timeout,
        ..MessagePull::default()
    }
    .into()
}

/// Acknowledges `count` messages from `first` (none: the oldest dispatched) to `last`.
pub(crate) fn ack(
    consumer: &ConsumerId,
    destination: &Destination,
    kind: AckKind,
    first: Option<&MessageId>,
    last: &MessageId,
    count: usize,
) -> MessageAck {
    MessageAck {
        destination: Some(destination.clone()),
        consumer_id: Some(consumer.clone()),
        ack_type: kind.into(),
        first_message_id: first.cloned(),
        last_message_id: Some(last.clone()),
        message_count: i32::try_from(count).unwrap_or(i32::MAX),
        ..MessageAck::default()
    }
}

pub(crate) fn transaction(
    connection: &ConnectionId,
    id: &TransactionId,
    step: TransactionKind,
) -> Command {
    TransactionInfo {
        connection_id: Some(connection.clone()),
        transaction_id: Some(id.clone()),
        transaction_type: step.into(),
        ..TransactionInfo::default()
    }
    .into()
}

/// The end of a consumer, producer, session or connection.
pub(crate) fn remove(what: ObjectId, last_delivered: i64) -> Command {
    RemoveInfo {
        object_id: Some(what),
        last_delivered_sequence_id: last_delivered,
        ..RemoveInfo::default()
    }
    .into()
}

pub(crate) fn shutdown() -> Command {
    ShutdownInfo::default().into()
}
