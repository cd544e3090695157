//! Whole scenarios on an unmodified control plane, a module each; two control planes run side by side.
//!
//! One test binary: it links once, and a scenario that waits leaves the processors to another. Tests start in the order
//! of their names: the soak, which waits the longest, has the name that comes first.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod a_soak;
mod binding;
mod controllers;
mod failures;
mod faults;
mod forecasts;
mod languages;
mod manifests;
mod nominations;
mod planning;
mod pod_by_pod;
mod preemption;
mod profiles;
mod registry;
mod replay;
mod replicas;
mod searches;
mod smoke;
mod ungate;
