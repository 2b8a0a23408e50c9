//! Who holds the lock: the record in the lock file.
//!
//! One block of 4,096 bytes: a line of JSON, a line with its CRC-32, spaces. It can be read with `cat`, and read and
//! written past the cache as one block. The token is random for every acquisition, so that a record can never
//! be mistaken for an earlier one of the same broker.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::epoch::Epoch;
use crate::limits;

/// How every record begins; anything else in a lock file was written by somebody else.
const OPENING: &str = "{\"holdfast\":1,";

/// What the caller says of itself; the rest of a [`Holder`] is found out.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Name of the broker.
    pub broker_name: String,
    /// URIs under which clients reach it.
    pub uris: Vec<String>,
}

/// A holder of the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Format of the record, 1.
    pub(crate) holdfast: u32,
    /// Random, 32 hex digits, new with every acquisition.
    pub token: String,
    /// The epoch it raised.
    pub epoch: Epoch,
    /// Name of the broker.
    pub name: String,
    /// Host it runs on.
    pub host: String,
    /// Its process on that host.
    pub pid: u32,
    /// Boot of that host: another one means that unsynced writes may be gone.
    pub boot_id: String,
    /// Since when, milliseconds since 1970.
    pub since_unix_ms: u64,
    /// Where clients reach it.
    pub uris: Vec<String>,
    /// Given back in order: nothing of it can still be running.
    pub released: bool,
}

/// What stands in a lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Nothing yet.
    Empty,
    /// A holder.
    Holder(Holder),
    /// A record of ours that did not get to disk whole.
    Torn,
    /// Something else; its first bytes.
    Foreign(String),
}

impl Holder {
    /// This process as the holder under `epoch`.
    pub(crate) fn new(identity: &Identity, epoch: Epoch) -> Result<Self, getrandom::Error> {
        let mut token = [0; 16];
        getrandom::fill(&mut token)?;
        let mut holder = Self {
            holdfast: 1,
            token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            epoch,
            name: identity.broker_name.chars().take(200).collect(),
            host: host_name(),
            pid: std::process::id(),
            boot_id: boot_id(),
            since_unix_ms: unix_ms(),
            uris: identity.uris.clone(),
            released: false,
        };
        // The record is one block; a list of URIs that does not fit is only advice for people.
        while holder.text().len() > limits::TEXT_BYTES && holder.uris.pop().is_some() {}
        Ok(holder)
    }

    /// The record as one block.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let text = self.text();
        let mut block = format!("{text}\n{:08x}\n", crc32fast::hash(text.as_bytes())).into_bytes();
        block.resize(limits::RECORD_BYTES, b' ');
        block
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings and numbers is always JSON")
    }
}

impl Record {
    /// Reads what stands in a lock file; never fails, because each outcome means something.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        if bytes.is_empty() || bytes.iter().all(|byte| *byte == 0) {
            return Self::Empty;
        }
        // A torn first write leaves a whole sector of zeros where the opening should be.
        if bytes.len() == limits::RECORD_BYTES && bytes[..512].iter().all(|byte| *byte == 0) {
            return Self::Torn;
        }
        if !bytes.starts_with(OPENING.as_bytes()) {
            let start = bytes
                .iter()
                .take(32)
                .map(|byte| char::from(*byte))
                .map(printable)
                .collect();
            return Self::Foreign(start);
        }
        checked(bytes).map_or(Self::Torn, Self::Holder)
    }
}

fn checked(bytes: &[u8]) -> Option<Holder> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (json, rest) = text.split_once('\n')?;
    let sum = u32::from_str_radix(rest.get(..8)?, 16).ok()?;
    if sum != crc32fast::hash(json.as_bytes()) {
        return None;
    }
    serde_json::from_str(json).ok()
}

fn printable(char: char) -> char {
    if char.is_ascii_graphic() || char == ' ' {
        char
    } else {
        '.'
    }
}

/// Name of this host, "unknown" if it has none.
fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "unknown".into()
    } else {
        name.chars().take(255).collect()
    }
}

/// The kernel's id of this boot; empty where /proc is not mounted.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .into()
}

fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        let identity = Identity {
            broker_name: "a".into(),
            uris: vec!["tcp://a:61616".into()],
        };
        Holder::new(&identity, Epoch::new(7)).unwrap()
    }

    #[test]
    fn a_record_survives_its_block() {
        let holder = holder();
        let block = holder.encode();
        assert_eq!(block.len(), 4096);
        assert_eq!(Record::decode(&block), Record::Holder(holder));
    }

    #[test]
    fn every_cut_and_every_flip_is_noticed() {
        let block = holder().encode();
        let used = block.iter().rposition(|byte| *byte != b' ').unwrap();
        for cut in 1..used {
            let mut torn = block.clone();
            torn[cut..].fill(0);
            assert!(
                !matches!(Record::decode(&torn), Record::Holder(_)),
                "cut at {cut}"
            );
        }
        for at in 0..used {
            let mut flipped = block.clone();
            flipped[at] ^= 1;
            assert!(
                !matches!(Record::decode(&flipped), Record::Holder(_)),
                "flip at {at}"
            );
        }
    }

    #[test]
    fn empty_and_foreign_files_are_told_apart() {
        assert_eq!(Record::decode(b""), Record::Empty);
        assert_eq!(Record::decode(&[0; 4096]), Record::Empty);
        let mut torn = [0; 4096];
        torn[600] = 1;
        assert_eq!(Record::decode(&torn), Record::Torn);
        // ActiveMQ's lock file holds eight bytes of milliseconds.
        assert_eq!(
            Record::decode(&[0, 0, 1, 0x8f]),
            Record::Foreign("....".into())
        );
        assert_eq!(
            Record::decode(b"\x01KahaDB"),
            Record::Foreign(".KahaDB".into())
        );
    }

    #[test]
    fn tokens_differ_and_long_lists_fit() {
        assert_ne!(holder().token, holder().token);
        let identity = Identity {
            broker_name: "n".repeat(9999),
            uris: vec!["tcp://host:1".into(); 2000],
        };
        let long = Holder::new(&identity, Epoch::new(1)).unwrap();
        assert_eq!(Record::decode(&long.encode()), Record::Holder(long));
    }
}
