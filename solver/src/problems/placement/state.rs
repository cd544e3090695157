//! A solution with its loads, so that a move costs the number of resources.
//!
//! Promises: `score_after` is what `score` says once `shift` is done; capacities are counted in whole numbers, so
//! feasibility is exact. Must not know: domains.

use super::nodes::Nodes;
use super::objective::{Objective, Spread, Sums};
use crate::problem::Genome;
use crate::score::{Objectives, Score};

/// After this many moves the sums are taken anew: rounding errors grow with the moves and shrink to nothing here.
const RECENTRE: u32 = 1 << 20;

/// The state of a placement.
#[derive(Clone, Debug)]
pub struct State {
    genome: Genome,
    /// What is taken, row-major, nowhere included.
    used: Vec<i64>,
    /// `L_r(j)` less the resource's centre, row-major.
    load: Vec<f64>,
    /// `L(N_j)` less its centre.
    mean_load: Vec<f64>,
    /// The centres: one a resource, then the one of `L`.
    centre: Vec<f64>,
    /// The sums around the centres.
    sums: Vec<Sums>,
    /// Sum of the relative overflows, and how many pairs of row and resource overflow.
    overflow: f64,
    overfull: u32,
    moves: u32,
}

impl State {
    pub(super) fn new(nodes: &Nodes) -> Self {
        let (rows, resources) = (nodes.rows(), nodes.resources());
        Self {
            genome: Vec::new(),
            used: nodes.base.clone(),
            load: vec![0.0; (rows + 1) * resources],
            mean_load: vec![0.0; rows + 1],
            centre: vec![0.0; resources + 1],
            sums: vec![Sums::default(); resources + 1],
            overflow: 0.0,
            overfull: 0,
            moves: 0,
        }
    }

    /// Takes over a genome.
    pub(super) fn load(&mut self, nodes: &Nodes, requests: &[i64], genome: &[u32]) {
        self.genome.clear();
        self.genome.extend_from_slice(genome);
        self.used.copy_from_slice(&nodes.base);
        for (&gene, request) in genome.iter().zip(requests.chunks_exact(nodes.resources())) {
            let used = &mut self.used[nodes.cells(nodes.place(gene))];
            used.iter_mut().zip(request).for_each(|(used, amount)| *used += amount);
        }
        self.recentre(nodes);
    }

    pub(super) fn genome(&self) -> &[u32] {
        &self.genome
    }

    pub(super) fn set_gene(&mut self, item: usize, value: u32) {
        self.genome[item] = value;
    }

    pub(super) const fn is_feasible(&self) -> bool {
        self.overfull == 0
    }

    pub(super) fn recentre_when_due(&mut self, nodes: &Nodes) {
        self.moves += 1;
        if self.moves >= RECENTRE {
            self.recentre(nodes);
        }
    }

    /// Computes loads, centres, sums and overflow from the amounts.
    fn recentre(&mut self, nodes: &Nodes) {
        self.moves = 0;
        self.take_loads(nodes);
        for resource in 0..=nodes.resources() {
            self.centre(nodes, resource);
        }
        (self.overflow, self.overfull) = (0.0, 0);
        for (cell, &used) in self.used.iter().enumerate() {
            let excess = (used - nodes.limit[cell]).max(0);
            self.overflow += excess as f64 * nodes.overflow_unit[cell];
            self.overfull += u32::from(excess > 0);
        }
    }

    fn take_loads(&mut self, nodes: &Nodes) {
        for row in 0..nodes.rows() {
            let mut mean = 0.0;
            for cell in nodes.cells(row) {
                let used = self.used[cell] as f64;
                self.load[cell] = used * nodes.unit[cell];
                mean += used * nodes.share[cell];
            }
            self.mean_load[row] = mean;
        }
    }

    /// Moves one column of loads to its mean and sums it up. Pairs that are left out stay at 0.
    fn centre(&mut self, nodes: &Nodes, column: usize) {
        let resources = nodes.resources();
        let (loads, step, counted): (&mut [f64], usize, &dyn Fn(usize) -> bool) = if column == resources {
            (&mut self.mean_load, 1, &|row| nodes.is_live(row as u32))
        } else {
            (&mut self.load[column..], resources, &|row| nodes.unit[row * resources + column] > 0.0)
        };
        let sum: f64 = loads.iter().step_by(step).take(nodes.rows()).sum();
        let centre = sum * nodes.per_row[column];
        let mut sums = Sums::default();
        for (row, load) in loads.iter_mut().step_by(step).take(nodes.rows()).enumerate() {
            if counted(row) {
                *load -= centre;
                sums = sums.with(*load);
            }
        }
        (self.centre[column], self.sums[column]) = (centre, sums);
    }

