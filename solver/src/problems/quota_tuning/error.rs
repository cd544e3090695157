//! Why a quota problem could not be put together.
//!
//! Promises: names what is wrong, its place and its value. Must not know: where the forecast came from.

use crate::domain::DomainError;

/// A fault in the numbers given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// A forecast is not finite or not above 0.
    #[error("the forecast {value} for pod {pod}, resource {resource}, is not above 0")]
    Used {
        /// The pod.
        pod: usize,
        /// 0 cpu, 1 memory.
        resource: usize,
        /// The forecast.
        value: f64,
    },
    /// The range is upside down, below what is used, endless, or has no levels.
    #[error("quotas from {low} to {high} times the use in {levels} levels make no range")]
    Range {
        /// Least quota over use.
        low: f64,
        /// Largest quota over use.
        high: f64,
        /// Levels between them.
        levels: u32,
    },
    /// A weight of the objective is out of range.
    #[error("{name} is {value}, allowed is {allowed}")]
    Objective {
        /// The weight.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// A list does not have one entry a pod.
    #[error("{column} has {found} entries, expected {expected}")]
    Length {
        /// The list.
        column: &'static str,
        /// Entries needed.
        expected: usize,
        /// Entries given.
        found: usize,
    },
    /// A pod is on a node that does not exist.
    #[error("pod {pod} is on the unknown node {node}")]
    UnknownNode {
        /// The pod.
        pod: usize,
        /// The node that it names.
        node: u32,
    },
    /// A capacity is not finite, not above 0, or less than 1/4096 of what the node's pods could be given.
    #[error("capacity {value} of node {node}, resource {resource}, is not one for its pods")]
    Capacity {
        /// The node.
        node: usize,
        /// 0 cpu, 1 memory.
        resource: usize,
        /// The capacity.
        value: f64,
    },
    /// A range became no interval.
    #[error("a quota has no domain")]
    Domain(#[from] DomainError),
}
