//! The id of a message: its producer's id and a number.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::ids::ProducerId;
use crate::openwire::marshal::{fields, structure};
use crate::openwire::text::Text;

structure! {
    /// Names a message. Two are equal when producer and sequence are: the
    /// broker's sequence and the text form do not count, as in Java, since
    /// acknowledgements may come back without them.
    pub struct MessageId = MESSAGE_ID {
        /// An id given by a foreign system, shown instead of the other parts.
        pub text_view: Option<Text> => string since 10,
        /// Who sent it.
        pub producer_id: Option<ProducerId> => cached,
        /// 1, 2, 3… per producer.
        pub producer_sequence_id: i64 => long,
        /// Order of arrival at the broker; 0 from clients.
        pub broker_sequence_id: i64 => long,
    }
}

impl PartialEq for MessageId {
    fn eq(&self, other: &Self) -> bool {
        self.producer_sequence_id == other.producer_sequence_id
            && self.producer_id == other.producer_id
    }
}

impl Eq for MessageId {}

impl Hash for MessageId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.producer_sequence_id.hash(state);
        self.producer_id.hash(state);
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.text_view, &self.producer_id) {
            (Some(text), _) => text.fmt(f),
            (None, Some(producer)) => write!(f, "{producer}:{}", self.producer_sequence_id),
            (None, None) => write!(f, ":{}", self.producer_sequence_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn broker_sequence_and_text_do_not_count() {
        let producer_id = ProducerId {
            connection_id: "ID:a-1:1".into(),
            value: 2,
            session_id: 3,
        };
        let id = MessageId {
            producer_id: Some(producer_id),
            producer_sequence_id: 7,
            ..MessageId::default()
        };
        let numbered = MessageId {
            broker_sequence_id: 99,
            text_view: Some("x".into()),
            ..id.clone()
        };
        let next = MessageId {
            producer_sequence_id: 8,
            ..id.clone()
        };
        assert_eq!(id, numbered);
        assert_ne!(id, next);
        assert!(HashSet::from([id.clone()]).contains(&numbered));
        assert_eq!(id.to_string(), "ID:a-1:1:3:2:7");
        assert_eq!(numbered.to_string(), "x");
    }
}
