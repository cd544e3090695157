//! Scoring every row for one pod: how the objective changes if it goes there.
//!
//! Promises: a handful of multiplications a row and resource, in loops without branches that compile to vector
//! instructions; the changes equal those of [`Placement`](super::Placement) for an unassigned pod, and are the same bytes
//! however the rows came to be as they are. Must not know: domains, capacities and rules, which say whether a row
//! may take the pod at all; nor the terms, which it leaves out: it scores the spread alone.

mod loads;

use super::columns::{NodeColumns, check_numbers};
use super::error::PlacementError;
use super::nodes::{count, factors, reciprocal, share_of};
use super::objective::Objective;
use super::weights::{Scale, Weights, taking_part};
use loads::{Curve, Loads, counted};

/// Rows that are scored together: their sums stay in vector registers over all resources, and the deadline that a
/// sandbox checks once a loop turn is checked once for all of them.
const LANES: usize = 8;

/// A number for each of [`LANES`] rows.
type Lanes = [f64; LANES];

/// The load of all rows, ready to score.
#[derive(Clone, Debug)]
pub struct RowScorer {
    objective: Objective,
    rows: usize,
    /// In blocks of [`LANES`] rows; in each, one a resource.
    cells: Vec<Cells>,
    /// `L(N_j)`, one a block.
    mean_load: Vec<Lanes>,
    /// One a resource.
    loads: Vec<Loads>,
    mean: Loads,
    /// Row-major copies of what the rows were made from: what is used, and the weights that take part.
    used: Vec<f64>,
    weights: Vec<f64>,
    /// The weights, all together, and what they come to.
    all: Weights,
    scale: Scale,
}

/// One resource of one block. Rows past the last have zeros.
#[derive(Clone, Copy, Debug, Default)]
struct Cells {
    /// `100 / C_jr`, 0 where the pair is left out.
    unit: Lanes,
    /// `W_jr / count · 100 / C_jr`.
    share: Lanes,
    /// `L_r(j)`, 0 where the pair is left out.
    load: Lanes,
}

/// What a request changes.
struct Effect {
    /// The resources that it asks for and that count somewhere.
    terms: Vec<Term>,
    mean: Curve,
}

struct Term {
    resource: usize,
    amount: f64,
    curve: Curve,
}

impl RowScorer {
    /// A scorer for the given rows; `nodes.requested` is the load that is there already, in parts of a unit too.
    ///
    /// # Errors
    /// [`PlacementError`] if a column's length does not fit, or a number is not finite, negative or above 2^53.
    pub fn new(objective: Objective, nodes: &NodeColumns<'_>) -> Result<Self, PlacementError> {
        let rows = nodes.check()?;
        let blocks = rows.div_ceil(LANES);
        let weights = taking_part(nodes.allocatable, nodes.weights);
        let all = Weights::new(nodes.resources, &weights);
        let scale = all.scale();
        let (unit, share) = factors(nodes.resources, nodes.allocatable, &weights, scale.unit);
        let mut scorer = Self {
            objective,
            rows,
            cells: vec![Cells::default(); blocks * nodes.resources],
            mean_load: vec![Lanes::default(); blocks],
            loads: vec![Loads::default(); nodes.resources],
            mean: Loads::default(),
            used: vec![0.0; rows * nodes.resources],
            weights,
            all,
            scale,
        };
        if !nodes.requested.is_empty() {
            scorer.used.copy_from_slice(nodes.requested);
        }
        for (row, factors) in unit.chunks_exact(nodes.resources).zip(share.chunks_exact(nodes.resources)).enumerate() {
            scorer.set_factors(row, factors.0, factors.1);
            scorer.insert(row);
        }
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
        self.loads.len()
    }

