//! The problems: what the solvers are for.
//!
//! Promises: each keeps the laws of [`Problem`](crate::problem::Problem). Must not know: the solvers.

pub mod energy_assignment;
pub mod placement;
pub mod qos_composition;
pub mod quota_tuning;
pub mod task_schedule;
