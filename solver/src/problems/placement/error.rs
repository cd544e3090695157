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
    /// A pod's domain is wrong.
    #[error("a pod has no domain")]
    Domain(#[from] DomainError),
}
