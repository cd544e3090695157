//! Scoring every row for one pod: how the objective changes if it goes there.
//!
//! Promises: a handful of multiplications a row and resource, in loops without branches that compile to vector
//! instructions; the changes equal those of [`Placement`](super::Placement) for an unassigned pod, and are the same bytes
//! however the rows came to be as they are. Must not know: domains and capacities; whether a row may take the pod is
//! another question.

mod loads;

use super::columns::{NodeColumns, check_numbers};
use super::error::PlacementError;
use super::nodes::{factors, reciprocal};
use super::objective::Objective;
use loads::Loads;

/// Rows per block: what a block needs besides the columns (two times 1 KiB) stays in the first-level cache.
const BLOCK: usize = 128;

/// The load of all rows, column by column, ready to score.
#[derive(Clone, Debug)]
pub struct RowScorer {
    objective: Objective,
    rows: usize,
    /// One a resource.
    columns: Vec<Column>,
    /// `L(N_j)`.
    mean: Loads,
    /// Row-major copies of what the rows were made from.
    used: Vec<f64>,
}

/// One resource, all rows.
#[derive(Clone, Debug)]
struct Column {
    /// `100 / C_jr`, 0 where the pair is left out.
    unit: Vec<f64>,
    /// `W_jr / count · 100 / C_jr`.
    share: Vec<f64>,
    load: Loads,
}

