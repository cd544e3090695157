//! A store that ends with the process.
//!
//! Must not know: anything beyond its maps.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Store, StoreError};
use crate::snapshot::{Encoded, Snapshot};

/// A store that ends with the process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    snapshot: Option<Encoded>,
    weights_by_query: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn save_snapshot(&self, snapshot: &Encoded) -> Result<(), StoreError> {
        self.held().snapshot = Some(snapshot.clone());
        Ok(())
    }

    fn load_snapshot(&self) -> Result<Option<(Encoded, Snapshot)>, StoreError> {
        let held = self.held().snapshot.clone();
        Ok(held.map(|snapshot| Encoded::decode(&snapshot.body())).transpose()?)
    }

    fn save_weights(&self, query: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.held().weights_by_query.insert(query.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn load_weights(&self, query: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.held().weights_by_query.get(query).cloned())
    }
}
