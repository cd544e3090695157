//! The experiments of the source documents: what each reports, what Gantry reaches, and what nobody can beat.
//!
//! Promises: fixed seeds, so a report is the same on every run and machine; wins and losses alike. Must not know: the
//! plugin, the cluster.
//!
//! One module a source document; each has its experiments as functions that return figures, so that tests assert on
//! the very numbers that the report prints.
//!
//! [`searches`] and [`instance_file`] serve the benchmark and the comparison with solvers in other languages.
#![forbid(unsafe_code)]

pub mod baselines;
pub mod cmma_ga;
pub mod dictionary_ga;
pub mod instance_file;
pub mod mabc;
pub mod quota_ga;
pub mod report;
pub mod searches;
pub mod tcga;
