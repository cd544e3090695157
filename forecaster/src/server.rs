//! What is served: forecasts for the extender, and the admin's endpoints apart from them.
//!
//! Promises: an answer is bytes that lie ready; a poll with the newest generation costs no body. Must not know: how
//! forecasts are made.

mod admin;
mod forecasts;
mod sockets;

use std::sync::Arc;
use std::time::Duration;

pub use sockets::Sockets;

use crate::metrics::Metrics;
use crate::publication::Publication;

/// What handlers reach.
#[derive(Debug)]
pub struct Context {
    /// What is published.
    pub publication: Arc<Publication>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// How often there is something new, at most.
    pub tick: Duration,
}

pub use admin::router as admin;
pub use forecasts::router as forecasts;
