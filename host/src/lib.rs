//! Runs scheduler plugins, ours or a stranger's, as Wasm components without any ambient authority.
//!
//! ```text
//!  bytes ─► Component (size, digest, cache | compile | workshop, imports by name, exports)
//!               │ + settings, Limits
//!               ▼
//!            Plugin ── Pool ── Worker ── Instance ── Store ─► component
//!               ▲       wait    re-make    arm, enter,           │
//!               │       or                 validate           imports: log
//!        SnapshotSource turn away
//!        (columns, lent)
//! ```
//!
//! A component can compute, remember what it was told, and write to the log; it has no clock, no randomness, no files, no
//! network, and no memory beyond its limit. What it can still do wrong is to be slow, to stop, or to answer nonsense, and
//! each of these ends as a [`CallError`] with a [`Reason`] from a closed set, while the next call finds a fresh instance.
//! What to do about a failure is the caller's business; this crate only promises that there is always an answer or a
//! reason, in bounded time.
//!
//! Compiled code is shared between instances; a store never outlives a trap and is never shared.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | the one engine, and the clock of deadlines |
//! | [`component`], [`compile`], [`cache`] | from bytes to something that may be instantiated |
//! | [`workshop`] | compiling in a child process with limits |
//! | [`limits`] | what a plugin may use |
//! | [`source`] | how the caller lends the cluster's columns |
//! | [`plugin`] | questions and answers |
//! | `pool`, `worker`, `instance`, `state`, `imports` | what lies between a question and the component |
//! | [`turn`] | who lets others go first on a busy machine |
//! | `validate` | the checks of every answer |
//! | [`record`] | questions and answers as a document, to be asked again |
//! | [`breaker`] | whether a plugin that keeps failing is asked at all |
//! | [`error`] | everything that can go wrong |
//!
//! This crate must not know Kubernetes, HTTP, or the solver.

mod bindings;
mod blueprint;
pub mod breaker;
pub mod cache;
pub mod compile;
pub mod component;
pub mod engine;
pub mod error;
mod imports;
mod instance;
pub mod limits;
pub mod plugin;
mod pool;
pub mod record;
pub mod source;
mod state;
pub mod turn;
mod validate;
mod worker;
pub mod workshop;

/// The records of the contract in `wit/types.wit`; parameters borrow their lists.
pub mod types {
    pub use crate::bindings::gantry::scheduling::types::{
        Budget, ConfigError, Delta, DomainClass, Error, ExtensionPoints, Force, GroupRule, Limit, Plan, PluginInfo,
        Pod, Pods, Snapshot, TerminationReason,
    };
}

pub use crate::breaker::{Breaker, BreakerState, Report};
pub use crate::cache::Cache;
pub use crate::component::{Component, Digest, WIT_VERSION};
pub use crate::engine::Engine;
pub use crate::error::{CallError, Entry, Failure, LoadError, Reason};
pub use crate::limits::Limits;
pub use crate::plugin::{Decision, Plugin};
pub use crate::source::{Changes, Full, SnapshotSource};
pub use crate::workshop::{CompileError, CompileLimits, Workshop};
