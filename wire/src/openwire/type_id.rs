//! Type ids of the structures, and the version that brought each. An id that
//! is not registered in the negotiated version is an unknown type there.

macro_rules! type_ids {
    ($($(#[$meta:meta])* $name:ident = $id:literal $(since $since:literal)?,)*) => {
        $($(#[$meta])* #[doc = concat!("Type id ", $id, ".")] pub const $name: u8 = $id;)*

        /// The first version in which a type id is registered; `None` for an
        /// id that no version has.
        #[must_use]
        #[inline]
        pub const fn since(type_id: u8) -> Option<i32> {
            match type_id {
                $($id => Some(type_ids!(@since $($since)?)),)*
                _ => None,
            }
        }

        /// Every type id with its name in capitals.
        pub const ALL: &[(u8, &str)] = &[$(($id, stringify!($name)),)*];
    };
    (@since) => { 1 };
    (@since $since:literal) => { $since };
}

/// The null command: no body.
pub const NULL: u8 = 0;

type_ids! {
    WIRE_FORMAT_INFO = 1,
    BROKER_INFO = 2,
    CONNECTION_INFO = 3,
    SESSION_INFO = 4,
    CONSUMER_INFO = 5,
    PRODUCER_INFO = 6,
    TRANSACTION_INFO = 7,
    DESTINATION_INFO = 8,
    REMOVE_SUBSCRIPTION_INFO = 9,
    KEEP_ALIVE_INFO = 10,
    SHUTDOWN_INFO = 11,
    REMOVE_INFO = 12,
    CONTROL_COMMAND = 14,
    FLUSH_COMMAND = 15,
    CONNECTION_ERROR = 16,
    CONSUMER_CONTROL = 17,
    CONNECTION_CONTROL = 18,
    PRODUCER_ACK = 19 since 3,
    MESSAGE_PULL = 20 since 2,
    MESSAGE_DISPATCH = 21,
    MESSAGE_ACK = 22,
    ACTIVEMQ_MESSAGE = 23,
    ACTIVEMQ_BYTES_MESSAGE = 24,
    ACTIVEMQ_MAP_MESSAGE = 25,
    ACTIVEMQ_OBJECT_MESSAGE = 26,
    ACTIVEMQ_STREAM_MESSAGE = 27,
    ACTIVEMQ_TEXT_MESSAGE = 28,
    ACTIVEMQ_BLOB_MESSAGE = 29 since 3,
    RESPONSE = 30,
    EXCEPTION_RESPONSE = 31,
    DATA_RESPONSE = 32,
    DATA_ARRAY_RESPONSE = 33,
    INTEGER_RESPONSE = 34,
    DISCOVERY_EVENT = 40,
    JOURNAL_TOPIC_ACK = 50,
    JOURNAL_QUEUE_ACK = 52,
    JOURNAL_TRACE = 53,
    JOURNAL_TRANSACTION = 54,
    SUBSCRIPTION_INFO = 55,
    PARTIAL_COMMAND = 60,
    LAST_PARTIAL_COMMAND = 61,
    REPLAY_COMMAND = 65,
    MESSAGE_DISPATCH_NOTIFICATION = 90,
    NETWORK_BRIDGE_FILTER = 91,
    BROKER_SUBSCRIPTION_INFO = 92 since 12,
    ACTIVEMQ_QUEUE = 100,
    ACTIVEMQ_TOPIC = 101,
    ACTIVEMQ_TEMP_QUEUE = 102,
    ACTIVEMQ_TEMP_TOPIC = 103,
    MESSAGE_ID = 110,
    LOCAL_TRANSACTION_ID = 111,
    XA_TRANSACTION_ID = 112,
    CONNECTION_ID = 120,
    SESSION_ID = 121,
    CONSUMER_ID = 122,
    PRODUCER_ID = 123,
    BROKER_ID = 124,
}

/// Marshal-aware types: nested in a tight frame, they cost one more bit.
pub(crate) const fn is_aware(type_id: u8) -> bool {
    matches!(
        type_id,
        WIRE_FORMAT_INFO | ACTIVEMQ_MESSAGE..=ACTIVEMQ_BLOB_MESSAGE
    )
}
