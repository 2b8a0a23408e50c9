//! What we are standing on: local or network, and whether its locks can be trusted.
//!
//! The kind comes from `statfs`; mount options refine it where they can be read. An unknown file system is treated like
//! a network one: polled, and verified by reading the record, which is right everywhere and only slower.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::mounts::Mount;

/// How a file system keeps locks and caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesystemKind {
    /// One kernel sees all holders; a lock lives as long as its process.
    Local,
    /// Several hosts share it; locks are leases, reads may be cached.
    Network,
    /// Not known; treated like `Network`.
    Unknown,
}

/// The file system of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// Local, network or unknown.
    pub kind: FilesystemKind,
    /// Its name: "ext4", "nfs4", or the magic number of `statfs` in hex.
    pub name: String,
    /// Why it must not be shared by brokers; empty when it is fit.
    pub refusals: Vec<String>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// Magic numbers of `statfs(2)`, names, and kinds.
const KNOWN: &[(u64, &str, FilesystemKind)] = &[
    (0xEF53, "ext4", FilesystemKind::Local),
    (0x5846_5342, "xfs", FilesystemKind::Local),
    (0x9123_683E, "btrfs", FilesystemKind::Local),
    (0x0102_1994, "tmpfs", FilesystemKind::Local),
    (0x794C_7630, "overlay", FilesystemKind::Local),
    (0x2FC1_2FC1, "zfs", FilesystemKind::Local),
    (0xF2F5_2010, "f2fs", FilesystemKind::Local),
    (0xCA45_1A4E, "bcachefs", FilesystemKind::Local),
    (0x6969, "nfs", FilesystemKind::Network),
    (0x517B, "smb", FilesystemKind::Network),
    (0xFF53_4D42, "cifs", FilesystemKind::Network),
    (0xFE53_4D42, "smb2", FilesystemKind::Network),
    (0x00C3_6400, "ceph", FilesystemKind::Network),
    (0x0116_1970, "gfs2", FilesystemKind::Network),
    (0x7461_636F, "ocfs2", FilesystemKind::Network),
    (0x0BD0_0BD0, "lustre", FilesystemKind::Network),
    (0x4750_4653, "gpfs", FilesystemKind::Network),
    (0x0102_1997, "9p", FilesystemKind::Network),
    (0x6573_5546, "fuse", FilesystemKind::Unknown),
];

impl Filesystem {
    /// Looks at the file system of `dir`.
    pub(crate) fn of(dir: &Path, assume: Option<FilesystemKind>) -> Result<Self, Error> {
        let stat = rustix::fs::statfs(dir)
            .map_err(|error| Error::io("look at the file system of", dir)(error.into()))?;
        let magic = u64::try_from(stat.f_type).unwrap_or_default() & 0xFFFF_FFFF;
        let mut found = Self::from_magic(magic);
        if let Some(mount) = Mount::of(dir) {
            found.apply(&mount, &recover_lost_locks());
        }
        if let Some(kind) = assume {
            found.kind = kind;
        }
        Ok(found)
    }

    /// Whether locks and caches behave as on one host.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.kind == FilesystemKind::Local
    }

    fn from_magic(magic: u64) -> Self {
        let known = KNOWN.iter().find(|(number, ..)| *number == magic);
        let (name, kind) = known.map_or(
            (format!("0x{magic:x}"), FilesystemKind::Unknown),
            |(_, name, kind)| ((*name).into(), *kind),
        );
        let mut found = Self {
            kind,
            name,
            refusals: Vec::new(),
            warnings: Vec::new(),
        };
        if found.name == "ocfs2" {
            found.refusals.push(
                "OCFS2 does not keep flock across hosts: two brokers could be master at once"
                    .into(),
            );
        }
        if kind == FilesystemKind::Unknown {
            found.warnings.push(format!(
                "file system {} is not known to keep locks across hosts",
                found.name
            ));
        }
        found
    }

    fn apply(&mut self, mount: &Mount, recover_lost_locks: &str) {
        if !mount.kind.starts_with("nfs") {
            return;
        }
        self.name.clone_from(&mount.kind);
        let version = mount.value("vers").or_else(|| mount.value("nfsvers"));
        if version.is_some_and(|version| !version.starts_with('4')) {
            self.refusals.push(
                "NFSv3 never gives back the lock of a crashed host; mount it with vers=4.2".into(),
            );
        }
        if mount.has("nolock") {
            self.refusals
                .push("mount option nolock keeps locks on one host; remove it".into());
        }
        if mount
            .value("local_lock")
            .is_some_and(|value| value == "flock" || value == "all")
        {
            self.refusals
                .push("mount option local_lock keeps flock on one host; remove it".into());
        }
        if mount.has("soft") || mount.has("softerr") {
            self.refusals
                .push("mount option soft lets writes fail silently late; mount it hard".into());
        }
        if !mount.has("sync") && mount.value("actimeo").is_none() && mount.has("nocto") {
            self.warnings
                .push("mount option nocto weakens the check of the holder; remove it".into());
        }
        if recover_lost_locks.trim() == "Y" {
            let text = "nfs.recover_lost_locks=Y takes lost locks back silently; set it to N";
            self.warnings.push(text.into());
        }
    }
}

/// The kernel's parameter, empty where there is no NFS client.
fn recover_lost_locks() -> String {
    fs::read_to_string("/sys/module/nfs/parameters/recover_lost_locks").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nfs(options: &str) -> Filesystem {
        let mut found = Filesystem::from_magic(0x6969);
        let line = format!("36 35 0:52 / /shared rw - nfs4 server:/export {options}");
        found.apply(&Mount::parse(&line).unwrap(), "N\n");
        found
    }

    #[test]
    fn unfit_mounts_are_refused_by_name() {
        assert_eq!(
            nfs("rw,vers=4.2,hard,local_lock=none").refusals,
            Vec::<String>::new()
        );
        for (options, word) in [
            ("rw,vers=3,hard", "NFSv3"),
            ("rw,vers=4.2,nolock", "nolock"),
            ("rw,vers=4.2,local_lock=flock", "local_lock"),
            ("rw,vers=4.2,local_lock=all", "local_lock"),
            ("rw,vers=4.2,soft", "soft"),
        ] {
            let refusals = nfs(options).refusals;
            assert!(
                refusals.len() == 1 && refusals[0].contains(word),
                "{options}: {refusals:?}"
            );
        }
    }

    #[test]
    fn kinds_follow_the_magic_number() {
        assert!(Filesystem::from_magic(0xEF53).is_local());
        assert!(!Filesystem::from_magic(0xFF53_4D42).is_local());
        assert_eq!(Filesystem::from_magic(0x1234).kind, FilesystemKind::Unknown);
        assert!(!Filesystem::from_magic(0x7461_636F).refusals.is_empty());
    }

    #[test]
    fn lost_locks_that_come_back_silently_are_warned_of() {
        let mut found = Filesystem::from_magic(0x6969);
        found.apply(
            &Mount::parse("1 0 0:5 / / rw - nfs4 s:/ vers=4.1").unwrap(),
            "Y\n",
        );
        assert!(found.warnings[0].contains("recover_lost_locks"));
    }

    #[test]
    fn this_machine_has_a_file_system() {
        let found = Filesystem::of(&std::env::temp_dir(), Some(FilesystemKind::Network)).unwrap();
        assert_eq!(found.kind, FilesystemKind::Network);
        assert!(Filesystem::of(Path::new("/does/not/exist"), None).is_err());
    }
}
