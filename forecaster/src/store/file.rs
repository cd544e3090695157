//! A store in a folder: `forecasts.json`, and `weights-<query>.safetensors`.
//!
//! Promises: a file is written beside, flushed to the disk and then renamed, so a crash or a full disk leaves the one
//! before. Must not know: who else reads the folder.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Store, StoreError};
use crate::snapshot::{Encoded, Snapshot};

/// The snapshot's file, which the extender may read too.
const SNAPSHOT: &str = "forecasts.json";

/// A store in a folder.
#[derive(Debug)]
pub struct File {
    folder: PathBuf,
}

impl File {
    /// A store in a folder that exists.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (path, beside) = (self.folder.join(name), self.folder.join(format!(".{name}.tmp")));
        write(&beside, &path, bytes, &self.folder).map_err(|source| {
            // On a full disk the half that was written would keep others from writing.
            drop(fs::remove_file(&beside));
            StoreError::Write { path, source }
        })
    }

    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }
}

fn write(beside: &Path, path: &Path, bytes: &[u8], folder: &Path) -> std::io::Result<()> {
    let mut file = fs::File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(beside, path)?;
    // The rename itself is on the disk once the folder is.
    fs::File::open(folder)?.sync_all()
}

fn weights(query: &str) -> String {
    format!("weights-{query}.safetensors")
}

impl Store for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn save_snapshot(&self, snapshot: &Encoded) -> Result<(), StoreError> {
        self.save(SNAPSHOT, &snapshot.body())
    }

    fn load_snapshot(&self) -> Result<Option<(Encoded, Snapshot)>, StoreError> {
        let bytes = self.load(SNAPSHOT)?;
        Ok(bytes.map(|bytes| Encoded::decode(&bytes)).transpose()?)
    }

    fn save_weights(&self, query: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.save(&weights(query), bytes)
    }

    fn load_weights(&self, query: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.load(&weights(query))
    }
}