    pub(super) fn score(&self, nodes: &Nodes, objective: Objective) -> Score {
        let value = |column: usize| self.sums[column].variance(nodes.per_row[column]);
        let all = nodes.resources();
        let objective = match objective {
            Objective::Sigma => value(all).sqrt(),
            Objective::Balanced => (0..all).map(value).sum::<f64>() * nodes.per_resource + value(all),
        };
        Score { violation: violation(self.overflow, self.overfull), objectives: Objectives::single(objective) }
    }

    /// The score after `net` went from row `from` to row `to`.
    #[inline]
    pub(super) fn score_after(
        &self,
        nodes: &Nodes,
        objective: Objective,
        from: usize,
        to: usize,
        net: impl Iterator<Item = i64> + Clone,
    ) -> Score {
        if from == to {
            return self.score(nodes, objective);
        }
        let (overflow, overfull) = self.overflow_after(nodes, from, to, &net);
        let mean = self.mean_variance_after(nodes, from, to, net.clone());
        let objective = match objective {
            Objective::Sigma => mean.sqrt(),
            Objective::Balanced => self.load_variance_after(nodes, from, to, net) * nodes.per_resource + mean,
        };
        Score { violation: violation(overflow, overfull), objectives: Objectives::single(objective) }
    }

    /// `Var(L)` after the shift.
    #[inline]
    fn mean_variance_after(&self, nodes: &Nodes, from: usize, to: usize, net: impl Iterator<Item = i64>) -> f64 {
        let (mut out, mut inn) = (0.0, 0.0);
        let shares = nodes.share[nodes.cells(from)].iter().zip(&nodes.share[nodes.cells(to)]);
        for ((from, to), amount) in shares.zip(net) {
            let amount = amount as f64;
            out -= amount * from;
            inn += amount * to;
        }
        let all = nodes.resources();
        self.sums[all].after(self.mean_load[from], out).after(self.mean_load[to], inn).variance(nodes.per_row[all])
    }

    /// `Σ_r Var(L_r)` after the shift.
    #[inline]
    fn load_variance_after(&self, nodes: &Nodes, from: usize, to: usize, net: impl Iterator<Item = i64>) -> f64 {
        let (from, to) = (nodes.cells(from), nodes.cells(to));
        let units = nodes.unit[from.clone()].iter().zip(&nodes.unit[to.clone()]);
        let loads = self.load[from].iter().zip(&self.load[to]);
        let columns = self.sums.iter().zip(&nodes.per_row);
        let mut total = 0.0;
        for ((((unit_from, unit_to), (from, to)), (sums, per_row)), amount) in units.zip(loads).zip(columns).zip(net) {
            let amount = amount as f64;
            total += sums.after(*from, -amount * unit_from).after(*to, amount * unit_to).variance(*per_row);
        }
        total
    }

    /// Overflow and the number of overflowing pairs after the shift.
    #[inline]
    fn overflow_after(
        &self,
        nodes: &Nodes,
        from: usize,
        to: usize,
        net: &(impl Iterator<Item = i64> + Clone),
    ) -> (f64, u32) {
        // Nearly all moves of a search are between feasible states, and whole numbers compare quickly.
        if self.overfull == 0
            && self.fits(nodes, from, net.clone().map(|amount| -amount))
            && self.fits(nodes, to, net.clone())
        {
            return (0.0, 0);
        }
        self.overflow_in_full(nodes, from, to, net)
    }

    #[inline]
    fn fits(&self, nodes: &Nodes, row: usize, added: impl Iterator<Item = i64>) -> bool {
        let cells = nodes.cells(row);
        let held = self.used[cells.clone()].iter().zip(&nodes.limit[cells]);
        // Counted, not cut short: without a branch all resources are compared at once.
        held.zip(added).filter(|((used, limit), added)| **used + added > **limit).count() == 0
    }

    fn overflow_in_full(
        &self,
        nodes: &Nodes,
        from: usize,
        to: usize,
        net: &(impl Iterator<Item = i64> + Clone),
    ) -> (f64, u32) {
        let (mut overflow, mut overfull) = (self.overflow, self.overfull);
        for (row, sign) in [(from, -1), (to, 1)] {
            let cells = nodes.cells(row);
            let rows = self.used[cells.clone()].iter().zip(&nodes.limit[cells.clone()]);
            for (((used, limit), unit), amount) in rows.zip(&nodes.overflow_unit[cells]).zip(net.clone()) {
                let before = (used - limit).max(0);
                let after = (used + sign * amount - limit).max(0);
                overflow += (after - before) as f64 * unit;
                overfull = overfull + u32::from(after > 0) - u32::from(before > 0);
            }
        }
        (overflow, overfull)
    }

