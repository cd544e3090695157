//! Why a composition problem could not be put together.
//!
//! Promises: names the column, the place and the value. Must not know: who filled the columns.

use super::{Bound, Edge};

/// The largest number that a term may be.
const MOST: f64 = (1_u64 << 53) as f64;

/// A fault in the numbers given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QosError {
    /// A service cannot be provided at all.
    #[error("service {service} has no replica")]
    NoReplica {
        /// The service.
        service: usize,
    },
    /// An edge must lead from a service to a later one that exists; so the graph has no cycle.
    #[error("an edge leads from service {from} to {to} of {services}, allowed is from a smaller to a larger number")]
    EdgeOrder {
        /// Where it starts.
        from: usize,
        /// Where it ends.
        to: usize,
        /// How many services there are.
        services: usize,
    },
    /// A column's length does not follow from services and replicas.
    #[error("{column} of service {service} has {found} numbers, expected {expected}")]
    Length {
        /// The column.
        column: &'static str,
        /// The service; for an edge the one where it starts.
        service: usize,
        /// Numbers needed.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// There must be one column a service.
    #[error("{column} are given for {found} services, expected {expected}")]
    Services {
        /// The columns.
        column: &'static str,
        /// Services of the problem.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// A number is not finite, negative, or above 2^53.
    #[error("{column} holds {value} for service {service}, allowed is 0 to 2^53")]
    Number {
        /// The column.
        column: &'static str,
        /// The service; for an edge the one where it starts.
        service: usize,
        /// The number.
        value: f64,
    },
}

/// Checks that there is one sound number for each replica of each service.
pub(super) fn check_columns(column: &'static str, given: &[Vec<f64>], replicas: &[usize]) -> Result<(), QosError> {
    if given.len() != replicas.len() {
        return Err(QosError::Services { column, expected: replicas.len(), found: given.len() });
    }
    let mut columns = given.iter().zip(replicas).enumerate();
    columns.try_for_each(|(service, (numbers, &expected))| check_column(column, service, numbers, expected))
}

pub(super) fn check_edge(edge: &Edge, replicas: &[usize]) -> Result<(), QosError> {
    let &Edge { from, to, ref quality } = edge;
    if from >= to || to >= replicas.len() {
        return Err(QosError::EdgeOrder { from, to, services: replicas.len() });
    }
    check_column("edge", from, quality, replicas[from] * replicas[to])
}

pub(super) fn check_bound(bound: &Bound, replicas: &[usize]) -> Result<(), QosError> {
    check_columns("amounts", &bound.amounts, replicas)?;
    check_column("limit", 0, &[bound.limit], 1)
}

fn check_column(column: &'static str, service: usize, numbers: &[f64], expected: usize) -> Result<(), QosError> {
    if numbers.len() != expected {
        return Err(QosError::Length { column, service, expected, found: numbers.len() });
    }
    match numbers.iter().find(|number| !(0.0..=MOST).contains(*number)) {
        Some(&value) => Err(QosError::Number { column, service, value }),
        None => Ok(()),
    }
}
