//! The nodes as the evaluation needs them: factors in place of divisions.
//!
//! Promises: everything that does not change during a search is computed once. Must not know: the pods.

use super::columns::NodeColumns;
use super::error::PlacementError;
use super::weights::{Scale, Weights, taking_part};
use crate::problem::UNASSIGNED;

/// A limit far below the largest in use would make its relative overflow so large that all others drown in rounding;
/// limits count as at least this part of the largest.
const SMALLEST_LIMIT: f64 = 1.0 / 1_048_576.0;

/// Resources are handled in groups of this many, which is what a vector instruction of every machine takes.
pub(super) const LANES: usize = 2;

/// Factors per row and resource, row-major. After the last row comes *nowhere*, without limits and without factors:
/// the place of unassigned pods, so that evaluating them needs no special case. For the same reason, every row is
/// filled up to whole groups of resources with some that nobody has and nobody asks for.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    resources: usize,
    /// The resources with those that fill a row up.
    width: usize,
    /// Past these, no resource takes part in the objective; whole groups.
    counted: usize,
    rows: usize,
    /// Whether a row is a node at all.
    live: Vec<bool>,
    /// `√w_r`, for each resource: the loads of a resource are handled times this, so that a plain sum of their variances
    /// is the sum of the `Var(L_r)` by weight.
    pub(super) root: Vec<f64>,
    /// `√w_r · 100 / C_jr`: what a unit adds to `L_r(j)`; 0 where the pair is left out.
    pub(super) unit: Vec<f64>,
    /// `W_jr / count · 100 / C_jr`: percentage points that a unit adds to `L(N_j)`.
    pub(super) share: Vec<f64>,
    /// What a row may hold: its capacity, or its base load where that is already more. (Pods that are there stay
    /// there; only what is added can be a violation.)
    pub(super) limit: Vec<i64>,
    /// What a unit over the limit adds to the violation.
    pub(super) overflow_unit: Vec<f64>,
    /// What is taken already.
    pub(super) base: Vec<i64>,
    /// What is used already, where that is something else; else empty.
    pub(super) used: Vec<f64>,
    /// One over the number of rows that take part, for each resource; then the same for `L`; 0 without such rows.
    pub(super) per_row: Vec<f64>,
    /// One over the number of resources that have such rows.
    pub(super) per_resource: f64,
}

impl Nodes {
    pub(super) fn new(columns: &NodeColumns<'_>) -> Result<Self, PlacementError> {
        let rows = columns.check()?;
        let resources = columns.resources;
        let allocatable = padded(columns.allocatable, resources);
        let width = resources.next_multiple_of(LANES);
        let weights = taking_part(&allocatable, &padded(columns.weights, resources));
        let Scale { unit: scale, of_resource } = Weights::new(width, &weights).scale();
        let root: Vec<f64> = of_resource.iter().map(|weight| weight.sqrt()).collect();
        let (mut unit, share) = factors(width, &allocatable, &weights, scale);
        unit.iter_mut().zip(root.iter().cycle()).for_each(|(unit, root)| *unit *= root);
        let base: Vec<i64> = match columns.requested {
            [] => vec![0; rows * width],
            requested => padded(requested, resources).iter().map(|amount| amount.ceil() as i64).collect(),
        };
        let limit: Vec<i64> =
            allocatable.iter().zip(&base).map(|(capacity, &base)| (capacity.floor() as i64).max(base)).collect();
        let mut nodes = Self {
            resources,
            width,
            counted: 0,
            rows,
            live: allocatable.chunks_exact(width).map(|row| row.iter().any(|&capacity| capacity >= 1.0)).collect(),
            root,
            overflow_unit: overflow_units(width, &limit),
            per_row: per_row(width, &unit, &share),
            per_resource: 0.0,
            unit,
            share,
            limit,
            base,
            used: Vec::new(),
        };
        let counts = |part: &f64| *part > 0.0;
        nodes.per_resource = reciprocal(nodes.per_row[..width].iter().filter(|&part| counts(part)).count());
        let last = nodes.per_row[..width].iter().rposition(counts);
        nodes.counted = last.map_or(0, |last| (last + 1).next_multiple_of(LANES));
        nodes.add_nowhere();
        Ok(nodes)
    }

    /// Counts other loads of the rows than what is taken there.
    pub(super) fn set_used(&mut self, used: &[f64]) {
        self.used = padded(used, self.resources).iter().map(|amount| amount.ceil()).collect();
        self.used.resize(self.base.len(), 0.0);
    }

    fn add_nowhere(&mut self) {
        let cells = (self.rows + 1) * self.width;
        self.unit.resize(cells, 0.0);
        self.share.resize(cells, 0.0);
        self.limit.resize(cells, i64::MAX);
        self.overflow_unit.resize(cells, 0.0);
        self.base.resize(cells, 0);
    }

