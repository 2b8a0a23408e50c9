//! One declaration per structure. [`structure!`] takes the fields in wire
//! order, each with its kind and the version that brought it, and makes the
//! struct, one `write_fields` and one `read_fields`. These two are generic
//! over [`Writer`] and [`Reader`], and each of tight and loose implements both
//! traits once: so the paths of a structure cannot drift apart, and each is
//! compiled to straight code without boxes or dynamic calls.
//!
//! A kind is the name of a method that `Writer` and `Reader` both have. Only
//! what differs between tight and loose is required of an implementation; all
//! that is composed of it is provided here.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::Cacheable;
use super::command::Base;
use super::text::Text;
use super::throwable::{self, Throwable};
use super::type_id;
use crate::error::Error;
use crate::limits::TRUSTED_CAPACITY;

/// Something with a type id and fields.
pub(crate) trait Structure: Sized {
    /// What an error calls it.
    const NAME: &'static str;

    fn type_id(&self) -> u8;

    fn write_fields<W: Writer>(&self, w: &mut W) -> Result<(), Error>;

    /// Reads the fields that follow `type_id`. The caller has checked that the
    /// id exists in this version, not that it is one of this structure.
    fn read_fields<R: Reader>(type_id: u8, r: &mut R) -> Result<Self, Error>;

    /// The value of a frame of type 0, if there is one.
    fn null() -> Option<Self> {
        None
    }

    fn is_null(&self) -> bool {
        false
    }
}

/// The type id of a structure, checked against the version.
pub(crate) fn registered(type_id: u8, version: i32) -> Result<u8, Error> {
    match type_id::since(type_id) {
        Some(since) if since <= version => Ok(type_id),
        _ => Err(Error::UnknownType { type_id, version }),
    }
}

/// Writes fields in one encoding. Provided methods are the kinds of fields.
pub(crate) trait Writer {
    fn version(&self) -> i32;
    fn stack_traces(&self) -> bool;
    /// A boolean: a bit in tight, a byte in loose.
    fn flag(&mut self, value: bool) -> Result<(), Error>;
    /// Raw bytes of the body.
    fn put(&mut self, raw: &[u8]);
    fn long(&mut self, value: &i64) -> Result<(), Error>;
    /// A string that may be null.
    fn utf(&mut self, value: Option<&Text>) -> Result<(), Error>;
    /// A nested structure with its presence flag.
    fn object<T: Structure>(&mut self, value: Option<&T>) -> Result<(), Error>;
    fn cached<T: Cacheable>(&mut self, value: &Option<T>) -> Result<(), Error>;

