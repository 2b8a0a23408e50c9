//! What offers come to, and what broken ones do.

use std::time::Duration;

use bytes::Bytes;

use super::fixtures::encode;
use crate::Error;
use crate::limits::{DEFAULT_MAX_FRAME, MAX_HANDSHAKE_FRAME};
use crate::openwire::{
    Command, Encoder, Offer, Primitive, PropertyMap, WireFormat, WireFormatInfo, initial_format,
    negotiate,
};

fn with(info: &WireFormatInfo, change: impl FnOnce(&mut PropertyMap)) -> WireFormatInfo {
    let mut properties = info.properties().unwrap();
    change(&mut properties);
    let raw = properties.encode().unwrap();
    WireFormatInfo {
        marshalled_properties: Some(raw),
        ..info.clone()
    }
}

fn full() -> Offer {
    Offer {
        cache: Some(1024),
        stack_traces: true,
        ..Offer::default()
    }
}

#[test]
fn an_offer_meets_itself() {
    let info = WireFormatInfo::offer(&full());
    let agreed = negotiate(&info, &info).unwrap();
    let want = WireFormat {
        version: 12,
        tight: true,
        cache: Some(1024),
        stack_traces: true,
        max_frame_size: DEFAULT_MAX_FRAME,
    };
    assert_eq!(agreed.format, want);
    assert_eq!(agreed.max_inactivity, Some(Duration::from_secs(30)));
    assert_eq!(agreed.initial_delay, Duration::from_secs(10));
    assert!(agreed.tcp_no_delay);
    assert_eq!(agreed.peer.provider_name.as_deref(), Some("Holdfast"));
    let frame = encode(&mut Encoder::new(initial_format()), &info.into());
    assert!(frame.len() < MAX_HANDSHAKE_FRAME);
    assert_eq!(
        crate::detect::detect(&frame),
        crate::detect::Detection::OpenWire
    );
}

#[test]
fn each_side_can_only_lower() {
    let mine = WireFormatInfo::offer(&full());
    let nms = Offer {
        version: 10,
        tight: false,
        cache: None,
        stack_traces: false,
        max_frame_size: 1 << 30,
        max_inactivity: Duration::ZERO,
        tcp_no_delay: false,
        ..full()
    };
    let nms = WireFormatInfo::offer(&nms);
    for (a, b) in [(&mine, &nms), (&nms, &mine)] {
        let agreed = negotiate(a, b).unwrap();
        let want = WireFormat {
            version: 10,
            tight: false,
            cache: None,
            stack_traces: false,
            max_frame_size: DEFAULT_MAX_FRAME,
        };
        assert_eq!(agreed.format, want);
        assert_eq!(agreed.max_inactivity, None);
        assert!(!agreed.tcp_no_delay);
    }
}

#[test]
fn versions() {
    let mine = WireFormatInfo::offer(&full());
    let version = |theirs: i32| {
        negotiate(
            &mine,
            &WireFormatInfo {
                version: theirs,
                ..mine.clone()
            },
        )
        .map(|agreed| agreed.format.version)
    };
    for (theirs, want) in [
        (1, 1),
        (9, 9),
        (12, 12),
        (13, 12),
        (i32::MAX, 12),
        (0, 12),
        (-1, 12),
    ] {
        assert_eq!(version(theirs), Ok(want), "{theirs}");
    }
    let newer = WireFormatInfo {
        version: 13,
        ..mine.clone()
    };
    assert_eq!(
        negotiate(&newer, &newer),
        Err(Error::BadVersion {
            version: 13,
            min: 1,
            max: 12
        })
    );
}

#[test]
fn missing_and_odd_properties_follow_java() {
    let mine = WireFormatInfo::offer(&full());
    let bare = WireFormatInfo {
        version: 12,
        ..WireFormatInfo::default()
    };
    let agreed = negotiate(&mine, &bare).unwrap();
    assert!(!agreed.format.tight);
    assert_eq!(agreed.format.cache, None);
    assert_eq!(agreed.format.max_frame_size, DEFAULT_MAX_FRAME);
    assert_eq!(agreed.max_inactivity, None);
    assert_eq!(agreed.initial_delay, Duration::from_secs(10));

    let odd = with(&mine, |map| {
        map.insert("TightEncodingEnabled", Primitive::String("true".into()));
        map.insert("CacheSize", Primitive::Int(0));
        map.insert("MaxFrameSize", Primitive::Long(-1));
        map.insert("Unknown", Primitive::Null);
        map.remove("MaxInactivityDurationInitalDelay");
        map.insert("MaxInactivityDurationInitialDelay", Primitive::Long(5));
    });
    let agreed = negotiate(&mine, &odd).unwrap();
    assert!(!agreed.format.tight);
    assert_eq!(agreed.format.cache, Some(1024));
    assert_eq!(agreed.format.max_frame_size, DEFAULT_MAX_FRAME);
    assert_eq!(agreed.initial_delay, Duration::from_millis(5));
    assert_eq!(negotiate(&odd, &odd).unwrap().format.cache, Some(16_383));

    let text = with(&mine, |map| map.insert_string("CacheSize", "big"));
    assert_eq!(
        negotiate(&mine, &text),
        Err(Error::PropertyType { key: "CacheSize" })
    );
}

#[test]
fn strangers_and_oversized_handshakes_are_refused() {
    let mine = WireFormatInfo::offer(&full());
    let stranger = WireFormatInfo {
        magic: *b"ActiveMq",
        ..mine.clone()
    };
    assert_eq!(negotiate(&mine, &stranger), Err(Error::BadMagic));
    let long = with(&mine, |map| map.insert_string("Host", "x".repeat(513)));
    assert!(matches!(
        negotiate(&mine, &long),
        Err(Error::StringTooLong { .. })
    ));
    let many = with(&mine, |map| {
        (0..60).for_each(|i| map.insert_string(format!("k{i}"), ""))
    });
    assert!(matches!(
        negotiate(&mine, &many),
        Err(Error::TooManyElements { .. })
    ));
    let nested = with(&mine, |map| map.insert("list", Primitive::List(Vec::new())));
    assert!(matches!(
        negotiate(&mine, &nested),
        Err(Error::TooDeep { .. })
    ));
    let raw = Some(Bytes::from_static(&[0, 0, 1]));
    let broken = WireFormatInfo {
        marshalled_properties: raw,
        ..mine.clone()
    };
    assert!(matches!(
        negotiate(&mine, &broken),
        Err(Error::Truncated { .. })
    ));
}

#[test]
fn long_names_of_ours_are_cut_to_what_peers_take() {
    let offer = Offer {
        host: Some("\u{1f600}".repeat(400)),
        cache: Some(1),
        ..Offer::default()
    };
    let info = WireFormatInfo::offer(&offer);
    let preferences = info.preferences().unwrap();
    assert!(preferences.host.unwrap().starts_with("\u{1f600}"));
    assert_eq!(preferences.cache_size, Some(100));
    assert!(matches!(Command::from(info), Command::WireFormatInfo(_)));
}
