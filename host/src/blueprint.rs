//! Everything that an instance of one plugin is made of.
//!
//! It promises that every instance made from it starts out the same. It must not know instances that exist already.

use std::sync::Arc;

use crate::component::Component;
use crate::error::{CallError, Entry, Failure};
use crate::imports::log::Logbook;
use crate::limits::Limits;

/// One plugin as configured: which code, which settings, which limits.
pub(crate) struct Blueprint {
    pub(crate) name: Arc<str>,
    pub(crate) component: Component,
    pub(crate) settings: String,
    pub(crate) limits: Limits,
    /// One for all instances: what they may write is counted together.
    pub(crate) logbook: Arc<Logbook>,
}

impl Blueprint {
    pub(crate) fn error(&self, entry: Entry, failure: Failure) -> CallError {
        CallError::new(&self.name, entry, failure)
    }
}