    /// Called before each field. Only the tests' view of a structure uses it.
    #[inline]
    fn field(&mut self, _name: &'static str) {}

    #[inline]
    fn base(&mut self, value: &Base) -> Result<(), Error> {
        self.field("command_id");
        self.int(&value.command_id)?;
        self.field("response_required");
        self.bool(&value.response_required)
    }

    #[inline]
    fn bool(&mut self, value: &bool) -> Result<(), Error> {
        self.flag(*value)
    }

    #[inline]
    fn byte(&mut self, value: &u8) -> Result<(), Error> {
        self.put(&[*value]);
        Ok(())
    }

    #[inline]
    fn signed(&mut self, value: &i8) -> Result<(), Error> {
        self.put(&value.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn int(&mut self, value: &i32) -> Result<(), Error> {
        self.put(&value.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn count(&mut self, count: usize) -> Result<(), Error> {
        const LIMIT: i16 = i16::MAX;
        let short = i16::try_from(count).map_err(|_| Error::ArrayTooLong {
            length: count,
            limit: LIMIT as usize,
        })?;
        self.put(&short.to_be_bytes());
        Ok(())
    }

    /// A string that is never null on our side.
    #[inline]
    fn text(&mut self, value: &Text) -> Result<(), Error> {
        self.utf(Some(value))
    }

    #[inline]
    fn secret(&mut self, value: &Option<Text>) -> Result<(), Error> {
        self.utf(value.as_ref())
    }

    #[inline]
    fn string(&mut self, value: &Option<Text>) -> Result<(), Error> {
        self.utf(value.as_ref())
    }

    #[inline]
    fn bytes(&mut self, value: &Option<Bytes>) -> Result<(), Error> {
        match value {
            Some(value) => self.blob(value),
            None => self.flag(false),
        }
    }

    /// A byte array that is never null on our side.
    #[inline]
    fn blob(&mut self, value: &Bytes) -> Result<(), Error> {
        self.flag(true)?;
        let length = i32::try_from(value.len()).map_err(|_| Error::ArrayTooLong {
            length: value.len(),
            limit: i32::MAX as usize,
        })?;
        self.put(&length.to_be_bytes());
        self.put(value);
        Ok(())
    }

    #[inline]
    fn magic(&mut self, value: &[u8; 8]) -> Result<(), Error> {
        self.put(value);
        Ok(())
    }

    #[inline]
    fn nested<T: Structure>(&mut self, value: &Option<T>) -> Result<(), Error> {
        self.object(value.as_ref())
    }

    #[inline]
    fn boxed<T: Structure>(&mut self, value: &Option<Box<T>>) -> Result<(), Error> {
        self.object(value.as_deref())
    }

    #[inline]
    fn shared<T: Structure>(&mut self, value: &Option<Arc<T>>) -> Result<(), Error> {
        self.object(value.as_deref())
    }

    fn array<T: Structure>(&mut self, value: &Option<Vec<T>>) -> Result<(), Error> {
        self.flag(value.is_some())?;
        let Some(value) = value else { return Ok(()) };
        self.count(value.len())?;
        for element in value {
            // Java could write a null here and never does; refusing it lets
            // the reader check a count against the bytes that are left.
            if element.is_null() {
                return Err(Error::NullElement { wanted: T::NAME });
            }
            self.object(Some(element))?;
        }
        Ok(())
    }

    #[inline]
    fn throwable(&mut self, value: &Option<Box<Throwable>>) -> Result<(), Error>
    where
        Self: Sized,
    {
        throwable::write(value.as_deref(), self)
    }

    /// A field that its structure writes by hand.
    #[inline]
    fn outside<T>(&mut self, _value: &T) -> Result<(), Error> {
        Ok(())
    }
}

/// Reads fields in one encoding: the mirror of [`Writer`].
pub(crate) trait Reader {
    fn version(&self) -> i32;
    fn stack_traces(&self) -> bool;
    fn flag(&mut self) -> Result<bool, Error>;
    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Error>;
    /// An i32 length and that many bytes, shared with or copied from the frame.
    fn length_and_bytes(&mut self) -> Result<Bytes, Error>;
    fn long(&mut self) -> Result<i64, Error>;
    fn string(&mut self) -> Result<Option<Text>, Error>;
    fn object<T: Structure>(&mut self) -> Result<Option<T>, Error>;
    fn cached<T: Cacheable>(&mut self) -> Result<Option<T>, Error>;
    /// An i16 count of elements, checked against what the frame can hold and
    /// charged to the frame's budget.
    fn count(&mut self) -> Result<usize, Error>;

    #[inline]
    fn base(&mut self) -> Result<Base, Error> {
        Ok(Base {
            command_id: self.int()?,
            response_required: self.flag()?,
        })
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, Error> {
        self.flag()
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.array_of::<1>()?[0])
    }

    #[inline]
    fn signed(&mut self) -> Result<i8, Error> {
        Ok(i8::from_be_bytes(self.array_of()?))
    }

    #[inline]
    fn int(&mut self) -> Result<i32, Error> {
        Ok(i32::from_be_bytes(self.array_of()?))
    }

    /// Null reads as empty: activemq-cpp writes the one for the other.
    #[inline]
    fn text(&mut self) -> Result<Text, Error> {
        Ok(self.string()?.unwrap_or_default())
    }

    #[inline]
    fn secret(&mut self) -> Result<Option<Text>, Error> {
        self.string()
    }

    #[inline]
    fn bytes(&mut self) -> Result<Option<Bytes>, Error> {
        if self.flag()? {
            self.length_and_bytes().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Copied, since such arrays are parts of ids and outlive their frame.
    #[inline]
    fn blob(&mut self) -> Result<Bytes, Error> {
        Ok(self
            .bytes()?
            .map(|raw| Bytes::copy_from_slice(&raw))
            .unwrap_or_default())
    }

    #[inline]
    fn magic(&mut self) -> Result<[u8; 8], Error> {
        self.array_of()
    }

    #[inline]
    fn nested<T: Structure>(&mut self) -> Result<Option<T>, Error> {
        self.object()
    }

    #[inline]
    fn boxed<T: Structure>(&mut self) -> Result<Option<Box<T>>, Error> {
        Ok(self.object()?.map(Box::new))
    }

    #[inline]
    fn shared<T: Structure>(&mut self) -> Result<Option<Arc<T>>, Error> {
        Ok(self.object()?.map(Arc::new))
    }

    fn array<T: Structure>(&mut self) -> Result<Option<Vec<T>>, Error> {
        if !self.flag()? {
            return Ok(None);
        }
        let count = self.count()?;
        let mut out = Vec::with_capacity(count.min(TRUSTED_CAPACITY));
        for _ in 0..count {
            out.push(
                self.object()?
                    .ok_or(Error::NullElement { wanted: T::NAME })?,
            );
        }
        Ok(Some(out))
    }

    #[inline]
    fn throwable(&mut self) -> Result<Option<Box<Throwable>>, Error>
    where
        Self: Sized,
    {
        throwable::read(self)
    }

    #[inline]
    fn outside<T: Default>(&mut self) -> Result<T, Error> {
        Ok(T::default())
    }
}

/// Shows how long a byte array is, never what is in it.
pub(crate) struct Length<'a>(pub(crate) Option<&'a [u8]>);

impl fmt::Debug for Length<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(raw) => write!(f, "{} bytes", raw.len()),
            None => f.write_str("None"),
        }
    }
}

/// Shows that there is a secret, never which.
pub(crate) struct Hidden(pub(crate) bool);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "***" } else { "None" })
    }
}

