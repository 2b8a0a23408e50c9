//! What two sides agree on. Each says in its `WireFormatInfo` what it can do
//! and would like; both then compute the same answer from the two.

use std::time::Duration;

use super::command::{MAGIC, WireFormatInfo};
use super::format::WireFormat;
use super::primitive::Primitive;
use super::property_map::PropertyMap;
use crate::error::Error;
use crate::limits::{
    CACHE_RESERVE, DEFAULT_CACHE, DEFAULT_MAX_FRAME, MAX_CACHE, MAX_HANDSHAKE_VALUE, MAX_VERSION,
    MIN_VERSION, UNSTATED_CACHE,
};

const STACK_TRACE: &str = "StackTraceEnabled";
const CACHE: &str = "CacheEnabled";
const CACHE_SIZE: &str = "CacheSize";
const TIGHT: &str = "TightEncodingEnabled";
const NO_SIZE_PREFIX: &str = "SizePrefixDisabled";
const TCP_NO_DELAY: &str = "TcpNoDelayEnabled";
const MAX_FRAME: &str = "MaxFrameSize";
const MAX_FRAME_ENABLED: &str = "MaxFrameSizeEnabled";
const INACTIVITY: &str = "MaxInactivityDuration";
/// Java's spelling.
const INITIAL_DELAY: &str = "MaxInactivityDurationInitalDelay";
/// NMS's spelling.
const INITIAL_DELAY_NMS: &str = "MaxInactivityDurationInitialDelay";
const HOST: &str = "Host";
const PROVIDER_NAME: &str = "ProviderName";
const PROVIDER_VERSION: &str = "ProviderVersion";
const PLATFORM: &str = "PlatformDetails";

/// What one side offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Newest version.
    pub version: i32,
    /// Tight encoding.
    pub tight: bool,
    /// Slots of the marshalling cache; `None` is off. Never below 100 on the
    /// wire, since a Java writer would hang.
    pub cache: Option<u16>,
    /// Stacks and causes in throwables.
    pub stack_traces: bool,
    /// Wish for TCP_NODELAY.
    pub tcp_no_delay: bool,
    /// Largest frame that is read.
    pub max_frame_size: usize,
    /// Silence after which the peer is taken for dead; zero is never.
    pub max_inactivity: Duration,
    /// Time before the first check of it.
    pub initial_delay: Duration,
    /// Host part of the URI that the client connects to.
    pub host: Option<String>,
    /// Make.
    pub provider_name: String,
    /// Version of that make.
    pub provider_version: String,
    /// What it runs on.
    pub platform: String,
}

impl Default for Offer {
    /// What suits all clients. The cache is off: C++ and NMS do not have it,
    /// and with tight ids it saves little.
    fn default() -> Self {
        Self {
            version: MAX_VERSION,
            tight: true,
            cache: None,
            stack_traces: false,
            tcp_no_delay: true,
            max_frame_size: DEFAULT_MAX_FRAME,
            max_inactivity: Duration::from_secs(30),
            initial_delay: Duration::from_secs(10),
            host: None,
            provider_name: "Holdfast".into(),
            provider_version: env!("CARGO_PKG_VERSION").into(),
            platform: "Rust".into(),
        }
    }
}

impl WireFormatInfo {
    /// The opening command of this offer, with the types that Java casts to.
    #[must_use]
    pub fn offer(offer: &Offer) -> Self {
        let mut map = PropertyMap::default();
        map.insert(STACK_TRACE, Primitive::Bool(offer.stack_traces));
        map.insert(CACHE, Primitive::Bool(offer.cache.is_some()));
        let slots = offer
            .cache
            .unwrap_or(DEFAULT_CACHE)
            .clamp(CACHE_RESERVE, MAX_CACHE);
        map.insert(CACHE_SIZE, Primitive::Int(i32::from(slots)));
        map.insert(TIGHT, Primitive::Bool(offer.tight));
        map.insert(NO_SIZE_PREFIX, Primitive::Bool(false));
        map.insert(TCP_NO_DELAY, Primitive::Bool(offer.tcp_no_delay));
        let frame = i64::try_from(offer.max_frame_size).unwrap_or(i64::MAX);
        map.insert(MAX_FRAME, Primitive::Long(frame));
        map.insert(MAX_FRAME_ENABLED, Primitive::Bool(true));
        map.insert(INACTIVITY, Primitive::Long(millis(offer.max_inactivity)));
        map.insert(INITIAL_DELAY, Primitive::Long(millis(offer.initial_delay)));
        map.insert(
            INITIAL_DELAY_NMS,
            Primitive::Long(millis(offer.initial_delay)),
        );
        if let Some(host) = &offer.host {
            map.insert_string(HOST, bounded(host));
        }
        map.insert_string(PROVIDER_NAME, bounded(&offer.provider_name));
        map.insert_string(PROVIDER_VERSION, bounded(&offer.provider_version));
        map.insert_string(PLATFORM, bounded(&offer.platform));
        let properties = map.encode().expect("the keys are short constants");
        Self {
            version: offer.version,
            marshalled_properties: Some(properties),
            ..Self::default()
        }
    }