    /// The objective of the loads as they are.
    #[must_use]
    pub fn objective(&self) -> f64 {
        let weighed = |(loads, weight): (&Loads, &f64)| weight * loads.variance();
        let variances = self.loads.iter().zip(&self.scale.of_resource).map(weighed);
        self.objective.value(|| variances.sum::<f64>() * self.per_resource(), self.mean.variance())
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
        let weights = taking_part(allocatable, weights);
        self.set_weights(row, &weights);
        let (unit, share) = factors(self.resources(), allocatable, &weights, self.scale.unit);
        self.remove(row);
        self.set_factors(row, &unit, &share);
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

    /// Whether a request asks for anything that takes part in the objective on some row. Else all changes are 0.
    #[must_use]
    pub fn weighs(&self, request: &[f64]) -> bool {
        request.iter().zip(&self.loads).any(|(amount, loads)| *amount > 0.0 && loads.rows > 0)
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
        let effect = self.effect(request);
        let mut cells = self.cells.chunks_exact(self.resources()).zip(&self.mean_load);
        let (blocks, rest) = changes.as_chunks_mut::<LANES>();
        for (block, (cells, mean_load)) in blocks.iter_mut().zip(&mut cells) {
            *block = effect.on(cells, mean_load);
        }
        if let Some((cells, mean_load)) = cells.next() {
            rest.copy_from_slice(&effect.on(cells, mean_load)[..rest.len()]);
        }
        if self.objective == Objective::Sigma {
            self.take_roots(changes);
        }
        Ok(())
    }

    fn effect(&self, request: &[f64]) -> Effect {
        let scale = self.objective.variance(|| self.per_resource(), 0.0);
        let of_mean = self.objective.variance(|| 0.0, 1.0);
        let asked = request.iter().zip(&self.loads).enumerate();
        let asked = asked.filter(|(_, (amount, loads))| **amount > 0.0 && loads.rows > 0);
        let term = |(resource, (&amount, loads)): (_, (_, &Loads))| Term {
            resource,
            amount,
            curve: loads.curve(amount, scale * self.scale.of_resource[resource]),
        };
        Effect { terms: asked.map(term).collect(), mean: self.mean.curve(1.0, of_mean) }
    }

    /// From changes of the variance to those of its root.
    fn take_roots(&self, changes: &mut [f64]) {
        let variance = self.mean.variance();
        let sigma = variance.sqrt();
        for change in changes {
            let after = variance + *change;
            *change = if after > 0.0 { after.sqrt() } else { 0.0 } - sigma;
        }
    }

    fn per_resource(&self) -> f64 {
        reciprocal(self.loads.iter().filter(|loads| loads.rows > 0).count())
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

    fn set_factors(&mut self, row: usize, unit: &[f64], share: &[f64]) {
        let (block, lane) = (row / LANES, row % LANES);
        let cells = &mut self.cells[block * self.loads.len()..];
        for (cells, (unit, share)) in cells.iter_mut().zip(unit.iter().zip(share)) {
            (cells.unit[lane], cells.share[lane]) = (*unit, *share);
        }
    }

    /// Takes over a row's weights. Where that changes the unit in which weights count, all rows are laid out anew: the unit
    /// is a mean over resources, and rows that come and go seldom change what a resource weighs.
    fn set_weights(&mut self, row: usize, weights: &[f64]) {
        let cells = row * self.resources()..(row + 1) * self.resources();
        if self.weights[cells.clone()] == *weights {
            return;
        }
        self.all.remove(&self.weights[cells.clone()]);
        self.all.insert(weights);
        self.weights[cells].copy_from_slice(weights);
        let before = std::mem::replace(&mut self.scale, self.all.scale());
        if before.unit != self.scale.unit {
            (0..self.rows).for_each(|row| self.rescale(row));
        }
    }

    /// Brings a row's shares in step with the unit.
    fn rescale(&mut self, row: usize) {
        self.remove(row);
        let (block, lane, resources) = (row / LANES, row % LANES, self.resources());
        let weights = &self.weights[row * resources..][..resources];
        let count = count(weights);
        let cells = &mut self.cells[block * resources..][..resources];
        for (cells, &weight) in cells.iter_mut().zip(weights).filter(|(_, weight)| **weight > 0.0) {
            cells.share[lane] = share_of(weight, self.scale.unit, cells.unit[lane], count);
        }
        self.insert(row);
    }

    /// Takes a row out of all sums.
    fn remove(&mut self, row: usize) {
        let (block, lane, resources) = (row / LANES, row % LANES, self.resources());
        let cells = &self.cells[block * resources..][..resources];
        for (cells, loads) in cells.iter().zip(&mut self.loads).filter(|(cells, _)| cells.unit[lane] > 0.0) {
            loads.remove(cells.load[lane]);
        }
        if cells.iter().any(|cells| cells.share[lane] > 0.0) {
            self.mean.remove(self.mean_load[block][lane]);
        }
    }

    /// Puts a row into all sums, with the load that follows from what is used.
    fn insert(&mut self, row: usize) {
        let (block, lane, resources) = (row / LANES, row % LANES, self.resources());
        let cells = &mut self.cells[block * resources..][..resources];
        let mut mean = 0.0;
        for ((cells, loads), used) in cells.iter_mut().zip(&mut self.loads).zip(&self.used[row * resources..]) {
            mean += used * cells.share[lane];
            cells.load[lane] = counted(used * cells.unit[lane]);
            if cells.unit[lane] > 0.0 {
                loads.insert(cells.load[lane]);
            }
        }
        self.mean_load[block][lane] = counted(mean);
        if cells.iter().any(|cells| cells.share[lane] > 0.0) {
            self.mean.insert(self.mean_load[block][lane]);
        }
    }
}

impl Effect {
    /// The changes of the variances in one block.
    #[inline]
    fn on(&self, cells: &[Cells], mean_load: &Lanes) -> Lanes {
        let (mut added, mut change) = (Lanes::default(), Lanes::default());
        for term in &self.terms {
            let cells = &cells[term.resource];
            let grows = term.curve.changes(&cells.load, &cells.unit);
            for lane in 0..LANES {
                added[lane] += term.amount * cells.share[lane];
                change[lane] += grows[lane];
            }
        }
        let grows = self.mean.changes(mean_load, &added);
        for lane in 0..LANES {
            change[lane] += grows[lane];
        }
        change
    }
}

#[cfg(test)]
mod tests;
