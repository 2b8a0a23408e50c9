//! The two tables behind cached fields, one per direction. The writer maps
//! values to indexes and drops the oldest when room gets short; the reader
//! stores what the writer tells it at the index the writer names.
//!
//! Null is a value like any other. Ids, destinations and transaction ids are
//! the only values that cached fields hold.

use std::collections::HashMap;

use super::command::{
    BrokerId, ConnectionId, ConsumerId, Destination, ProducerId, SessionId, TransactionId,
};
use super::marshal::Structure;
use crate::error::Error;
use crate::limits::CACHE_RESERVE;

/// What the wire says for "not cached".
const NOT_CACHED: i16 = -1;

/// A value as the tables keep it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Null,
    Broker(BrokerId),
    Connection(ConnectionId),
    Session(SessionId),
    Consumer(ConsumerId),
    Producer(ProducerId),
    Destination(Destination),
    Transaction(TransactionId),
}

/// A structure that may stand in a cached field.
pub(crate) trait Cacheable: Structure {
    fn to_value(&self) -> Value;
    /// `None` when the value is of another kind (null is dealt with before).
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! cacheable {
    ($($variant:ident($name:ident),)*) => {
        $(impl Cacheable for $name {
            fn to_value(&self) -> Value {
                Value::$variant(self.clone())
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(id) => Some(id.clone()),
                    _ => None,
                }
            }
        })*
    };
}

cacheable! {
    Broker(BrokerId),
    Connection(ConnectionId),
    Session(SessionId),
    Consumer(ConsumerId),
    Producer(ProducerId),
    Destination(Destination),
    Transaction(TransactionId),
}

/// The table key of an optional value.
pub(crate) fn value_of<T: Cacheable>(value: Option<&T>) -> Value {
    value.map_or(Value::Null, T::to_value)
}

/// The writer's table: a ring of slots and an index over it.
pub(crate) struct WriteCache {
    slots: Vec<Option<Value>>,
    indexes: HashMap<Value, u16>,
    next: u16,
    oldest: u16,
}

impl WriteCache {
    pub(crate) fn new(size: u16) -> Self {
        Self {
            slots: vec![None; usize::from(size)],
            indexes: HashMap::with_capacity(usize::from(size)),
            next: 0,
            oldest: 0,
        }
    }

    /// Makes room for the next command. Must run before each of them, and only
    /// then: an index that a frame has named must hold until its end.
    pub(crate) fn sweep(&mut self) {
        let keep = self.slots.len().saturating_sub(usize::from(CACHE_RESERVE));
        while self.indexes.len() > keep {
            if let Some(value) = self.slots[usize::from(self.oldest)].take() {
                self.indexes.remove(&value);
            }
            self.oldest = self.after(self.oldest);
        }
    }

    /// The index of a value that the peer already has.
    pub(crate) fn index_of(&self, value: &Value) -> Option<u16> {
        self.indexes.get(value).copied()
    }

    /// Takes an index for a new value, or -1 when every slot is in use.
    pub(crate) fn add(&mut self, value: Value) -> i16 {
        if self.indexes.len() >= self.slots.len() {
            return NOT_CACHED;
        }
        let index = self.next;
        self.next = self.after(index);
        self.slots[usize::from(index)] = Some(value.clone());
        self.indexes.insert(value, index);
        i16::try_from(index).expect("a cache has at most MAX_CACHE slots")
    }

    fn after(&self, index: u16) -> u16 {
        let next = index + 1;
        if usize::from(next) < self.slots.len() {
            next
        } else {
            0
        }
    }
}

/// The reader's table. It grows as the peer uses it, up to the agreed size.
pub(crate) struct ReadCache {
    slots: Vec<Option<Value>>,
    size: usize,
}

impl ReadCache {
    pub(crate) fn new(size: u16) -> Self {
        Self {
            slots: Vec::new(),
            size: usize::from(size),
        }
    }

    /// Keeps a value at the index that the peer chose.
    pub(crate) fn store(&mut self, index: i16, value: Value) -> Result<(), Error> {
        if index == NOT_CACHED {
            return Ok(());
        }
        let slot = self.slot(index)?;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, None);
        }
        self.slots[slot] = Some(value);
        Ok(())
    }

    /// What the peer stored at an index.
    pub(crate) fn load<T: Cacheable>(&self, index: i16) -> Result<Option<T>, Error> {
        let unused = Error::CacheIndex {
            index,
            size: self.size,
        };
        match self.slots.get(self.slot(index)?) {
            Some(Some(Value::Null)) => Ok(None),
            Some(Some(value)) => match T::from_value(value) {
                Some(found) => Ok(Some(found)),
                None => Err(Error::CacheMismatch {
                    index,
                    wanted: T::NAME,
                }),
            },
            _ => Err(unused),
        }
    }

    fn slot(&self, index: i16) -> Result<usize, Error> {
        match usize::try_from(index) {
            Ok(slot) if slot < self.size => Ok(slot),
            _ => Err(Error::CacheIndex {
                index,
                size: self.size,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(n: usize) -> Value {
        Value::Connection(ConnectionId {
            value: format!("ID:{n}").into(),
        })
    }

    #[test]
    fn oldest_are_swept_and_indexes_wrap() {
        let mut cache = WriteCache::new(102);
        let mut added = Vec::new();
        for n in 0..210 {
            cache.sweep();
            added.push(cache.add(connection(n)));
        }
        let want: Vec<i16> = (0..210).map(|n| n % 102).collect();
        assert_eq!(added, want);
        assert_eq!(cache.index_of(&connection(209)), Some(5));
        // Two stay through a sweep, and the third was added after it.
        assert_eq!(cache.index_of(&connection(207)), Some(3));
        assert_eq!(cache.index_of(&connection(206)), None);
    }

    #[test]
    fn a_full_cache_does_not_cache() {
        let mut cache = WriteCache::new(2);
        assert_eq!(cache.add(connection(0)), 0);
        assert_eq!(cache.add(connection(1)), 1);
        assert_eq!(cache.add(connection(2)), -1);
        assert_eq!(cache.index_of(&connection(0)), Some(0));
        cache.sweep();
        assert_eq!(cache.add(connection(3)), 0);
    }

    #[test]
    fn the_reader_refuses_what_was_never_stored() {
        let mut cache = ReadCache::new(10);
        cache.store(3, connection(7)).unwrap();
        cache.store(4, Value::Null).unwrap();
        cache.store(-1, connection(8)).unwrap();
        let found: Option<ConnectionId> = cache.load(3).unwrap();
        assert_eq!(found.unwrap().value, "ID:7");
        assert_eq!(cache.load::<SessionId>(4), Ok(None));
        let unused = |index| Err(Error::CacheIndex { index, size: 10 });
        for index in [0, 5, 10, -1, i16::MIN, i16::MAX] {
            assert_eq!(cache.load::<ConnectionId>(index), unused(index));
        }
        assert_eq!(
            cache.store(10, Value::Null),
            Err(Error::CacheIndex {
                index: 10,
                size: 10
            })
        );
        let wrong = Error::CacheMismatch {
            index: 3,
            wanted: "SessionId",
        };
        assert_eq!(cache.load::<SessionId>(3), Err(wrong));
    }
}
