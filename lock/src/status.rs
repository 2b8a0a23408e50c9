//! Who is master, asked from outside: by `holdfast status`, without the network and without disturbing anybody.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::Error;
use crate::file::{NAME, read_record};
use crate::filesystem::Filesystem;
use crate::holder::{Holder, Record};

/// What the lock file and the kernel say.
#[derive(Clone, Debug)]
pub struct Status {
    /// The last holder that wrote its record whole; `None` when nobody ever did.
    pub holder: Option<Holder>,
    /// Whether the lock is held right now.
    pub held: bool,
    /// What the directory stands on.
    pub filesystem: Filesystem,
}

/// Looks at the lock of a data directory. Creates nothing and writes nothing.
///
/// # Errors
/// When the directory or its lock file cannot be read, or the lock file is another program's.
pub fn read_status(dir: &Path) -> Result<Status, Error> {
    let filesystem = Filesystem::of(dir, None)?;
    let path = dir.join(NAME);
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Status {
                holder: None,
                held: false,
                filesystem,
            });
        }
        other => other.map_err(Error::io("open", &path))?,
    };
    let holder = match read_record(&file).map_err(Error::io("read", &path))? {
        Record::Holder(holder) => Some(holder),
        Record::Empty | Record::Torn => None,
        Record::Foreign(found) => return Err(Error::Foreign { path, found }),
    };
    let held = listed_as_locked(&file) || is_locked(&file);
    Ok(Status {
        holder,
        held,
        filesystem,
    })
}

/// Whether the kernel lists a flock on this file; only its word for "yes" counts.
fn listed_as_locked(file: &File) -> bool {
    let (Ok(table), Ok(metadata)) = (fs::read_to_string("/proc/locks"), file.metadata()) else {
        return false;
    };
    table
        .lines()
        .any(|line| is_lock_on(line, metadata.dev(), metadata.ino()))
}

/// A line of /proc/locks: "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; waiting ones have "->" in second place.
fn is_lock_on(line: &str, dev: u64, ino: u64) -> bool {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", _, file, ..] = fields[..] else {
        return false;
    };
    let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
    file == format!("{major:02x}:{minor:02x}:{ino}")
}

/// Asks for a shared lock for a moment. A blocked slave is woken after us; a polling one asks again.
fn is_locked(file: &File) -> bool {
    match fs2::FileExt::try_lock_shared(file) {
        Ok(()) => {
            // Closing the file gives it back as well; this only shortens the moment.
            let _ = fs2::FileExt::unlock(file);
            false
        }
        Err(error) => error.raw_os_error() == fs2::lock_contended_error().raw_os_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let dev = rustix::fs::makedev(254, 0);
        assert!(is_lock_on(
            "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF",
            dev,
            5678
        ));
        assert!(!is_lock_on(
            "1: -> FLOCK  ADVISORY  WRITE 1235 fe:00:5678 0 EOF",
            dev,
            5678
        ));
        assert!(!is_lock_on(
            "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5679 0 EOF",
            dev,
            5678
        ));
        assert!(!is_lock_on("", dev, 1));
    }

    #[test]
    fn a_directory_without_a_lock_file_has_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let status = read_status(dir.path()).unwrap();
        assert!(status.holder.is_none() && !status.held);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(read_status(Path::new("/does/not/exist")).is_err());
    }
}
