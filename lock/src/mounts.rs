//! The mount that a directory stands on, from `/proc/self/mountinfo`.

use std::fs;
use std::path::{Path, PathBuf};

/// One mount: where, what kind, with which options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Kind as the kernel names it: "nfs4", "ext4".
    pub(crate) kind: String,
    options: Vec<String>,
}

impl Mount {
    /// The mount under `dir`, if it can be found out.
    pub(crate) fn of(dir: &Path) -> Option<Self> {
        let dir = fs::canonicalize(dir).ok()?;
        let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::find(&table, &dir)
    }

    /// The last of the deepest mounts above `dir`: later mounts hide earlier ones.
    fn find(table: &str, dir: &Path) -> Option<Self> {
        let above = table
            .lines()
            .filter_map(Self::parse)
            .filter(|mount| dir.starts_with(&mount.point));
        above.max_by_key(|mount| mount.point.components().count())
    }

    /// Reads one line of proc(5) mountinfo: optional fields end at a lone hyphen.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let left: Vec<&str> = left.split(' ').collect();
        let mut right = right.split(' ');
        let kind = right.next()?.to_owned();
        let _source = right.next()?;
        let options = left
            .get(5)?
            .split(',')
            .chain(right.next().unwrap_or_default().split(','));
        Some(Self {
            point: PathBuf::from(unescape(left.get(4)?)),
            kind,
            options: options.map(str::to_owned).collect(),
        })
    }

    /// Whether a bare option is set.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|set| set == option)
    }

    /// The value of `option=value`.
    pub(crate) fn value(&self, option: &str) -> Option<&str> {
        self.options
            .iter()
            .find_map(|set| set.strip_prefix(option)?.strip_prefix('='))
    }
}

/// The kernel writes blanks and backslashes in octal.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:52 / /shared/or\\040ders rw,relatime shared:7 - nfs4 server:/export rw,vers=4.2,hard,local_lock=none
41 22 0:53 / /shared rw - tmpfs none rw
";

    #[test]
    fn the_deepest_mount_counts() {
        let mount = Mount::find(TABLE, Path::new("/shared/or ders/data")).unwrap();
        assert_eq!(mount.kind, "nfs4");
        assert_eq!(mount.value("vers"), Some("4.2"));
        assert!(mount.has("hard") && !mount.has("soft"));
        assert_eq!(
            Mount::find(TABLE, Path::new("/shared/x")).unwrap().kind,
            "tmpfs"
        );
        assert_eq!(Mount::find(TABLE, Path::new("/var")).unwrap().kind, "ext4");
    }

    #[test]
    fn a_broken_line_is_passed_over() {
        assert_eq!(Mount::parse("nonsense"), None);
        assert_eq!(Mount::parse("1 2 - "), None);
        assert!(Mount::of(Path::new("/")).is_some());
    }
}