/// A struct with its default, its `Debug` (without payloads and secrets), and
/// `write_all` and `read_all` over its fields in wire order. Per field:
/// `name: Type => kind [since version] [until version] [or default]`.
macro_rules! fields {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                pub $field:ident: $type:ty => $kind:ident
                    $(since $since:literal)? $(until $until:literal)? $(or $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: fields!(@default $($default)?),)* }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), fields!(@shown $kind, &self.$field)))*
                    .finish()
            }
        }

        impl $name {
            #[inline]
            pub(crate) fn write_all<W: $crate::openwire::marshal::Writer>(
                &self,
                w: &mut W,
            ) -> Result<(), $crate::Error> {
                $(
                    if fields!(@present w, [$($since)?] [$($until)?]) {
                        w.field(stringify!($field));
                        w.$kind(&self.$field)?;
                    }
                )*
                Ok(())
            }

            #[inline]
            pub(crate) fn read_all<R: $crate::openwire::marshal::Reader>(
                r: &mut R,
            ) -> Result<Self, $crate::Error> {
                Ok(Self {
                    $(
                        $field: if fields!(@present r, [$($since)?] [$($until)?]) {
                            r.$kind()?
                        } else {
                            fields!(@default $($default)?)
                        },
                    )*
                })
            }
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@present $io:ident, [] []) => { true };
    (@present $io:ident, [$since:literal] []) => { $io.version() >= $since };
    (@present $io:ident, [] [$until:literal]) => { $io.version() <= $until };
    (@shown secret, $value:expr) => { &$crate::openwire::marshal::Hidden($value.is_some()) };
    (@shown bytes, $value:expr) => { &$crate::openwire::marshal::Length($value.as_deref()) };
    (@shown $kind:ident, $value:expr) => { $value };
}

/// [`fields!`] of a structure that has one type id of its own.
macro_rules! structure {
    ($(#[$meta:meta])* pub struct $name:ident = $id:ident { $($fields:tt)* }) => {
        fields! { $(#[$meta])* pub struct $name { $($fields)* } }

        impl $name {
            /// The type id on the wire.
            pub const TYPE_ID: u8 = $crate::openwire::type_id::$id;
        }

        impl $crate::openwire::marshal::Structure for $name {
            const NAME: &'static str = stringify!($name);

            #[inline]
            fn type_id(&self) -> u8 {
                Self::TYPE_ID
            }

            fn write_fields<W: $crate::openwire::marshal::Writer>(
                &self,
                w: &mut W,
            ) -> Result<(), $crate::Error> {
                self.write_all(w)
            }

            fn read_fields<R: $crate::openwire::marshal::Reader>(
                type_id: u8,
                r: &mut R,
            ) -> Result<Self, $crate::Error> {
                if type_id != Self::TYPE_ID {
                    return Err($crate::Error::UnexpectedType { type_id, wanted: Self::NAME });
                }
                Self::read_all(r)
            }
        }
    };
}

pub(crate) use {fields, structure};
