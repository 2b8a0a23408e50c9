//! A small database in one plain file that goes through the file layer: all of it is in memory, and replaced whole at
//! each sync.
//!
//! Guarantees that the file is as of one sync or as of the next, never between. What its values are worth is proven
//! above, as for any database. Tests crash the disk under it, and the next sync of its thread torn: what is on disk then is a mixture of before and after, key by key.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::database::{Change, Database, Trouble};
use super::encoding::{Fields, put_bytes};
use crate::fs::Fs;

#[cfg(test)]
thread_local! {
    /// Bits that choose between old and new, key by key.
    pub(super) static TEAR_NEXT_SYNC: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// See the module.
pub(super) struct FileDatabase {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    map: Mutex<Map>,
}

impl FileDatabase {
    pub(super) fn open(fs: &Arc<dyn Fs>, path: &Path) -> Result<Self, Trouble> {
        let map = match fs.read_small(path) {
            Ok(bytes) => read(&bytes).ok_or("database file is damaged")?,
            Err(error) if error.kind() == ErrorKind::NotFound => Map::new(),
            Err(error) => return Err(error.to_string()),
        };
        Ok(Self {
            fs: Arc::clone(fs),
            path: path.to_owned(),
            map: Mutex::new(map),
        })
    }

    fn replace(&self, bytes: &[u8]) -> Result<(), Trouble> {
        self.fs
            .replace(&self.path, bytes)
            .map_err(|error| error.to_string())
    }

    /// Leaves each changed key as it was or as it is to be.
    #[cfg(test)]
    fn tear(&self, mut choice: u64) -> Result<(), Trouble> {
        let old = Self::open(&self.fs, &self.path)?;
        let mut mixed = old.map().clone();
        let new = self.map().clone();
        for key in new.keys().chain(old.map().keys()) {
            choice = choice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if choice >> 63 == 0 {
                continue;
            }
            match new.get(key) {
                Some(value) => mixed.insert(key.clone(), value.clone()),
                None => mixed.remove(key),
            };
        }
        self.replace(&encoded(&mixed))?;
        Err("torn, as the test asked".into())
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encoded(map: &Map) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in map {
        put_bytes(&mut bytes, key);
        put_bytes(&mut bytes, value);
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<Map> {
    let (mut fields, mut map) = (Fields::new(bytes), Map::new());
    while !fields.is_empty() {
        map.insert(fields.bytes()?.to_vec(), fields.bytes()?.to_vec());
    }
    Some(map)
}

impl Database for FileDatabase {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        Ok(self.map().get(key).cloned())
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Trouble> {
        for (key, value) in self.map().range(from.to_vec()..) {
            if !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), Trouble> {
        let mut map = self.map();
        for (key, value) in changes {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), Trouble> {
        #[cfg(test)]
        if let Some(choice) = TEAR_NEXT_SYNC.take() {
            return self.tear(choice);
        }
        // Whoever looks something up does not wait for the disk.
        let bytes = encoded(&self.map());
        self.replace(&bytes)
    }

    fn bytes_on_disk(&self) -> Result<u64, Trouble> {
        self.fs
            .file_len(&self.path)
            .map_err(|error| error.to_string())
    }
}
