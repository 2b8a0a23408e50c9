//! A database in one plain file that goes through the file layer, for tests that crash the disk under it.
//!
//! Everything is in memory and written out whole at each sync. It keeps the promises of the trait and nothing more.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::database::{Change, Database, Trouble};
use super::encoding::{Fields, put_bytes};
use crate::fs::Fs;

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
        Ok(Self { fs: Arc::clone(fs), path: path.to_owned(), map: Mutex::new(map) })
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    fn scan(&self, from: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Trouble> {
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
        let mut bytes = Vec::new();
        for (key, value) in &*self.map() {
            put_bytes(&mut bytes, key);
            put_bytes(&mut bytes, value);
        }
        self.fs.replace(&self.path, &bytes).map_err(|error| error.to_string())
    }

    fn bytes_on_disk(&self) -> Result<u64, Trouble> {
        self.fs.file_len(&self.path).map_err(|error| error.to_string())
    }
}
