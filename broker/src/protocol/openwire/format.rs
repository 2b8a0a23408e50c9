//! Answers and deliveries as OpenWire commands, and those as bytes.
//!
//! The broker's own commands carry command id 0 and never ask for an answer.
//! Exceptions go without stacks: they are strings about this broker, and no
//! client needs more.

use bytes::BytesMut;
use wire::openwire::{
    Base, BrokerId, BrokerInfo, Command, ConnectionError, ConsumerControl, Encoder,
    ExceptionResponse, IntegerResponse, MessageDispatch, ProducerAck, Response, Throwable,
};

use crate::connection::EdgeSettings;
use crate::engine::Engine;
use crate::outbox::Format;
use crate::outgoing::{Delivery, Outgoing, Refusal, Reply};

/// The OpenWire side of an outbox.
pub(super) struct OpenWire {
    encoder: Encoder,
}

impl OpenWire {
    pub(super) fn new(encoder: Encoder) -> OpenWire {
        OpenWire { encoder }
    }
}

impl Format for OpenWire {
    fn encode(&mut self, item: Outgoing, buffer: &mut BytesMut) -> Result<(), String> {
        let encoded = match item {
            // By far the most frequent; it needs no command around it.
            Outgoing::Delivery(delivery) => {
                self.encoder.encode_dispatch(&dispatch(delivery), buffer)
            }
            other => self.encoder.encode(&command(other), buffer),
        };
        encoded.map_err(|error| format!("cannot encode: {error}"))
    }
}

fn dispatch(delivery: Delivery) -> MessageDispatch {
    MessageDispatch {
        base: Base::default(),
        consumer_id: Some(delivery.consumer),
        destination: Some(delivery.destination),
        message: Some(delivery.message),
        redelivery_counter: i32::try_from(delivery.redeliveries).unwrap_or(i32::MAX),
    }
}

fn command(item: Outgoing) -> Command {
    match item {
        Outgoing::Answer {
            correlation,
            result,
        } => answer(correlation, result),
        Outgoing::ProducerAck { producer, size } => ProducerAck {
            producer_id: Some(producer),
            size,
            ..ProducerAck::default()
        }
        .into(),
        Outgoing::AsyncError(refusal) => ConnectionError {
            exception: Some(exception(refusal)),
            ..ConnectionError::default()
        }
        .into(),
        Outgoing::CloseConsumer { consumer } => ConsumerControl {
            consumer_id: Some(consumer),
            close: true,
            ..ConsumerControl::default()
        }
        .into(),
        Outgoing::Command(command) => *command,
        Outgoing::Delivery(delivery) => dispatch(delivery).into(),
        Outgoing::Nothing { consumer } => MessageDispatch {
            consumer_id: Some(consumer),
            ..MessageDispatch::default()
        }
        .into(),
    }
}

fn answer(correlation_id: i32, result: Result<Reply, Refusal>) -> Command {
    let base = Base::default();
    match result {
        Ok(Reply::Ok) => Response {
            base,
            correlation_id,
        }
        .into(),
        Ok(Reply::Integer(result)) => IntegerResponse {
            base,
            correlation_id,
            result,
        }
        .into(),
        Err(refusal) => ExceptionResponse {
            base,
            correlation_id,
            exception: Some(exception(refusal)),
        }
        .into(),
    }
}

fn exception(refusal: Refusal) -> Box<Throwable> {
    Box::new(Throwable::new(refusal.class, refusal.message))
}

/// The first command after negotiation.
pub(super) fn broker_info(engine: &Engine, settings: &EdgeSettings) -> Outgoing {
    let info = BrokerInfo {
        broker_id: Some(BrokerId {
            value: engine.broker_id().into(),
        }),
        broker_name: Some(settings.name.as_str().into()),
        broker_url: Some(settings.url.as_str().into()),
        ..BrokerInfo::default()
    };
    Outgoing::Command(Box::new(info.into()))
}
