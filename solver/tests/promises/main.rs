//! What the crate promises: laws, and what the source's experiments show.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic like the test itself")]

mod annealing;
mod bad_input;
mod budgets;
mod clusters;
mod cmma_ga;
mod dictionary_ga;
mod edges;
mod every_problem;
mod groups;
mod large;
mod laws;
mod mabc;
mod memetic;
mod never_worse;
mod pod_by_pod;
mod quota_ga;
mod tcga;
mod wild;
