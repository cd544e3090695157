//! Gantry's own plugin: the contract of `wit/` on top of `gantry-solver`.
//!
//! ```text
//!  host ── wit ──► component.rs (export) ──► Plugin (state.rs) ──► filter.rs · score.rs · plan.rs ──► gantry-solver
//! ```
//!
//! The crate is a thin adapter: it turns columns into the solver's problem and answers into flat lists. It is built
//! twice, as a Wasm component that imports nothing but the log, and natively, where tests and benchmarks call
//! [`Plugin`] directly. Both give the same bytes for the same calls: there is no clock, no thread and no randomness
//! but the seed that `plan` is given.
//!
//! It must not know names: neither of nodes and pods nor of resources.

mod bindings;
#[cfg(target_family = "wasm")]
mod component;
mod filter;
mod heat;
mod margins;
mod plan;
mod risk;
mod score;
mod search;
mod settings;
mod state;

pub use bindings::exports::gantry::scheduling::scheduler;
pub use bindings::gantry::scheduling::types;
pub use settings::{Objective, Search, Settings};
pub use state::Plugin;
