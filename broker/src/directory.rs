//! The data directory before anything is opened in it: made if missing, and
//! refused where a slave would only wait in vain.
//!
//! What may pass (a file server that does not answer) is not decided here: the
//! lock keeps trying and says why. Nothing is written into a directory that
//! holds another program's files.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::Access;

use crate::error::Error;

/// Names that say that the directory is ours, or that a store will look closer.
const OURS: [&str; 2] = ["journal", "lock"];

/// Makes the directory if its parent exists, and checks that it can be used.
pub(crate) fn prepare(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Directory {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Err(failed(ErrorKind::NotADirectory.into())),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return make(path).map_err(failed),
        Err(error) if is_final(&error) => return Err(failed(error)),
        Err(_) => return Ok(()),
    }
    let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    if let Err(errno) = rustix::fs::access(path, needed) {
        let error = io::Error::from(errno);
        return if is_final(&error) {
            Err(failed(error))
        } else {
            Ok(())
        };
    }
    refuse_foreign(path)
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        // Another broker of the set was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whether trying again is pointless.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
    )
}

/// The store refuses foreign directories too, but only after the lock file was
/// made in them.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(path) else {
        return Ok(());
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    if names.iter().any(|name| OURS.contains(&name.as_str())) {
        return Ok(());
    }
    let harmless = |name: &String| name.starts_with('.') || name == "lost+found";
    match names.into_iter().find(|name| !harmless(name)) {
        Some(found) => Err(Error::Store(store::Error::NotOurs {
            path: path.to_owned(),
            found,
        })),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_is_made_and_no_more() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        prepare(&path).unwrap();
        prepare(&path).unwrap();
        assert!(path.is_dir());
        let deep = parent.path().join("a/b");
        let error = prepare(&deep).unwrap_err().to_string();
        assert!(error.contains("a/b"), "{error}");
    }

    #[test]
    fn a_file_and_a_foreign_directory_are_refused_untouched() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(matches!(prepare(&file), Err(Error::Directory { .. })));
        let error = prepare(parent.path()).unwrap_err().to_string();
        assert!(error.contains("\"file\""), "{error}");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        fs::create_dir(parent.path().join("journal")).unwrap();
        prepare(parent.path()).unwrap();
    }
}
