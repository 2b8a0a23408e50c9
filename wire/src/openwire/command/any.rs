//! [`Command`]: any structure that has a type id, and null.

use std::sync::Arc;

use super::*;
use crate::error::Error;
use crate::openwire::marshal::{Reader, Structure, Writer};
use crate::openwire::type_id;

/// What may stand where the wire has any structure at all: in advisories and
/// in responses that carry data.
pub type DataStructure = Command;

/// The enum, its conversions, and the dispatch by type id. A `single`
/// structure has one type id and is a command when `based`, data when `plain`.
macro_rules! commands {
    (
        based { $($(#[$based_meta:meta])* $based:ident($based_type:ty),)* }
        plain { $($(#[$plain_meta:meta])* $plain:ident($plain_type:ty),)* }
    ) => {
        /// Any command or data structure. Only commands are sent on their own
        /// by a sane peer; the rest are parts of commands.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Command {
            /// The null command, to be ignored; in data, an absent value.
            Null,
            /// A message sent by a client or passed on by a bridge; shared, because brokers keep it as it came.
            Message(Arc<Message>),
            /// A destination.
            Destination(Destination),
            /// A transaction id of either kind.
            TransactionId(TransactionId),
            $($(#[$based_meta])* $based($based_type),)*
            $($(#[$plain_meta])* $plain($plain_type),)*
        }

        $(impl From<$based> for Command {
            fn from(value: $based) -> Self {
                Self::$based(value.into())
            }
        })*
        $(impl From<$plain> for Command {
            fn from(value: $plain) -> Self {
                Self::$plain(value.into())
            }
        })*

        impl Command {
            /// Number and wish for an answer, of what has them.
            #[must_use]
            pub fn base(&self) -> Option<&Base> {
                match self {
                    Self::Message(message) => Some(&message.base),
                    $(Self::$based(command) => Some(&command.base),)*
                    _ => None,
                }
            }

            /// [`Command::base`], to be set.
            pub fn base_mut(&mut self) -> Option<&mut Base> {
                match self {
                    Self::Message(message) => Some(&mut Arc::make_mut(message).base),
                    $(Self::$based(command) => Some(&mut command.base),)*
                    _ => None,
                }
            }

            /// The name of the structure, for logs.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    Self::Null => "Null",
                    Self::Message(_) => Message::NAME,
                    Self::Destination(_) => Destination::NAME,
                    Self::TransactionId(_) => TransactionId::NAME,
                    $(Self::$based(_) => $based::NAME,)*
                    $(Self::$plain(_) => $plain::NAME,)*
                }
            }
        }

        impl Structure for Command {
            const NAME: &'static str = "DataStructure";

            fn type_id(&self) -> u8 {
                match self {
                    Self::Null => type_id::NULL,
                    Self::Message(value) => value.type_id(),
                    Self::Destination(value) => value.type_id(),
                    Self::TransactionId(value) => value.type_id(),
                    $(Self::$based(_) => $based::TYPE_ID,)*
                    $(Self::$plain(_) => $plain::TYPE_ID,)*
                }
            }

            fn write_fields<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
                match self {
                    Self::Null => Ok(()),
                    Self::Message(value) => value.write_fields(w),
                    Self::Destination(value) => value.write_fields(w),
                    Self::TransactionId(value) => value.write_fields(w),
                    $(Self::$based(value) => value.write_fields(w),)*
                    $(Self::$plain(value) => value.write_fields(w),)*
                }
            }

            fn read_fields<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error> {
                match type_id {
                    type_id::ACTIVEMQ_MESSAGE..=type_id::ACTIVEMQ_BLOB_MESSAGE => {
                        Ok(Self::Message(Arc::new(Message::read_fields(type_id, r)?)))
                    }
                    type_id::ACTIVEMQ_QUEUE..=type_id::ACTIVEMQ_TEMP_TOPIC => {
                        Destination::read_fields(type_id, r).map(Self::Destination)
                    }
                    type_id::LOCAL_TRANSACTION_ID..=type_id::XA_TRANSACTION_ID => {
                        TransactionId::read_fields(type_id, r).map(Self::TransactionId)
                    }
                    $($based::TYPE_ID => Ok(Self::$based($based::read_fields(type_id, r)?.into())),)*
                    $($plain::TYPE_ID => Ok(Self::$plain($plain::read_fields(type_id, r)?.into())),)*
                    _ => Err(Error::UnknownType { type_id, version: r.version() }),
                }
            }

            fn null() -> Option<Self> {
                Some(Self::Null)
            }

            fn is_null(&self) -> bool {
                matches!(self, Self::Null)
            }
        }
    };
}

// Boxed are those above 80 bytes, so that moving a command stays cheap.
commands! {
    based {
        /// A broker about itself.
        BrokerInfo(Box<BrokerInfo>),
        /// A client introduces itself.
        ConnectionInfo(Box<ConnectionInfo>),
        /// A session introduces itself.
        SessionInfo(SessionInfo),
        /// A consumer subscribes.
        ConsumerInfo(Box<ConsumerInfo>),
        /// A producer introduces itself.
        ProducerInfo(Box<ProducerInfo>),
        /// A step of a transaction.
        TransactionInfo(Box<TransactionInfo>),
        /// A destination is made or removed.
        DestinationInfo(Box<DestinationInfo>),
        /// A durable subscription goes.
        RemoveSubscriptionInfo(RemoveSubscriptionInfo),
        /// Sign of life.
        KeepAliveInfo(KeepAliveInfo),
        /// The clean end of a connection.
        ShutdownInfo(ShutdownInfo),
        /// A connection, session, consumer or producer goes.
        RemoveInfo(RemoveInfo),
        /// A command by name.
        ControlCommand(ControlCommand),
        /// Wants nothing but an answer.
        FlushCommand(FlushCommand),
        /// An error that answers no request.
        ConnectionError(ConnectionError),
        /// Steers a consumer.
        ConsumerControl(Box<ConsumerControl>),
        /// Steers a connection.
        ConnectionControl(Box<ConnectionControl>),
        /// Gives a producer its window back.
        ProducerAck(ProducerAck),
        /// Asks for a message.
        MessagePull(Box<MessagePull>),
        /// A message for a consumer.
        MessageDispatch(MessageDispatch),
        /// What became of messages.
        MessageAck(Box<MessageAck>),
        /// Done.
        Response(Response),
        /// Refused.
        ExceptionResponse(ExceptionResponse),
        /// Done, with a result.
        DataResponse(DataResponse),
        /// Done, with results.
        DataArrayResponse(DataArrayResponse),
        /// Done, with a number.
        IntegerResponse(IntegerResponse),
        /// Asks for UDP commands again.
        ReplayCommand(ReplayCommand),
        /// A dispatch, told to a slave.
        MessageDispatchNotification(Box<MessageDispatchNotification>),
        /// Durable subscriptions of a bridged broker.
        BrokerSubscriptionInfo(BrokerSubscriptionInfo),
    }
    plain {
        /// The opening of a connection.
        WireFormatInfo(WireFormatInfo),
        /// A broker was found or lost.
        DiscoveryEvent(DiscoveryEvent),
        /// Store only.
        JournalTopicAck(Box<JournalTopicAck>),
        /// Store only.
        JournalQueueAck(JournalQueueAck),
        /// Store only.
        JournalTrace(JournalTrace),
        /// Store only.
        JournalTransaction(Box<JournalTransaction>),
        /// A durable subscription as data.
        SubscriptionInfo(Box<SubscriptionInfo>),
        /// A piece of a command.
        PartialCommand(PartialCommand),
        /// The last piece of a command.
        LastPartialCommand(LastPartialCommand),
        /// What a bridge does not want.
        NetworkBridgeFilter(NetworkBridgeFilter),
        /// A message's id.
        MessageId(Box<MessageId>),
        /// A connection's id.
        ConnectionId(ConnectionId),
        /// A session's id.
        SessionId(SessionId),
        /// A consumer's id.
        ConsumerId(ConsumerId),
        /// A producer's id.
        ProducerId(ProducerId),
        /// A broker's id.
        BrokerId(BrokerId),
    }
}

impl From<Message> for Command {
    fn from(value: Message) -> Self {
        Self::Message(Arc::new(value))
    }
}

impl From<Destination> for Command {
    fn from(value: Destination) -> Self {
        Self::Destination(value)
    }
}

impl From<TransactionId> for Command {
    fn from(value: TransactionId) -> Self {
        Self::TransactionId(value)
    }
}

impl Command {
    /// The sender's number of this command; 0 for what has none.
    #[must_use]
    pub fn command_id(&self) -> i32 {
        self.base().map_or(0, |base| base.command_id)
    }

    /// True if the peer must answer.
    #[must_use]
    pub fn response_required(&self) -> bool {
        self.base().is_some_and(|base| base.response_required)
    }

    /// The request that this is the response to.
    #[must_use]
    pub fn correlation_id(&self) -> Option<i32> {
        match self {
            Self::Response(response) => Some(response.correlation_id),
            Self::ExceptionResponse(response) => Some(response.correlation_id),
            Self::DataResponse(response) => Some(response.correlation_id),
            Self::DataArrayResponse(response) => Some(response.correlation_id),
            Self::IntegerResponse(response) => Some(response.correlation_id),
            _ => None,
        }
    }
}