    pub(super) const fn resources(&self) -> usize {
        self.resources
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// The cells of a row.
    pub(super) const fn cells(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..(row + 1) * self.width
    }

    /// The cells of a row that may take part in the objective.
    pub(super) const fn counted_cells(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..row * self.width + self.counted
    }

    /// The row of a gene: itself, or nowhere.
    pub(super) const fn place(&self, gene: u32) -> usize {
        if gene == UNASSIGNED { self.rows } else { gene as usize }
    }

    /// Whether a row is a node at all: it offers something.
    pub(super) fn is_live(&self, row: u32) -> bool {
        self.live[row as usize]
    }

    /// Whether a row takes part in `L`.
    pub(super) fn is_weighed(&self, row: usize) -> bool {
        self.share[self.cells(row)].iter().any(|&share| share > 0.0)
    }

    /// Whether a request fits beside the base load. What a pod does not ask for cannot be lacking.
    pub(super) fn has_room(&self, row: u32, request: &[i64]) -> bool {
        let cells = self.cells(row as usize);
        let room = self.limit[cells.clone()].iter().zip(&self.base[cells]).map(|(limit, base)| limit - base);
        room.zip(request).all(|(room, &amount)| amount <= room)
    }

    /// One over the mean limit of each resource, 0 for one that nobody has.
    pub(super) fn size_units(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for row in 0..self.rows {
            self.limit[self.cells(row)].iter().zip(&mut sums).for_each(|(&limit, sum)| *sum += limit as f64);
        }
        sums.iter().map(|&sum| if sum > 0.0 { self.rows as f64 / sum } else { 0.0 }).collect()
    }

    /// Makes sure that no sum over pods can leave 63 bits, wherever they are put.
    pub(super) fn check_sum(&self, requests: &[i64]) -> Result<(), PlacementError> {
        for resource in 0..self.resources {
            let column = |cells: &[i64]| -> Option<i64> {
                cells.iter().skip(resource).step_by(self.width).try_fold(0_i64, |sum, &x| sum.checked_add(x))
            };
            let total = column(requests).zip(column(&self.base)).and_then(|(all, base)| all.checked_add(base));
            total.ok_or(PlacementError::Sum { resource })?;
        }
        Ok(())
    }
}

/// Whole groups of resources.
#[inline]
pub(super) fn groups<T>(cells: &[T]) -> &[[T; LANES]] {
    cells.as_chunks().0
}

/// A row-major matrix with every row filled up with zeros to whole groups of resources.
pub(super) fn padded(matrix: &[f64], resources: usize) -> Vec<f64> {
    let width = resources.next_multiple_of(LANES);
    let mut padded = Vec::with_capacity(matrix.len() / resources * width);
    for row in matrix.chunks_exact(resources) {
        padded.extend_from_slice(row);
        padded.resize(padded.len().next_multiple_of(width), 0.0);
    }
    padded
}

/// `100 / C_jr`, and [`Nodes::share`], row-major; `weights` are those that take part, of which `scale` is the unit.
pub(super) fn factors(resources: usize, allocatable: &[f64], weights: &[f64], scale: f64) -> (Vec<f64>, Vec<f64>) {
    let mut unit = vec![0.0; allocatable.len()];
    let mut share = vec![0.0; allocatable.len()];
    for first in (0..allocatable.len()).step_by(resources) {
        let cells = first..first + resources;
        let count = count(&weights[cells.clone()]);
        for cell in cells.filter(|&cell| weights[cell] > 0.0) {
            unit[cell] = 100.0 / allocatable[cell].floor();
            share[cell] = share_of(weights[cell], scale, unit[cell], count);
        }
    }
    (unit, share)
}

/// The weights of a row that are not 0.
pub(super) fn count(weights: &[f64]) -> usize {
    weights.iter().filter(|&&weight| weight > 0.0).count()
}

/// [`Nodes::share`] of a pair that takes part, in a row with so many of them.
pub(super) fn share_of(weight: f64, scale: f64, unit: f64, count: usize) -> f64 {
    weight / scale * unit / count as f64
}

/// One over the number of rows with a factor above 0, for each resource, then for all together.
pub(super) fn per_row(resources: usize, unit: &[f64], share: &[f64]) -> Vec<f64> {
    let rows = |resource: usize| unit.iter().skip(resource).step_by(resources).filter(|&&unit| unit > 0.0).count();
    let live = share.chunks_exact(resources).filter(|row| row.iter().any(|&share| share > 0.0)).count();
    (0..resources).map(rows).chain([live]).map(reciprocal).collect()
}

pub(super) fn reciprocal(count: usize) -> f64 {
    if count == 0 { 0.0 } else { 1.0 / count as f64 }
}

fn overflow_units(resources: usize, limit: &[i64]) -> Vec<f64> {
    let largest = |resource: usize| limit.iter().skip(resource).step_by(resources).copied().max().unwrap_or(0) as f64;
    let smallest: Vec<f64> = (0..resources).map(|resource| (largest(resource) * SMALLEST_LIMIT).max(1.0)).collect();
    limit.iter().zip(smallest.iter().cycle()).map(|(&limit, smallest)| 1.0 / (limit as f64).max(*smallest)).collect()
}