    /// Takes `net` from row `from` to row `to`. Sums change exactly as `score_after` foretells.
    pub(super) fn shift(&mut self, nodes: &Nodes, from: usize, to: usize, net: &(impl Iterator<Item = i64> + Clone)) {
        if from == to {
            return;
        }
        (self.overflow, self.overfull) = self.overflow_after(nodes, from, to, net);
        if self.overfull == 0 {
            self.overflow = 0.0;
        }
        for (row, sign) in [(from, -1), (to, 1)] {
            let mut added = 0.0;
            for ((cell, amount), sums) in nodes.cells(row).zip(net.clone()).zip(&mut self.sums) {
                let change = (sign * amount) as f64;
                self.used[cell] += sign * amount;
                *sums = sums.after(self.load[cell], change * nodes.unit[cell]);
                self.load[cell] += change * nodes.unit[cell];
                added += change * nodes.share[cell];
            }
            let all = nodes.resources();
            self.sums[all] = self.sums[all].after(self.mean_load[row], added);
            self.mean_load[row] += added;
        }
    }

    /// The objective, squared where it is a standard deviation, if a request came on top of a row.
    #[inline]
    pub(super) fn variance_with(&self, nodes: &Nodes, objective: Objective, row: usize, request: &[f64]) -> f64 {
        let cells = nodes.cells(row);
        let all = nodes.resources();
        let added: f64 = nodes.share[cells.clone()].iter().zip(request).map(|(share, amount)| share * amount).sum();
        let mean = self.sums[all].after(self.mean_load[row], added).variance(nodes.per_row[all]);
        if objective == Objective::Sigma {
            return mean;
        }
        let loads = nodes.unit[cells.clone()].iter().zip(&self.load[cells]);
        let columns = self.sums.iter().zip(&nodes.per_row);
        let mut total = 0.0;
        for (((unit, load), (sums, per_row)), amount) in loads.zip(columns).zip(request) {
            total += sums.after(*load, amount * unit).variance(*per_row);
        }
        total * nodes.per_resource + mean
    }

    /// `L(N_j)` of a row if a request came on top.
    pub(super) fn mean_load_with(&self, nodes: &Nodes, row: usize, request: &[i64]) -> f64 {
        let added: f64 =
            nodes.share[nodes.cells(row)].iter().zip(request).map(|(share, &amount)| share * amount as f64).sum();
        (self.mean_load[row] + self.centre[nodes.resources()] + added).max(0.0)
    }

    /// Whether a row holds more than its limit of anything.
    pub(super) fn is_overfull(&self, nodes: &Nodes, row: usize) -> bool {
        let cells = nodes.cells(row);
        self.used[cells.clone()].iter().zip(&nodes.limit[cells]).any(|(used, limit)| used > limit)
    }

    /// Whether a request is part of what a row holds too much of.
    pub(super) fn adds_to_overflow(&self, nodes: &Nodes, row: usize, request: &[i64]) -> bool {
        let cells = nodes.cells(row);
        let held = self.used[cells.clone()].iter().zip(&nodes.limit[cells]);
        held.zip(request).any(|((used, limit), &amount)| used > limit && amount > 0)
    }

    /// Whether a request fits on top.
    pub(super) fn has_room(&self, nodes: &Nodes, row: usize, request: &[i64]) -> bool {
        let cells = nodes.cells(row);
        let held = self.used[cells.clone()].iter().zip(&nodes.limit[cells]);
        held.zip(request).all(|((used, limit), &amount)| amount == 0 || amount <= limit - used)
    }

    pub(super) fn spread(&self, nodes: &Nodes) -> Spread {
        let sigma = |column: usize| self.sums[column].variance(nodes.per_row[column]).sqrt();
        let all = nodes.resources();
        Spread {
            sigma: sigma(all),
            mean: self.centre[all] + self.sums[all].s1 * nodes.per_row[all],
            sigma_by_resource: (0..all).map(sigma).collect(),
        }
    }
}

/// Exactly 0 if nothing overflows, and above 0 if something does, whatever rounding did to the sum.
#[inline]
fn violation(overflow: f64, overfull: u32) -> f64 {
    if overfull == 0 { 0.0 } else { overflow.max(f64::MIN_POSITIVE) }
}