    /// What the sender says, by the rules of Java: a boolean that is missing
    /// or of another type is false.
    ///
    /// # Errors
    /// The properties are broken, or a number is not a number.
    pub fn preferences(&self) -> Result<Preferences, Error> {
        let map = self.properties()?;
        let delay = match integer(&map, INITIAL_DELAY)? {
            None => integer(&map, INITIAL_DELAY_NMS)?,
            stated => stated,
        };
        Ok(Preferences {
            version: self.version,
            tight: boolean(&map, TIGHT),
            cache: boolean(&map, CACHE),
            cache_size: integer(&map, CACHE_SIZE)?.filter(|size| *size > 0),
            stack_traces: boolean(&map, STACK_TRACE),
            tcp_no_delay: boolean(&map, TCP_NO_DELAY),
            max_frame_size: integer(&map, MAX_FRAME)?.filter(|size| *size > 0),
            max_inactivity: duration(integer(&map, INACTIVITY)?.unwrap_or(0)),
            initial_delay: delay.map(duration),
            host: string(&map, HOST),
            provider_name: string(&map, PROVIDER_NAME),
            provider_version: string(&map, PROVIDER_VERSION),
            platform: string(&map, PLATFORM),
        })
    }
}

/// What a `WireFormatInfo` says, with names and types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Newest version.
    pub version: i32,
    /// Tight encoding.
    pub tight: bool,
    /// The marshalling cache.
    pub cache: bool,
    /// Its slots, if stated.
    pub cache_size: Option<i64>,
    /// Stacks and causes in throwables.
    pub stack_traces: bool,
    /// Wish for TCP_NODELAY.
    pub tcp_no_delay: bool,
    /// Largest frame, if stated.
    pub max_frame_size: Option<i64>,
    /// Silence after which the peer is taken for dead; zero is never.
    pub max_inactivity: Duration,
    /// Time before the first check of it, if stated.
    pub initial_delay: Option<Duration>,
    /// Host that the client connects to.
    pub host: Option<String>,
    /// Make.
    pub provider_name: Option<String>,
    /// Version of that make.
    pub provider_version: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
}

/// What both sides do from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// How commands are written, in both directions.
    pub format: WireFormat,
    /// Silence after which the peer is dead; `None`: neither side checks.
    pub max_inactivity: Option<Duration>,
    /// Time before the first check of it.
    pub initial_delay: Duration,
    /// Set TCP_NODELAY.
    pub tcp_no_delay: bool,
    /// What the peer said, for logs and virtual hosting.
    pub peer: Preferences,
}

/// What two `WireFormatInfo` agree on.
///
/// # Errors
/// The peer's is not OpenWire, or its properties are broken.
pub fn negotiate(mine: &WireFormatInfo, theirs: &WireFormatInfo) -> Result<Negotiated, Error> {
    if theirs.magic != MAGIC {
        return Err(Error::BadMagic);
    }
    let (my, their) = (mine.preferences()?, theirs.preferences()?);
    let format = WireFormat {
        version: common_version(my.version, their.version)?,
        tight: my.tight && their.tight,
        cache: (my.cache && their.cache).then(|| common_cache(&my, &their)),
        stack_traces: my.stack_traces && their.stack_traces,
        max_frame_size: common_frame(&my, &their),
    };
    let inactivity = my.max_inactivity.min(their.max_inactivity);
    let delays = [my.initial_delay, their.initial_delay];
    Ok(Negotiated {
        format,
        max_inactivity: (!inactivity.is_zero()).then_some(inactivity),
        initial_delay: delays.into_iter().flatten().min().unwrap_or_default(),
        tcp_no_delay: my.tcp_no_delay && their.tcp_no_delay,
        peer: their,
    })
}

/// The lower of the two; 0 and below stand for "whatever you like".
fn common_version(mine: i32, theirs: i32) -> Result<i32, Error> {
    let version = if theirs <= 0 { mine } else { mine.min(theirs) };
    if !(MIN_VERSION..=MAX_VERSION).contains(&version) {
        return Err(Error::BadVersion {
            version,
            min: MIN_VERSION,
            max: MAX_VERSION,
        });
    }
    Ok(version)
}

fn common_cache(mine: &Preferences, theirs: &Preferences) -> u16 {
    let unstated = i64::from(UNSTATED_CACHE);
    let size = mine
        .cache_size
        .unwrap_or(unstated)
        .min(theirs.cache_size.unwrap_or(unstated));
    u16::try_from(size).unwrap_or(MAX_CACHE).min(MAX_CACHE)
}

fn common_frame(mine: &Preferences, theirs: &Preferences) -> usize {
    let stated = [mine.max_frame_size, theirs.max_frame_size]
        .into_iter()
        .flatten()
        .min();
    stated.map_or(usize::MAX, |size| {
        usize::try_from(size).unwrap_or(usize::MAX)
    })
}

fn boolean(map: &PropertyMap, key: &str) -> bool {
    matches!(map.get(key), Some(Primitive::Bool(true)))
}

/// Java insists on int or long by key; either is taken here.
fn integer(map: &PropertyMap, key: &'static str) -> Result<Option<i64>, Error> {
    match map.get(key) {
        None | Some(Primitive::Null) => Ok(None),
        Some(Primitive::Int(value)) => Ok(Some(i64::from(*value))),
        Some(Primitive::Long(value)) => Ok(Some(*value)),
        Some(_) => Err(Error::PropertyType { key }),
    }
}

fn string(map: &PropertyMap, key: &str) -> Option<String> {
    match map.get(key) {
        Some(Primitive::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Newest brokers refuse longer values.
fn bounded(text: &str) -> &str {
    // Modified UTF-8 needs at most three bytes for two of UTF-8.
    &text[..text.floor_char_boundary(MAX_HANDSHAKE_VALUE * 2 / 3)]
}
