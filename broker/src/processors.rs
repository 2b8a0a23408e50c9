//! Keeps the processors from falling asleep while the store is busy.
//!
//! Whoever has `/dev/cpu_dma_latency` open says by four bytes how long, in microseconds, a processor may take to wake up; with 0
//! it waits for work instead of sleeping. The kernel takes the word back when the process ends, however it ends. Every message
//! pays for several wake-ups, dear ones on a virtual machine: measured in ARCHITECTURE.md.
//!
//! The price is power, of the whole machine, for as long as commits follow each other within two milliseconds, and while a takeover
//! lasts. Where the device may not be opened everything goes on as before.

use std::fs::{File, OpenOptions};
use std::io::{Error, Write};
use std::path::PathBuf;

const DEVICE: &str = "/dev/cpu_dma_latency";
const AT_ONCE: i32 = 0;
/// What the kernel goes by when nobody asks.
const WHENEVER: i32 = 2_000_000_000;

/// What this process says about the sleep of processors.
pub(crate) struct Processors {
    device: Device,
}

enum Device {
    Untried(PathBuf),
    Open(File),
    /// Not wanted, or not to be had.
    None,
}

impl Processors {
    /// Nothing is opened until it is needed; without `keep_awake` never.
    pub(crate) fn new(keep_awake: bool) -> Processors {
        let device = if keep_awake {
            Device::Untried(PathBuf::from(DEVICE))
        } else {
            Device::None
        };
        Processors { device }
    }

    /// They may not sleep until what is answered is dropped: for work that waits for the disk again and again, and for which
    /// others wait. Says nothing where it may not.
    pub(crate) fn awake(keep_awake: bool) -> Processors {
        let mut processors = Self::new(keep_awake);
        let _ = processors.say(AT_ONCE);
        processors
    }

    /// They may no longer sleep, or may again.
    pub(crate) fn keep_awake(&mut self, awake: bool) {
        if let Err(error) = self.say(if awake { AT_ONCE } else { WHENEVER }) {
            // Closing the file takes back what was said.
            self.device = Device::None;
            tracing::info!(
                %error,
                "processors sleep between messages, which costs a lone producer a third of its speed: {DEVICE} refuses"
            );
        }
    }

    fn say(&mut self, microseconds: i32) -> Result<(), Error> {
        if let Device::Untried(path) = &self.device {
            self.device = Device::Open(OpenOptions::new().write(true).open(path)?);
        }
        match &mut self.device {
            Device::Open(file) => file.write_all(&microseconds.to_ne_bytes()),
            Device::Untried(_) | Device::None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(path: PathBuf) -> Processors {
        Processors {
            device: Device::Untried(path),
        }
    }

    #[test]
    fn each_word_is_four_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        std::fs::write(&path, []).unwrap();
        let mut processors = on(path.clone());
        processors.keep_awake(true);
        processors.keep_awake(false);
        processors.keep_awake(true);
        let said = [0_i32, 2_000_000_000, 0].map(i32::to_ne_bytes).concat();
        assert_eq!(std::fs::read(path).unwrap(), said);
    }

    #[test]
    fn without_a_device_nothing_is_said_and_it_is_tried_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        let mut processors = on(path.clone());
        processors.keep_awake(true);
        std::fs::write(&path, []).unwrap();
        processors.keep_awake(true);
        assert!(std::fs::read(path).unwrap().is_empty());
    }

    #[test]
    fn a_device_that_fails_is_closed() {
        let mut processors = on(PathBuf::from("/dev/full"));
        processors.keep_awake(true);
        assert!(matches!(processors.device, Device::None));
    }

    #[test]
    fn who_does_not_want_it_touches_nothing() {
        let mut processors = Processors::new(false);
        processors.keep_awake(true);
        assert!(matches!(processors.device, Device::None));
    }
}
