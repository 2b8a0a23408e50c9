//! A message: headers, properties and content. Properties and content stay
//! the bytes they came as; `property_map.rs` and `body.rs` read them for who
//! wants to know.

use bytes::Bytes;

use super::any::DataStructure;
use super::base::Base;
use super::destination::Destination;
use super::ids::{BrokerId, ConsumerId, ProducerId};
use super::message_id::MessageId;
use super::message_kind::MessageKind;
use super::transaction_id::TransactionId;
use crate::error::Error;
use crate::openwire::marshal::{Reader, Structure, Writer, fields};
use crate::openwire::text::Text;
use crate::openwire::type_id;

fields! {
    /// A message of any kind. Times are milliseconds since 1970, 0 is none.
    #[derive(PartialEq, Eq)]
    pub struct Message {
        /// What the content is. On the wire it is the type id.
        pub kind: MessageKind => outside,
        /// Number and wish for an answer, as its producer sent them; a
        /// dispatch keeps them, and there they are not a request.
        pub base: Base => base,
        /// Who sent it.
        pub producer_id: Option<ProducerId> => cached,
        /// Where to.
        pub destination: Option<Destination> => cached,
        /// The transaction it was sent in.
        pub transaction_id: Option<TransactionId> => cached,
        /// Where to before the broker redirected it.
        pub original_destination: Option<Destination> => cached,
        /// Its id.
        pub message_id: Option<MessageId> => nested,
        /// The transaction it was sent in, across a bridge.
        pub original_transaction_id: Option<TransactionId> => cached,
        /// JMSXGroupID.
        pub group_id: Option<Text> => string,
        /// JMSXGroupSeq; 1 takes the group, a negative number closes it.
        pub group_sequence: i32 => int,
        /// JMSCorrelationID.
        pub correlation_id: Option<Text> => string,
        /// JMSDeliveryMode: must survive a restart of the broker.
        pub persistent: bool => bool,
        /// When it expires; 0 is never.
        pub expiration: i64 => long,
        /// JMSPriority, 0 to 9, the wire's byte.
        pub priority: u8 => byte,
        /// JMSReplyTo.
        pub reply_to: Option<Destination> => nested,
        /// When it was sent; 0 if its producer does not say.
        pub timestamp: i64 => long,
        /// JMSType; `Advisory` marks advisories.
        pub message_type: Option<Text> => string,
        /// The body, by kind.
        pub content: Option<Bytes> => bytes,
        /// The user's properties: a primitive map, `None` when there are none.
        pub marshalled_properties: Option<Bytes> => bytes,
        /// What an advisory is about.
        pub data_structure: Option<Box<DataStructure>> => boxed,
        /// The one consumer that an advisory is for.
        pub target_consumer_id: Option<ConsumerId> => cached,
        /// The content is deflated.
        pub compressed: bool => bool,
        /// Deliveries before this one.
        pub redelivery_counter: i32 => int,
        /// Brokers it has passed, oldest first.
        pub broker_path: Option<Vec<BrokerId>> => array,
        /// When it reached the broker; 0 from clients.
        pub arrival: i64 => long,
        /// JMSXUserID, set by the broker.
        pub user_id: Option<Text> => string,
        /// Broker-internal in ActiveMQ; to be ignored.
        pub received_by_df_bridge: bool => bool,
        /// May be dropped under pressure.
        pub droppable: bool => bool since 2,
        /// Brokers of the sender's cluster.
        pub cluster: Option<Vec<BrokerId>> => array since 3,
        /// When the broker took it in.
        pub broker_in_time: i64 => long since 3,
        /// When the broker dispatched it.
        pub broker_out_time: i64 => long since 3,
        /// First message of its group for this consumer.
        pub jmsx_group_first_for_consumer: bool => bool since 10,
    }
}

/// What a message counts against a producer's window beside its bytes.
const FLOW_OVERHEAD: usize = 1024;

impl Message {
    /// What the producer counts for this message against its window, and wants
    /// back in a `ProducerAck`: 1024, the content and the properties.
    #[must_use]
    pub fn flow_size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        FLOW_OVERHEAD + length(&self.content) + length(&self.marshalled_properties)
    }

    /// True if it may have been delivered before.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.redelivery_counter > 0
    }

    /// True if it has expired at `now`, in milliseconds since 1970.
    #[must_use]
    pub fn is_expired(&self, now: i64) -> bool {
        self.expiration > 0 && now > self.expiration
    }
}

impl Structure for Message {
    const NAME: &'static str = "Message";

    #[inline]
    fn type_id(&self) -> u8 {
        self.kind.type_id()
    }

    fn write_fields<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
        self.write_all(w)?;
        self.kind.write(w)
    }

    fn read_fields<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error> {
        if !matches!(
            type_id,
            type_id::ACTIVEMQ_MESSAGE..=type_id::ACTIVEMQ_BLOB_MESSAGE
        ) {
            return Err(Error::UnexpectedType {
                type_id,
                wanted: Self::NAME,
            });
        }
        let mut message = Self::read_all(r)?;
        message.kind = MessageKind::read(type_id, r)?;
        Ok(message)
    }
}
