//! Kubernetes objects as numbers: an index fed by events, snapshots of it.
//!
//! ```text
//!  Node, Pod ──► Index ──► Snapshot ──► columns: [row * resources + resource], domain classes, pending pods
//!   (watch,      (apply,    (immutable,
//!    dump,        delete,    generation g)
//!    request)     assume)
//! ```
//!
//! [`Index`] is a state machine: events in, [`Snapshot`]s out, without a lock, I/O or a clock of its own.
//! [`SharedIndex`] puts it behind a lock, [`watch`] feeds it from an API server, [`dump`] from a file. Above this crate
//! nobody sees a `Pod` object: a pod is a [`PodRow`] (its domain class and its request), a node is a row number.
//!
//! Promises:
//!
//! - Amounts are whole numbers held in `f64`, at most 2^53: cpu in millicores, memory and ephemeral storage in bytes,
//!   everything else in units; rounded up as Kubernetes rounds them.
//! - Row numbers are stable for as long as the node exists; the number of a node that is gone goes to a later node.
//! - The snapshot after any sequence of events equals the one of a fresh index told only of what is there at the end.
//! - The index can be read at any time; until the first complete lists [`Snapshot::has_synced`] is false.
//!
//! The crate must not know HTTP, Wasm, or what the numbers are used for.
#![forbid(unsafe_code)]

mod affinity;
mod class;
mod constraints;
mod dictionary;
pub mod dump;
mod error;
mod estimates;
mod groups;
mod index;
mod label;
mod names;
mod node;
mod pod;
mod ports;
mod quantity;
mod residents;
mod resources;
mod selector;
mod shared;
mod snapshot;
mod taint;
mod ties;
mod unplaced;
pub mod watch;

pub use class::DomainClass;
pub use dictionary::{Dictionary, DictionaryEffect, DictionaryEntry, DictionaryError};
pub use error::{ObjectError, ObjectFault};
pub use estimates::{EstimateSettings, unasked_amounts};
pub use groups::{GroupColumns, GroupForce, GroupLimit, GroupRule};
pub use index::{Index, IndexSettings, NodeForecast, Use, UseUnit, WorkloadForecast};
pub use label::LabelColumn;
pub use pod::PodRow;
pub use ports::HostPort;
pub use quantity::{LARGEST_AMOUNT, Quantity, QuantityError};
pub use resources::{MAX_NAMED, ResourcesError};
pub use selector::{LabelExpression, LabelOperator, LabelSelector, SelectorError};
pub use shared::{SharedIndex, WatchFailure, WatchHealth};
pub use snapshot::Snapshot;
pub use ties::foreign_demand;
pub use unplaced::Whereabouts;
