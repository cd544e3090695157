//! Terms of the objective: mean load, moves against a plan, forecast risk.
//!
//! Promises: a weight of 0, the default, leaves a term out; each term changes with a move in time proportional to the
//! resources. Must not know: rules between pods, or who makes forecasts.

use super::columns::check_numbers;
use super::error::PlacementError;
use super::nodes::{Nodes, padded};
use super::objective::positive_part;
use super::requests::Shift;
use super::state::State;
use crate::problem::UNASSIGNED;

/// Terms with their weights. A weight is in units of the objective (percentage points for
/// [`Sigma`](super::Objective::Sigma), squared ones otherwise) for one unit of the term; 0 to 2^53.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// Weight of the mean load, eq. (10), per percentage point. It differs between assignments only where nodes do:
    /// a little of it (0.01, say) breaks ties in favour of nodes on which the pods weigh less. Default 0.
    pub mean_load: f64,
    /// Moves against an earlier assignment.
    pub moves: Moves<'a>,
    /// Forecast risk.
    pub risk: Risk<'a>,
}

/// Counts the pods that have a row and had another one before. A pod that had none, or has none now, does not count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moves<'a> {
    /// What one moved pod costs. Default 0.
    pub weight: f64,
    /// The earlier row of each pod, one entry a pod. May be empty if the weight is 0.
    pub row_by_pod: &'a [Option<u32>],
}

/// How far forecasts and placed pods together rise above a threshold.
///
/// With `h_r(j) = 100 · (forecast_jr + Σ q_ir of the pods placed on j) / C_jr`, the risk is the mean over the resources
/// of the mean over the rows of `max(0, h_r(j) - threshold)²`, in squared percentage points: a variance that looks at
/// the hot side only, in the unit of [`Balanced`](super::Objective::Balanced). The square prefers two rows a little
/// too hot to one far too hot. Pairs of row and resource that the objective leaves out are left out here; those with a
/// weight count alike.
#[derive(Clone, Copy, Debug)]
pub struct Risk<'a> {
    /// What one squared percentage point costs. Default 0.
    pub weight: f64,
    /// What each row is expected to use over the horizon without the pods that are to be placed (its p90, say),
    /// row-major and in the units of `allocatable`. May be empty if the weight is 0.
    pub forecast: &'a [f64],
    /// Percentage points of the capacity above which a row runs hot. Default 80.
    pub threshold: f64,
}

impl Default for Risk<'_> {
    fn default() -> Self {
        Self { weight: 0.0, forecast: &[], threshold: 80.0 }
    }
}

/// Terms as the evaluation needs them.
#[derive(Clone, Debug, Default)]
pub(super) struct Factors {
    mean_load: f64,
    move_weight: f64,
    /// The earlier row of each item, or [`UNASSIGNED`]; empty if moves cost nothing.
    previous: Vec<u32>,
    risk_weight: f64,
    /// For each cell, nowhere included: how far it would be above the threshold if nothing were left in it, in the unit
    /// of [`Nodes::unit`].
    brim: Vec<f64>,
    /// For each resource: what a square of one row counts.
    risk_per_row: Vec<f64>,
}

impl Factors {
    pub(super) fn new(
        terms: &Terms<'_>,
        nodes: &Nodes,
        pods: usize,
        pod_by_item: &[u32],
    ) -> Result<Self, PlacementError> {
        let Terms { mean_load, moves, risk } = *terms;
        check_numbers("terms", &[mean_load, moves.weight, risk.weight, risk.threshold])?;
        check_length("row_by_pod", moves.weight, pods, moves.row_by_pod.len())?;
        check_length("forecast", risk.weight, nodes.rows() * nodes.resources(), risk.forecast.len())?;
        check_numbers("forecast", risk.forecast)?;
        let mut factors = Self { mean_load, move_weight: moves.weight, risk_weight: risk.weight, ..Self::default() };
        if moves.weight > 0.0 {
            let previous = |&pod: &u32| moves.row_by_pod[pod as usize].unwrap_or(UNASSIGNED);
            factors.previous = pod_by_item.iter().map(previous).collect();
        }
        if risk.weight > 0.0 {
            factors.brim = brim(nodes, &risk);
            let columns = &nodes.per_row[..nodes.width()];
            let squared = nodes.root.iter().map(|root| root * root);
            let rows = columns.iter().zip(squared);
            factors.risk_per_row = rows.map(|(per_row, squared)| per_row * nodes.per_resource / squared).collect();
        }
        Ok(factors)
    }

