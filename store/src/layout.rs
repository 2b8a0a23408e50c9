//! The data directory: is it ours, and where in it things are (FORMAT.md, first page).
//!
//! Refuses a directory that belongs to another program before anything is created in it. Does not look into files.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{Fs, RealFs};
use crate::journal::Directory;

const JOURNAL: &str = "journal";
const LOCK: &str = "lock";
const LOST_AND_FOUND: &str = "lost+found";

/// Where the segments are.
pub(crate) fn journal_dir(dir: &Path) -> PathBuf {
    dir.join(JOURNAL)
}

/// The highest epoch in the journal of the data directory `dir`: what [`lock::acquire`] asks for, once it has the lock.
///
/// # Errors
/// What the system says; a name in `journal/` that is no segment's.
pub fn seen_epoch(dir: &Path) -> io::Result<lock::Epoch> {
    let highest = Directory::highest_epoch(&RealFs::new(None), &journal_dir(dir));
    highest.map(lock::Epoch::new).map_err(|error| match error {
        Error::Io { source, .. } => source,
        other => io::Error::other(other),
    })
}

/// Refuses a directory that has no journal and holds something else.
///
/// # Errors
/// [`Error::NotOurs`] with the first foreign name, [`Error::Io`].
pub(crate) fn check(fs: &dyn Fs, dir: &Path) -> Result<()> {
    let mut names = match fs.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    names.sort();
    if names.iter().any(|name| name == JOURNAL) {
        return Ok(());
    }
    let ours = |name: &str| name == LOCK || name == LOST_AND_FOUND || name.starts_with('.');
    match names.into_iter().find(|name| !ours(name)) {
        Some(found) => Err(Error::NotOurs {
            path: dir.to_owned(),
            found,
        }),
        None => Ok(()),
    }
}

/// Checks the directory and makes sure that `journal/` exists and stays.
///
/// # Errors
/// As [`check`].
pub(crate) fn prepare(fs: &dyn Fs, dir: &Path) -> Result<()> {
    check(fs, dir)?;
    let journal = journal_dir(dir);
    fs.create_dir_all(&journal)
        .map_err(Error::io("create", &journal))?;
    fs.sync_dir(dir).map_err(Error::io("sync", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_files(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temp dir");
        for name in names {
            RealFs::new(None)
                .replace(&dir.path().join(name), b"")
                .expect("write");
        }
        dir
    }

    #[test]
    fn an_empty_or_own_directory_is_taken() {
        for names in [&[][..], &["lock"], &["lock", ".snapshot", "lost+found"]] {
            let dir = with_files(names);
            prepare(&RealFs::new(None), dir.path()).expect("ours");
            assert!(
                RealFs::new(None)
                    .list(dir.path())
                    .expect("list")
                    .contains(&"journal".to_owned())
            );
            prepare(&RealFs::new(None), dir.path()).expect("still ours");
        }
    }

    #[test]
    fn a_directory_of_another_program_is_refused_and_left_alone() {
        let dir = with_files(&["lock", "db.data", "journal-1.log"]);
        let refused = prepare(&RealFs::new(None), dir.path());
        assert!(matches!(refused, Err(Error::NotOurs { found, .. }) if found == "db.data"));
        assert_eq!(RealFs::new(None).list(dir.path()).expect("list").len(), 3);
    }
}
