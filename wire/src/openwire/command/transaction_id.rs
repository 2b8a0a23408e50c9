//! Ids of transactions: local ones belong to a connection, XA ones to the
//! world.

use std::fmt;

use bytes::Bytes;

use super::ids::ConnectionId;
use crate::error::Error;
use crate::openwire::marshal::{Reader, Structure, Writer, fields, structure};
use crate::openwire::type_id;

structure! {
    /// A transaction that one connection began and only it can end.
    #[derive(PartialEq, Eq, Hash)]
    pub struct LocalTransactionId = LOCAL_TRANSACTION_ID {
        /// Number within the connection.
        pub value: i64 => long,
        /// The connection.
        pub connection_id: Option<ConnectionId> => cached,
    }
}

structure! {
    /// A branch of a distributed transaction: an X/Open XID.
    #[derive(PartialEq, Eq, Hash)]
    pub struct XaTransactionId = XA_TRANSACTION_ID {
        /// Format of the two parts.
        pub format_id: i32 => int,
        /// The global part.
        pub global_transaction_id: Bytes => blob,
        /// The branch.
        pub branch_qualifier: Bytes => blob,
    }
}

/// Either kind of transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TransactionId {
    /// Begun and ended by one connection.
    Local(LocalTransactionId),
    /// A branch of a distributed transaction.
    Xa(XaTransactionId),
}

impl TransactionId {
    /// True for a branch of a distributed transaction.
    #[must_use]
    pub fn is_xa(&self) -> bool {
        matches!(self, Self::Xa(_))
    }
}

impl Structure for TransactionId {
    const NAME: &'static str = "TransactionId";

    fn type_id(&self) -> u8 {
        match self {
            Self::Local(_) => type_id::LOCAL_TRANSACTION_ID,
            Self::Xa(_) => type_id::XA_TRANSACTION_ID,
        }
    }

    fn write_fields<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
        match self {
            Self::Local(id) => id.write_all(w),
            Self::Xa(id) => id.write_all(w),
        }
    }

    fn read_fields<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error> {
        match type_id {
            type_id::LOCAL_TRANSACTION_ID => LocalTransactionId::read_all(r).map(Self::Local),
            type_id::XA_TRANSACTION_ID => XaTransactionId::read_all(r).map(Self::Xa),
            _ => Err(Error::UnexpectedType {
                type_id,
                wanted: Self::NAME,
            }),
        }
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(LocalTransactionId {
                value,
                connection_id,
            }) => {
                let connection = connection_id.as_ref().map(|id| id.value.to_str());
                write!(f, "TX:{}:{value}", connection.unwrap_or_default())
            }
            Self::Xa(xid) => write!(
                f,
                "XID:{}:{:x}:{:x}",
                xid.format_id, xid.global_transaction_id, xid.branch_qualifier
            ),
        }
    }
}