    /// Whether all weights are 0.
    pub(super) fn is_empty(&self) -> bool {
        [self.mean_load, self.move_weight, self.risk_weight] == [0.0; 3]
    }

    /// The terms of a state, added up. `moved` and `risk` are what [`Self::moved`] and [`Self::risk`] say of it.
    #[inline]
    pub(super) fn value(&self, mean: f64, moved: u32, risk: f64) -> f64 {
        self.mean_load * mean + self.move_weight * f64::from(moved) + self.risk_weight * risk
    }

    /// How many items of a genome have moved.
    pub(super) fn moved(&self, nodes: &Nodes, genome: &[u32]) -> u32 {
        genome.iter().enumerate().map(|(item, &gene)| self.has_moved(nodes, item, nodes.place(gene))).sum()
    }

    /// 1 if an item at this place counts as moved. Nobody never does.
    #[inline]
    pub(super) fn has_moved(&self, nodes: &Nodes, item: usize, place: usize) -> u32 {
        let before = self.previous.get(item).copied().unwrap_or(UNASSIGNED);
        u32::from(before != UNASSIGNED && place != nodes.rows() && place != before as usize)
    }

    /// The mean load after a shift.
    #[inline]
    pub(super) fn mean_after(&self, nodes: &Nodes, state: &State, shift: &Shift<'_>) -> f64 {
        if self.mean_load == 0.0 {
            return 0.0;
        }
        let shares = nodes.share[nodes.cells(shift.from)].iter().zip(&nodes.share[nodes.cells(shift.to)]);
        let added: f64 = shares.zip(shift.amounts().flatten()).map(|((from, to), amount)| amount * (to - from)).sum();
        state.mean(nodes) + added * nodes.per_row[nodes.width()]
    }

    /// The risk of a state.
    pub(super) fn risk(&self, nodes: &Nodes, state: &State) -> f64 {
        if self.brim.is_empty() {
            return 0.0;
        }
        (0..nodes.rows()).map(|row| self.risk_of(nodes, state, row, |room, _| room)).sum()
    }

    /// The risk after a shift.
    pub(super) fn risk_after(&self, nodes: &Nodes, state: &State, risk: f64, shift: &Shift<'_>) -> f64 {
        if self.brim.is_empty() || shift.from == shift.to {
            return risk;
        }
        let request = |column: usize| shift.out.counts[column] - shift.back.counts[column];
        let now = |row: usize| self.risk_of(nodes, state, row, |room, _| room);
        let from = self.risk_of(nodes, state, shift.from, |room, column| room + request(column));
        let to = self.risk_of(nodes, state, shift.to, |room, column| room - request(column));
        positive_part(risk + (from - now(shift.from)) + (to - now(shift.to)))
    }

    /// What a row adds to the risk, if it had another room.
    #[inline]
    fn risk_of(&self, nodes: &Nodes, state: &State, row: usize, room: impl Fn(i64, usize) -> i64) -> f64 {
        let cells = nodes.cells(row);
        let (brims, units) = (&self.brim[cells.clone()], &nodes.unit[cells]);
        let mut risk = 0.0;
        for (column, &left) in state.room(nodes, row).iter().enumerate() {
            let excess = positive_part(brims[column] - room(left, column) as f64 * units[column]);
            risk += self.risk_per_row[column] * excess * excess;
        }
        risk
    }
}

/// `100 · (forecast + limit - base) / C - threshold`: the pods that are placed are what the room is short of limit less
/// base. 0 where the pair is left out.
fn brim(nodes: &Nodes, risk: &Risk<'_>) -> Vec<f64> {
    let forecast = padded(risk.forecast, nodes.resources());
    let mut brim = vec![0.0; nodes.unit.len()];
    for (cell, forecast) in forecast.iter().enumerate().filter(|(cell, _)| nodes.unit[*cell] > 0.0) {
        let most = (nodes.limit[cell] - nodes.base[cell]) as f64;
        brim[cell] = (forecast + most) * nodes.unit[cell] - risk.threshold * nodes.root[cell % nodes.width()];
    }
    brim
}

/// A column may be left out with its weight.
fn check_length(column: &'static str, weight: f64, expected: usize, found: usize) -> Result<(), PlacementError> {
    if found == expected || (found == 0 && weight == 0.0) {
        return Ok(());
    }
    Err(PlacementError::Length { column, expected, found })
}

#[cfg(test)]
mod tests;
