//! The two WireFormatInfo that open a connection (openwire 1.2 to 1.6).

use std::io;

use bytes::BytesMut;
use tokio::net::tcp::OwnedWriteHalf;
use wire::detect::{Detection, detect};
use wire::openwire::{
    Command, Decoder, Encoder, Negotiated, Offer, WireFormatInfo, initial_format, negotiate,
};

use super::frames::Frames;
use crate::connection::{EdgeSettings, End};

/// Says our WireFormatInfo at once, waits for the peer's, and agrees.
pub(super) async fn run(
    settings: &EdgeSettings,
    socket: &OwnedWriteHalf,
    frames: &mut Frames,
) -> Result<Negotiated, End> {
    let mine = WireFormatInfo::offer(&Offer {
        max_frame_size: settings.max_frame,
        max_inactivity: settings.max_inactivity,
        initial_delay: settings.initial_delay,
        ..Offer::default()
    });
    say(&mine, socket).await?;
    let theirs = hear(frames).await?;
    Ok(negotiate(&mine, &theirs)?)
}

async fn say(mine: &WireFormatInfo, socket: &OwnedWriteHalf) -> Result<(), End> {
    let mut buffer = BytesMut::new();
    Encoder::new(initial_format()).encode(&mine.clone().into(), &mut buffer)?;
    let mut rest = &buffer[..];
    while !rest.is_empty() {
        match socket.try_write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn hear(frames: &mut Frames) -> Result<WireFormatInfo, End> {
    let mut decoder = Decoder::new(initial_format());
    loop {
        // Before the size is believed: a foreign protocol's first bytes would
        // only be reported as an absurd frame size.
        if detect(frames.peek()) == Detection::Unknown {
            return Err(End::Foreign);
        }
        match frames.next(&mut decoder)? {
            Some(Command::WireFormatInfo(theirs)) => return Ok(theirs),
            Some(_) => return Err(End::Unexpected("command before WireFormatInfo")),
            None => {}
        }
        if frames.fill().await? == 0 {
            let cut = frames.in_the_middle();
            let gone = End::Gone("end of stream before WireFormatInfo".to_owned());
            return Err(if cut { End::CutOff } else { gone });
        }
    }
}
