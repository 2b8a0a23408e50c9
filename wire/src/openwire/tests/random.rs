//! A [`Reader`] that makes structures up. It is driven by a tape of bytes, so
//! that proptest can shrink what it finds; a tape that has run out gives
//! zeros, which end every structure soon.

use bytes::Bytes;

use crate::error::Error;
use crate::openwire::cache::Cacheable;
use crate::openwire::marshal::{Reader, Structure, registered};
use crate::openwire::{Command, Text, WireFormat, type_id};

/// Depth at which nested fields become null.
const DEEP: usize = 3;

/// Any structure of the version, from a tape.
pub(super) fn command(tape: &[u8], format: &WireFormat) -> Command {
    let mut random = Random {
        tape,
        format: *format,
        depth: 0,
    };
    random.any_type().unwrap_or(Command::Null)
}

/// One structure of a given type with every random field.
pub(super) fn command_of(type_id: u8, tape: &[u8], format: &WireFormat) -> Command {
    let mut random = Random {
        tape,
        format: *format,
        depth: 0,
    };
    Command::read_fields(type_id, &mut random).unwrap()
}

struct Random<'a> {
    tape: &'a [u8],
    format: WireFormat,
    depth: usize,
}

impl Random<'_> {
    fn next(&mut self) -> u8 {
        match self.tape.split_first() {
            Some((first, rest)) => {
                self.tape = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.next()) % n
    }

    /// A structure of any type that fits `T` and the version.
    fn any_type<T: Structure>(&mut self) -> Option<T> {
        let first = self.below(type_id::ALL.len());
        let ids = type_id::ALL
            .iter()
            .cycle()
            .skip(first)
            .take(type_id::ALL.len());
        for (id, _) in ids {
            if registered(*id, self.format.version).is_err() {
                continue;
            }
            match T::read_fields(*id, self) {
                Err(Error::UnexpectedType { .. }) => {}
                other => return Some(other.unwrap()),
            }
        }
        None
    }
}

impl Reader for Random<'_> {
    fn version(&self) -> i32 {
        self.format.version
    }

    fn stack_traces(&self) -> bool {
        self.format.stack_traces
    }

    fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.next() & 1 == 1)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        Ok(std::array::from_fn(|_| self.next()))
    }

    fn length_and_bytes(&mut self) -> Result<Bytes, Error> {
        let length = self.below(20);
        Ok((0..length).map(|_| self.next()).collect())
    }

    /// Of every length that tight encoding tells apart.
    fn long(&mut self) -> Result<i64, Error> {
        let wide = i64::from_be_bytes(self.array_of()?);
        Ok(match self.below(4) {
            0 => 0,
            1 => wide & 0xffff,
            2 => wide & 0xffff_ffff,
            _ => wide,
        })
    }

    /// Null, empty, ASCII, text, and what is no text at all.
    fn string(&mut self) -> Result<Option<Text>, Error> {
        let length = self.below(12);
        let raw: Vec<u8> = (0..length).map(|_| self.next()).collect();
        Ok(match self.below(6) {
            0 => None,
            1 => Some(Text::empty()),
            2 => Some(Text::from_raw(&raw)),
            3 => Some(Text::from(String::from_utf8_lossy(&raw).into_owned())),
            // From few, so that the caches meet values again.
            n => Some(format!("ID:{}", n * usize::from(raw.first().unwrap_or(&0) % 50)).into()),
        })
    }

    fn object<T: Structure>(&mut self) -> Result<Option<T>, Error> {
        if self.depth >= DEEP || self.below(4) == 0 {
            return Ok(None);
        }
        self.depth += 1;
        let value = self.any_type();
        self.depth -= 1;
        Ok(value)
    }

    fn cached<T: Cacheable>(&mut self) -> Result<Option<T>, Error> {
        self.object()
    }

    fn count(&mut self) -> Result<usize, Error> {
        Ok(self.below(4))
    }

    /// Nulls are skipped, since arrays hold none.
    fn array<T: Structure>(&mut self) -> Result<Option<Vec<T>>, Error> {
        if !self.flag()? {
            return Ok(None);
        }
        let count = self.count()?;
        let mut out = Vec::new();
        for _ in 0..count {
            out.extend(self.object()?);
        }
        Ok(Some(out))
    }
}
