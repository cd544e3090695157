//! What no search can beat: provable limits of the problems that Gantry solves.
//!
//! Promises: a limit holds for every solution of the problem, up to the tolerance that its function states; each is
//! checked against trying everything on tiny instances. Must not know: any search. Reports and tests use this crate,
//! production code does not.
#![forbid(unsafe_code)]

pub mod energy;
pub mod placement;
pub mod qos;
pub mod quotas;
pub mod tasks;
