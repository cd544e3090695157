//! Where forecasts and weights outlive the process, and are shared by replicas.
//!
//! Laws of every store: what was saved last is what is loaded; before that there is nothing; a reader never sees half of
//! something; a failure is an error and never a panic. They are checked in `tests/stores.rs`.
//!
//! Must not know: what a forecast says, when it is made.

mod file;
mod memory;
mod redis;

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

pub use file::File;
pub use memory::Memory;
pub use redis::Redis;

use crate::config::valid;
use crate::snapshot::{Encoded, Snapshot, SnapshotError};

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be written: no space, no permission.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Redis cannot be reached, or does not do what it should.
    #[error("cannot use redis")]
    Redis(#[from] ::redis::RedisError),
    /// Another replica is the writer by now.
    #[error("another replica is the writer")]
    NotTheWriter,
    /// The stored snapshot was issued later: this one was delayed, or the writers' clocks differ.
    #[error("a snapshot that was issued later is stored")]
    Older,
    /// What is stored is no snapshot of this version.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl StoreError {
    /// A name from a closed set, for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Redis(_) => "redis",
            Self::NotTheWriter => "not_the_writer",
            Self::Older => "older",
            Self::Snapshot(error) => error.reason(),
        }
    }
}

/// A place for one snapshot and the weights of each query.
pub trait Store: Debug + Send + Sync {
    /// A name from a closed set, for metrics.
    fn name(&self) -> &'static str;

    /// Keeps a snapshot in place of the one before.
    ///
    /// # Errors
    /// If it cannot be kept; the one before is then still there.
    fn save_snapshot(&self, snapshot: &Encoded) -> Result<(), StoreError>;

    /// The snapshot that was saved last.
    ///
    /// # Errors
    /// If it cannot be read, or is none of this version.
    fn load_snapshot(&self) -> Result<Option<(Encoded, Snapshot)>, StoreError>;

    /// Keeps the weights of a query, a safetensors file, in place of those before.
    ///
    /// # Errors
    /// If they cannot be kept; those before are then still there.
    fn save_weights(&self, query: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// The weights of a query that were saved last.
    ///
    /// # Errors
    /// If they cannot be read.
    fn load_weights(&self, query: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// A store that replicas share: one of them writes.
pub trait Shared: Store {
    /// Tries to become or to stay the writer; says whether this replica is it.
    ///
    /// # Errors
    /// If that cannot be told.
    fn lead(&self) -> Result<bool, StoreError>;

    /// The stored snapshot, unless it has this generation or there is none.
    ///
    /// # Errors
    /// As [`Store::load_snapshot`].
    fn newer(&self, generation: Option<&str>) -> Result<Option<(Encoded, Snapshot)>, StoreError>;

    /// Waits until a snapshot is saved, at most for a time; says whether one was.
    ///
    /// # Errors
    /// If that cannot be told.
    fn wait(&self, limit: Duration) -> Result<bool, StoreError>;
}

/// The stores of a process.
#[derive(Debug)]
pub struct Stores {
    local: Box<dyn Store>,
    shared: Option<Box<dyn Shared>>,
}

impl Stores {
    /// A store of this process, and one that replicas share.
    #[must_use]
    pub fn new(local: Box<dyn Store>, shared: Option<Box<dyn Shared>>) -> Self {
        Self { local, shared }
    }

    /// As configured.
    ///
    /// # Errors
    /// If the address of a Redis is none.
    pub fn open(config: &valid::Store) -> Result<Self, StoreError> {
        let local: Box<dyn Store> = match &config.folder {
            Some(folder) => Box::new(File::new(folder.clone())),
            None => Box::new(Memory::default()),
        };
        let shared = config.redis.clone().map(Redis::new).transpose()?;
        Ok(Self::new(local, shared.map(|redis| Box::new(redis) as Box<dyn Shared>)))
    }

    /// The store of this process.
    #[must_use]
    pub fn local(&self) -> &dyn Store {
        self.local.as_ref()
    }

    /// The store that replicas share.
    #[must_use]
    pub fn shared(&self) -> Option<&dyn Shared> {
        self.shared.as_deref()
    }

    /// All of them, the shared one first: what it holds is newer.
    pub fn all(&self) -> impl Iterator<Item = &dyn Store> {
        let shared = self.shared.as_deref().map(|shared| shared as &dyn Store);
        shared.into_iter().chain([self.local()])
    }
}
