//! The bodies of test messages: they name their message, and can be told from damaged ones.

use super::history::MessageName;
use client::{Delivery, Message};

/// The message with this name; its body begins with `n=`, as that of `holdfast send`.
pub(crate) fn message(name: MessageName) -> Message {
    Message::text(text(name))
}

/// Whose delivery it is, and whether the body is what was sent.
pub(crate) fn read(delivery: &Delivery) -> (MessageName, bool) {
    let body = delivery.text().expect("test messages are text");
    let name = name_of(&body).unwrap_or_else(|| panic!("a body without a name: {body:.40}"));
    (name, body == text(name))
}

/// Sizes vary so that batches, blocks and segments end at all kinds of places.
fn text(name: MessageName) -> String {
    let MessageName { producer, number } = name;
    let mut body = format!("n={number} p={producer} ");
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    let filler = char::from(b'a' + u8::try_from(number % 26).expect("below 26"));
    body.extend(std::iter::repeat_n(
        filler,
        usize::try_from(spread).expect("ten bits"),
    ));
    body
}

fn name_of(body: &str) -> Option<MessageName> {
    let mut words = body.split(' ');
    let number = words.next()?.strip_prefix("n=")?.parse().ok()?;
    let producer = words.next()?.strip_prefix("p=")?.parse().ok()?;
    Some(MessageName { producer, number })
}