impl RowScorer {
    /// A scorer for the given rows; `nodes.requested` is the load that is there already, in parts of a unit too.
    ///
    /// # Errors
    /// [`PlacementError`] if a column's length does not fit, or a number is not finite, negative or above 2^53.
    pub fn new(objective: Objective, nodes: &NodeColumns<'_>) -> Result<Self, PlacementError> {
        let rows = nodes.check()?;
        let (unit, share) = factors(nodes.resources, nodes.allocatable, nodes.weights);
        let take =
            |cells: &[f64], resource: usize| cells.iter().skip(resource).step_by(nodes.resources).copied().collect();
        let columns = (0..nodes.resources).map(|r| Column {
            unit: take(&unit, r),
            share: take(&share, r),
            load: Loads::new(rows),
        });
        let mut scorer = Self {
            objective,
            rows,
            columns: columns.collect(),
            mean: Loads::new(rows),
            used: if nodes.requested.is_empty() { vec![0.0; unit.len()] } else { nodes.requested.to_vec() },
        };
        (0..rows).for_each(|row| scorer.insert(row));
        Ok(scorer)
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The number of resources.
    #[must_use]
    pub fn resources(&self) -> usize {
        self.columns.len()
    }

    /// The objective of the loads as they are.
    #[must_use]
    pub fn objective(&self) -> f64 {
        match self.objective {
            Objective::Sigma => self.mean.variance().sqrt(),
            Objective::Balanced => {
                let total: f64 = self.columns.iter().map(|column| column.load.variance()).sum();
                total * self.per_resource() + self.mean.variance()
            }
        }
    }

    /// Replaces a row: what it offers, what is taken, its weights; one number a resource each.
    ///
    /// # Errors
    /// As [`RowScorer::new`]; [`PlacementError::Length`] too if there is no such row. The scorer is then unchanged.
    pub fn set_row(
        &mut self,
        row: usize,
        allocatable: &[f64],
        requested: &[f64],
        weights: &[f64],
    ) -> Result<(), PlacementError> {
        self.check_row(row)?;
        for (column, values) in [("allocatable", allocatable), ("requested", requested), ("weights", weights)] {
            self.check_values(column, values)?;
        }
        let (unit, share) = factors(self.resources(), allocatable, weights);
        self.remove(row);
        for (column, (unit, share)) in self.columns.iter_mut().zip(unit.into_iter().zip(share)) {
            (column.unit[row], column.share[row]) = (unit, share);
        }
        let first = row * self.resources();
        self.used[first..][..requested.len()].copy_from_slice(requested);
        self.insert(row);
        Ok(())
    }

    /// Counts a pod on a row.
    ///
    /// # Errors
    /// [`PlacementError`] if there is no such row, or the request is not one number from 0 to 2^53 a resource.
    pub fn add(&mut self, row: usize, request: &[f64]) -> Result<(), PlacementError> {
        self.check_row(row)?;
        self.check_values("request", request)?;
        self.remove(row);
        let first = row * self.resources();
        self.used[first..].iter_mut().zip(request).for_each(|(used, amount)| *used += amount);
        self.insert(row);
        Ok(())
    }

    /// Writes for every row how much the objective would change if the pod went there; smaller is better, and a row
    /// that takes no part in the objective gets 0.
    ///
    /// # Errors
    /// [`PlacementError`] unless `request` has one number from 0 to 2^53 a resource and `changes` one place a row.
    pub fn changes(&self, request: &[f64], changes: &mut [f64]) -> Result<(), PlacementError> {
        self.check_values("request", request)?;
        if changes.len() != self.rows {
            return Err(PlacementError::Length { column: "changes", expected: self.rows, found: changes.len() });
        }
        for (index, block) in changes.chunks_mut(BLOCK).enumerate() {
            self.block(index * BLOCK, request, block);
        }
        Ok(())
    }

    /// [`changes`](Self::changes) for the rows from `first` on.
    fn block(&self, first: usize, request: &[f64], changes: &mut [f64]) {
        let mut added = [0.0; BLOCK];
        let added = &mut added[..changes.len()];
        changes.fill(0.0);
        let per_resource = self.per_resource();
        for (column, &amount) in self.columns.iter().zip(request).filter(|(_, amount)| **amount > 0.0) {
            column.add_shares(first, amount, added);
            if self.objective == Objective::Balanced {
                column.add_changes(first, amount, per_resource, changes);
            }
        }
        let offset = &self.mean.by_row()[first..][..changes.len()];
        let curve = self.mean.curve(1.0);
        for ((change, added), x) in changes.iter_mut().zip(added).zip(offset) {
            *change += curve.change(*x, *added);
        }
        if self.objective == Objective::Sigma {
            let variance = self.mean.variance();
            let sigma = variance.sqrt();
            for change in changes {
                *change = (variance + *change).max(0.0).sqrt() - sigma;
            }
        }
    }

    fn per_resource(&self) -> f64 {
        reciprocal(self.columns.iter().filter(|column| column.load.counted > 0).count())
    }

    fn check_row(&self, row: usize) -> Result<(), PlacementError> {
        if row < self.rows {
            return Ok(());
        }
        Err(PlacementError::Length { column: "row", expected: self.rows, found: row })
    }

    fn check_values(&self, column: &'static str, values: &[f64]) -> Result<(), PlacementError> {
        if values.len() != self.resources() {
            return Err(PlacementError::Length { column, expected: self.resources(), found: values.len() });
        }
        check_numbers(column, values)
    }

    /// Takes a row out of all sums.
    fn remove(&mut self, row: usize) {
        for column in &mut self.columns {
            if column.unit[row] > 0.0 {
                column.load.remove(row);
            }
        }
        if self.is_live(row) {
            self.mean.remove(row);
        }
    }

    /// Puts a row into all sums, with the load that follows from what is used.
    fn insert(&mut self, row: usize) {
        let first = row * self.resources();
        let mut mean = 0.0;
        for (column, used) in self.columns.iter_mut().zip(&self.used[first..]) {
            mean += used * column.share[row];
            if column.unit[row] > 0.0 {
                column.load.insert(row, used * column.unit[row]);
            }
        }
        if self.is_live(row) {
            self.mean.insert(row, mean);
        }
    }

    fn is_live(&self, row: usize) -> bool {
        self.columns.iter().any(|column| column.share[row] > 0.0)
    }
}

impl Column {
    /// Adds the percentage points by which `L(N_j)` grows.
    fn add_shares(&self, first: usize, amount: f64, added: &mut [f64]) {
        let share = &self.share[first..][..added.len()];
        for (added, share) in added.iter_mut().zip(share) {
            *added += amount * share;
        }
    }

    /// Adds the change of this resource's variance times `scale`.
    fn add_changes(&self, first: usize, amount: f64, scale: f64, changes: &mut [f64]) {
        let unit = &self.unit[first..][..changes.len()];
        let offset = &self.load.by_row()[first..][..changes.len()];
        let curve = self.load.curve(scale);
        for ((change, unit), x) in changes.iter_mut().zip(unit).zip(offset) {
            *change += curve.change(*x, amount * unit);
        }
    }
}

#[cfg(test)]
mod tests;
