//! Why a placement problem could not be put together.
//!
//! Promises: names the column, the place and the value. Must not know: who filled the columns.

use crate::domain::DomainError;

/// A fault in the numbers given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// There must be at least one resource.
    #[error("there is no resource to place by")]
    NoResources,
    /// A column's length does not follow from rows and resources.
    #[error("column {column} has {found} numbers, expected {expected}")]
    Length {
        /// The column.
        column: &'static str,
        /// Numbers needed.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A number is not finite, negative, or above 2^53.
    #[error("column {column} holds {value} at {index}, allowed is 0 to 2^53")]
    Number {
        /// The column.
        column: &'static str,
        /// Its place in the column.
        index: usize,
        /// The number.
        value: f64,
    },
    /// All requests together cannot be counted in 63 bits.
    #[error("the requests for resource {resource} sum up to more than 2^63")]
    Sum {
        /// The resource's index.
        resource: usize,
    },
    /// A class was made for another number of rows.
    #[error("a domain class spans {found} rows, the cluster has {expected}")]
    ClassRows {
        /// Rows of the cluster.
        expected: usize,
        /// Rows of the class.
        found: usize,
    },
    /// A rule names a topology that is not there.
    #[error("rule {rule} goes by topology {topology}, there are {topologies}")]
    UnknownTopology {
        /// The rule's index.
        rule: usize,
        /// The topology that it names.
        topology: usize,
        /// How many there are.
        topologies: usize,
    },
    /// A rule names a pod that is not there.
    #[error("rule {rule} binds pod {pod}, there are {pods}")]
    UnknownPod {
        /// The rule's index.
        rule: usize,
        /// The pod that it names.
        pod: u32,
        /// How many there are.
        pods: usize,
    },
    /// A rule names a pod twice, which would count it twice.
    #[error("rule {rule} binds pod {pod} more than once")]
    RepeatedPod {
        /// The rule's index.
        rule: usize,
        /// The pod.
        pod: u32,
    },
    /// A skew of 0 asks for equal counts, which no pod placed by itself can keep.
    #[error("rule {rule} allows a skew of 0, the least is 1")]
    NoSkew {
        /// The rule's index.
        rule: usize,
    },
    /// A pod's domain is wrong.
    #[error("a pod has no domain")]
    Domain(#[from] DomainError),
}
