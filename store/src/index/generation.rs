//! Generations: one database each, named by the epoch that began it, side by side in `index/`.
//!
//! A small one is a file, a large one a sled database: a takeover reads a file in no time, while opening sled takes some
//! 15 ms even when next to nothing is in it. A generation that has outgrown its form is written anew in the other.
//!
//! The control file says which one counts. A generation that is not believed any more gets a `.bad` file beside it with the
//! reason, so that the next start knows; it stays until the next good checkpoint. Generations of a later epoch are
//! another master's and never touched.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::database::{self, Database, Form, OpenTrouble, Trouble};
use crate::fs::Fs;
use crate::index::Backend;
use crate::limits::{FILE_INDEX_BYTES, FILE_INDEX_SLACK};

/// Ends the name of a generation that is one file.
const FILE: &str = ".file";
/// Ends the name of the file that sets a generation aside.
const BAD: &str = ".bad";

/// An open generation.
pub(super) struct Generation {
    pub(super) name: String,
    pub(super) database: Arc<dyn Database>,
}

/// The directory `index`, and what is needed to work in it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    pub(super) backend: Backend,
    pub(super) epoch: u64,
}

impl Place {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Names of all generations; none if there is no directory yet.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = self.fs.list(&self.dir).unwrap_or_default();
        names.retain(|name| epoch_of(name).is_some());
        names.sort();
        names
    }

    /// A name that was not used before, for a generation of this form.
    pub(super) fn fresh_name(&self, form: Form) -> String {
        let names = self.names();
        let mut number = 0u64;
        loop {
            let name = format!("{:016x}-{number}", self.epoch);
            if !names.iter().any(|taken| stem(taken) == name) {
                return match form {
                    Form::File => name + FILE,
                    Form::Sled => name,
                };
            }
            number += 1;
        }
    }

    pub(super) fn open(&self, name: &str) -> Result<Generation, OpenTrouble> {
        let database = database::open(form_of(name), &self.fs, &self.path(name))?;
        Ok(Generation {
            name: name.to_owned(),
            database,
        })
    }

    /// The form that suits an index of this many bytes.
    pub(super) fn suited(&self, bytes: u64) -> Form {
        match self.backend {
            Backend::Fitting if bytes <= FILE_INDEX_BYTES => Form::File,
            Backend::Fitting => Form::Sled,
            #[cfg(test)]
            Backend::Sled => Form::Sled,
            #[cfg(any(test, feature = "sim"))]
            Backend::File => Form::File,
        }
    }

    /// Whether an index of this many bytes should move: far enough from the border, or it would move to and fro.
    pub(super) fn is_misplaced(&self, name: &str, bytes: u64) -> bool {
        let measured = match form_of(name) {
            Form::File => bytes / FILE_INDEX_SLACK,
            Form::Sled => bytes.saturating_mul(FILE_INDEX_SLACK),
        };
        self.suited(measured) != form_of(name)
    }

    /// Creates the directory `index` if need be, durably, and a new generation in it for about so many bytes.
    pub(super) fn create(&self, bytes: u64) -> Result<Generation, Trouble> {
        let made = self
            .fs
            .create_dir_all(&self.dir)
            .and_then(|()| match self.dir.parent() {
                Some(parent) => self.fs.sync_dir(parent),
                None => Ok(()),
            });
        made.map_err(|error| format!("cannot create {}: {error}", self.dir.display()))?;
        self.open(&self.fresh_name(self.suited(bytes)))
            .map_err(|trouble| format!("new generation: {}", text(trouble)))
    }

    /// Makes a new generation durable as a whole: its files and the names of its files.
    pub(super) fn sync_new(&self, name: &str) -> Result<(), Trouble> {
        let path = self.path(name);
        let synced = match form_of(name) {
            Form::Sled => sync_tree(&path),
            Form::File => Ok(()),
        };
        let synced = synced.and_then(|()| self.fs.sync_dir(&self.dir));
        synced.map_err(|error| format!("cannot sync {}: {error}", path.display()))
    }

    /// Copies the files of a generation that another process may have open. What was copied has to be proven.
    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), Trouble> {
        let form = form_of(from);
        let (from, to) = (self.path(from), self.path(to));
        let copied = match form {
            Form::Sled => copy_tree(&from, &to),
            Form::File => self
                .fs
                .read_small(&from)
                .and_then(|bytes| self.fs.replace(&to, &bytes)),
        };
        copied.map_err(|error| {
            format!(
                "cannot copy {} to {}: {error}",
                from.display(),
                to.display()
            )
        })
    }

    /// Notes for the next start that this generation is not to be used.
    pub(super) fn condemn(&self, name: &str, reason: &str) {
        tracing::warn!(
            generation = name,
            reason,
            "the index is set aside; the next start rebuilds it from the journal"
        );
        let path = self.path(&format!("{name}{BAD}"));
        if let Err(error) = self.fs.replace(&path, reason.as_bytes()) {
            tracing::warn!(path = %path.display(), %error, "cannot note that the index is unusable");
        }
    }

    /// The reason why a generation was set aside, if it was.
    pub(super) fn condemned(&self, name: &str) -> Option<String> {
        match self.fs.read_small(&self.path(&format!("{name}{BAD}"))) {
            Ok(reason) => Some(String::from_utf8_lossy(&reason).into_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(format!("cannot tell whether it was set aside: {error}")),
        }
    }

    /// Removes generations of our own and of earlier epochs, except these, and what a crash left of a replacement. Best
    /// effort: what stays is only space.
    pub(super) fn tidy(&self, keep: &[&str]) {
        for name in self.fs.list(&self.dir).unwrap_or_default() {
            let half = name.strip_suffix(".new").and_then(epoch_of);
            if half.is_some_and(|epoch| epoch <= self.epoch) {
                // Nobody replaces anything now: this is done by the thread that does.
                let _ = self.fs.remove(&self.path(&name));
            }
        }
        for name in self.names() {
            let generation = name.strip_suffix(BAD).unwrap_or(&name);
            if keep.contains(&generation) || epoch_of(&name).is_none_or(|epoch| epoch > self.epoch)
            {
                continue;
            }
            let path = self.path(&name);
            let removed = match form_of(&name) {
                Form::Sled if !name.ends_with(BAD) => remove_tree(&path),
                _ => self.fs.remove(&path).map(drop),
            };
            if let Err(error) = removed {
                tracing::debug!(path = %path.display(), %error, "an old index generation stays for now");
            }
        }
    }
}

