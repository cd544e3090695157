//! The columns that a placement problem is made from.
//!
//! Promises: what passes the checks is finite, whole and small enough to count exactly. Must not know: names.

use super::error::PlacementError;
use crate::domain::DomainError;

/// Whole numbers up to here are exact in an `f64`.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// The nodes: one row a node, one column a resource, matrices row-major (`row * resources + resource`).
#[derive(Clone, Copy, Debug)]
pub struct NodeColumns<'a> {
    /// The number of resources, at least 1.
    pub resources: usize,
    /// What each row offers, `C_jr`; parts of a unit are dropped.
    pub allocatable: &'a [f64],
    /// What is taken already; parts of a unit count whole. Empty: nothing is.
    pub requested: &'a [f64],
    /// The weights `W_jr`, of which only the ratios count; 0 leaves a pair out, and so does an allocatable of 0.
    pub weights: &'a [f64],
}

impl NodeColumns<'_> {
    /// The number of rows, if the columns agree on it and hold numbers as they should.
    pub(super) fn check(&self) -> Result<usize, PlacementError> {
        if self.resources == 0 {
            return Err(PlacementError::NoResources);
        }
        let rows = self.allocatable.len() / self.resources;
        let cells = rows * self.resources;
        for (column, values, optional) in [
            ("allocatable", self.allocatable, false),
            ("requested", self.requested, true),
            ("weights", self.weights, false),
        ] {
            if values.len() != cells && !(optional && values.is_empty()) {
                return Err(PlacementError::Length { column, expected: cells, found: values.len() });
            }
            check_numbers(column, values)?;
        }
        Ok(rows)
    }
}

/// What is really used, where that differs from what is asked for. The objective goes by it, capacities never do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loads<'a> {
    /// What each row uses already, row-major; parts of a unit count whole. Empty: what is taken there.
    pub used: &'a [f64],
    /// What each pod would use, row-major; parts of a unit count whole. Empty: what it requests.
    pub estimates: &'a [f64],
}

impl Loads<'_> {
    /// Whether the columns are as long as their problem has cells, and hold numbers as they should.
    pub(super) fn check(&self, cells: usize, requests: usize) -> Result<(), PlacementError> {
        for (column, values, expected) in [("used", self.used, cells), ("estimates", self.estimates, requests)] {
            if values.len() != expected && !values.is_empty() {
                return Err(PlacementError::Length { column, expected, found: values.len() });
            }
            check_numbers(column, values)?;
        }
        Ok(())
    }
}

/// The pods: what each requests and which domain class it has.
#[derive(Clone, Copy, Debug)]
pub struct PodColumns<'a> {
    /// The requests `q_ir`, row-major, one row a pod; parts of a unit count whole.
    pub requests: &'a [f64],
    /// The index of each pod's class.
    pub class_by_pod: &'a [u32],
}

impl PodColumns<'_> {
    /// Whether the columns agree on the number of pods, hold numbers as they should and know the classes.
    pub(super) fn check(&self, resources: usize, classes: usize) -> Result<(), PlacementError> {
        let expected = self.class_by_pod.len() * resources;
        if self.requests.len() != expected {
            return Err(PlacementError::Length { column: "requests", expected, found: self.requests.len() });
        }
        check_numbers("requests", self.requests)?;
        match self.class_by_pod.iter().position(|&class| class as usize >= classes) {
            Some(item) => Err(DomainError::UnknownClass { item, class: self.class_by_pod[item] }.into()),
            None => Ok(()),
        }
    }
}

pub(super) fn check_numbers(column: &'static str, values: &[f64]) -> Result<(), PlacementError> {
    match values.iter().position(|value| !(0.0..=LARGEST).contains(value)) {
        Some(index) => Err(PlacementError::Number { column, index, value: values[index] }),
        None => Ok(()),
    }
}
