//! What is published now: one snapshot, swapped whole.
//!
//! Promises: a reader sees one snapshot from its first byte to its last, and never waits for a writer's work. Must not
//! know: HTTP, stores.

use std::sync::{Arc, PoisonError, RwLock};

use crate::snapshot::Encoded;

/// What is published now.
#[derive(Debug, Default)]
pub struct Publication(RwLock<Option<Arc<Encoded>>>);

impl Publication {
    /// Publishes a snapshot in place of the one before.
    pub fn publish(&self, snapshot: Encoded) {
        // The lock is held for the swap of a pointer; the old snapshot is freed after it.
        let new = Some(Arc::new(snapshot));
        let old = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), new);
        drop(old);
    }

    /// The snapshot; none before the first.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Encoded>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