/// A generation's name without what it is.
fn stem(name: &str) -> &str {
    let name = name.strip_suffix(BAD).unwrap_or(name);
    name.strip_suffix(FILE).unwrap_or(name)
}

/// The form of the generation that has this name.
pub(super) fn form_of(name: &str) -> Form {
    if name.strip_suffix(BAD).unwrap_or(name).ends_with(FILE) {
        Form::File
    } else {
        Form::Sled
    }
}

/// The epoch in the name of a generation or of the file that sets it aside.
fn epoch_of(name: &str) -> Option<u64> {
    let (epoch, number) = stem(name).split_once('-')?;
    if epoch.len() != 16 || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    u64::from_str_radix(epoch, 16).ok()
}

/// For the log.
pub(super) fn text(trouble: OpenTrouble) -> Trouble {
    match trouble {
        OpenTrouble::Locked => "locked by another process".into(),
        OpenTrouble::Unusable(trouble) => trouble,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "sled's files are not ours and do not go through the file layer"
)]
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
            continue;
        }
        match std::fs::copy(entry.path(), &target) {
            // A snapshot of sled's that its user has just replaced.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => {
                copied?;
            }
        }
    }
    Ok(())
}

/// Syncs every file and directory.
#[expect(
    clippy::disallowed_methods,
    reason = "sled's files are not ours and do not go through the file layer"
)]
fn sync_tree(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            std::fs::File::open(entry.path())?.sync_all()?;
        }
    }
    std::fs::File::open(path)?.sync_all()
}

#[expect(
    clippy::disallowed_methods,
    reason = "sled's files are not ours and do not go through the file layer"
)]
fn remove_tree(path: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::RealFs;

    #[test]
    fn generations_of_a_later_epoch_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let fs: Arc<dyn Fs> = Arc::new(RealFs::new(None));
        let place = |epoch| Place {
            fs: Arc::clone(&fs),
            dir: dir.path().join("index"),
            backend: Backend::File,
            epoch,
        };
        let (ours, later) = (place(5), place(6));
        for place in [&ours, &ours, &later] {
            let generation = place.create(0).unwrap();
            generation.database.sync().unwrap();
        }
        ours.condemn("0000000000000005-0.file", "a test");
        assert_eq!(
            ours.condemned("0000000000000005-0.file").as_deref(),
            Some("a test")
        );
        assert_eq!(ours.condemned("0000000000000005-1.file"), None);
        let halves = ["0000000000000005-7.file.new", "0000000000000006-7.file.new"];
        for half in halves {
            fs.replace(&ours.path(half), b"half of it").unwrap();
        }
        ours.tidy(&["0000000000000005-1.file"]);
        let left = halves.map(|half| fs.list(&ours.dir).unwrap().contains(&half.to_owned()));
        assert_eq!(left, [false, true], "what a crash left");
        let left = ["0000000000000005-1.file", "0000000000000006-0.file"];
        assert_eq!(ours.names(), left);
        assert_eq!(ours.fresh_name(Form::Sled), "0000000000000005-0");
        assert_eq!(ours.fresh_name(Form::File), "0000000000000005-0.file");
    }

    #[test]
    fn an_index_moves_only_when_it_is_far_from_fitting() {
        let place = Place {
            fs: Arc::new(RealFs::new(None)),
            dir: PathBuf::new(),
            backend: Backend::Fitting,
            epoch: 1,
        };
        let (file, sled) = ("0000000000000001-0.file", "0000000000000001-1");
        let sizes = [
            0,
            FILE_INDEX_BYTES / 2,
            FILE_INDEX_BYTES,
            FILE_INDEX_BYTES + 1,
        ];
        for bytes in sizes {
            assert!(!place.is_misplaced(file, bytes), "{bytes}");
        }
        assert!(place.is_misplaced(file, FILE_INDEX_BYTES * FILE_INDEX_SLACK * 2));
        assert!(!place.is_misplaced(sled, FILE_INDEX_BYTES));
        assert!(place.is_misplaced(sled, FILE_INDEX_BYTES / FILE_INDEX_SLACK / 2));
    }

    #[test]
    fn only_names_of_generations_count() {
        assert_eq!(epoch_of("00000000000000ff-12"), Some(255));
        assert_eq!(epoch_of("00000000000000ff-12.bad"), Some(255));
        assert_eq!(epoch_of("00000000000000ff-12.file.bad"), Some(255));
        assert_eq!(form_of("00000000000000ff-12.file.bad"), Form::File);
        assert_eq!(form_of("00000000000000ff-12.bad"), Form::Sled);
        for name in [
            "control",
            "control.new",
            "ff-1",
            "00000000000000ff-",
            "00000000000000ff-1x",
            "00000000000000ff-1.file.new",
        ] {
            assert_eq!(epoch_of(name), None, "{name}");
        }
    }
}
