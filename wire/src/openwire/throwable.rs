//! Exceptions as the wire carries them: a class name, a message, and with
//! stack traces negotiated the stack and the cause. They are strings here and
//! nothing else. No class is looked up or made from them, whatever they say.

use super::marshal::{Reader, Writer};
use super::text::Text;
use crate::error::Error;
use crate::limits::{MAX_CAUSES, TRUSTED_CAPACITY};

/// An exception: what a Java peer would throw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throwable {
    /// Java class name. Send `javax.jms.…`: every client knows those.
    pub class_name: Text,
    /// The message, if there is one.
    pub message: Option<Text>,
    /// Stack, innermost first. Not sent unless negotiated.
    pub stack: Vec<StackElement>,
    /// What caused it. Not sent unless stack traces are negotiated.
    pub cause: Option<Box<Throwable>>,
}

/// One line of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackElement {
    /// Java class name.
    pub class_name: Option<Text>,
    /// Method name.
    pub method: Option<Text>,
    /// Source file.
    pub file: Option<Text>,
    /// Source line; -1 unknown, -2 native.
    pub line: i32,
}

impl Throwable {
    /// An exception without stack and cause.
    #[must_use]
    pub fn new(class_name: impl Into<Text>, message: impl Into<Text>) -> Self {
        Self {
            class_name: class_name.into(),
            message: Some(message.into()),
            stack: Vec::new(),
            cause: None,
        }
    }
}

impl StackElement {
    fn write<W: Writer>(&self, w: &mut W) -> Result<(), Error> {
        w.string(&self.class_name)?;
        w.string(&self.method)?;
        w.string(&self.file)?;
        w.int(&self.line)
    }

    fn read<R: Reader>(r: &mut R) -> Result<Self, Error> {
        Ok(Self {
            class_name: r.string()?,
            method: r.string()?,
            file: r.string()?,
            line: r.int()?,
        })
    }
}

/// Writes a throwable and its causes, in a loop: the chain may be long.
pub(crate) fn write<W: Writer>(value: Option<&Throwable>, w: &mut W) -> Result<(), Error> {
    let mut next = value;
    loop {
        w.flag(next.is_some())?;
        let Some(throwable) = next else { return Ok(()) };
        w.text(&throwable.class_name)?;
        w.string(&throwable.message)?;
        if !w.stack_traces() {
            return Ok(());
        }
        w.count(throwable.stack.len())?;
        throwable
            .stack
            .iter()
            .try_for_each(|element| element.write(w))?;
        next = throwable.cause.as_deref();
    }
}

/// Reads a throwable and its causes, in a loop with a bound.
pub(crate) fn read<R: Reader>(r: &mut R) -> Result<Option<Box<Throwable>>, Error> {
    let mut chain = Vec::new();
    while r.flag()? {
        if chain.len() > MAX_CAUSES {
            return Err(Error::TooDeep { limit: MAX_CAUSES });
        }
        chain.push(read_one(r)?);
        if !r.stack_traces() {
            break;
        }
    }
    Ok(chain.into_iter().rev().fold(None, |cause, mut throwable| {
        throwable.cause = cause;
        Some(Box::new(throwable))
    }))
}

fn read_one<R: Reader>(r: &mut R) -> Result<Throwable, Error> {
    let mut throwable = Throwable {
        class_name: r.text()?,
        message: r.string()?,
        ..Throwable::default()
    };
    if r.stack_traces() {
        let count = r.count()?;
        throwable.stack.reserve(count.min(TRUSTED_CAPACITY));
        for _ in 0..count {
            throwable.stack.push(StackElement::read(r)?);
        }
    }
    Ok(throwable)
}
