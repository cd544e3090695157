//! A solution with its loads, so that a move costs the number of resources.
//!
//! Promises: `score_after` is what `score` says once `shift` is done; capacities are counted in whole numbers, so
//! feasibility is exact. Must not know: domains.

mod overflow;

use super::extras::Standing;
use super::nodes::{LANES, Nodes, groups};
use super::objective::{Objective, Spread, Sums};
use super::requests::{Requests, Shift};
use crate::problem::Genome;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Objectives, Score};
use overflow::{Excess, violation};

/// After this many moves the sums are taken anew: rounding errors grow with the moves and shrink to nothing here.
const RECENTRE: u32 = 1 << 20;

/// The state of a placement.
#[derive(Clone, Debug)]
pub struct State {
    genome: Genome,
    /// What a row may still take, row-major, nowhere included; below 0 where it is over-full.
    room: Vec<i64>,
    /// `√w_r · L_r(j)` less the resource's centre, row-major.
    load: Vec<f64>,
    /// `L(N_j)` less its centre.
    mean_load: Vec<f64>,
    /// The centres: one a resource, then the one of `L`.
    centre: Vec<f64>,
    /// The sums around the centres, as [`Sums`] has them.
    s1: Vec<f64>,
    s2: Vec<f64>,
    /// Sum of the relative overflows, and how many pairs of row and resource overflow.
    overflow: f64,
    overfull: u32,
    moves: u32,
    /// How the genome stands to terms and rules, if the problem has any.
    standing: Option<Box<Standing>>,
}

impl State {
    pub(super) fn new(nodes: &Nodes) -> Self {
        let (rows, width) = (nodes.rows(), nodes.width());
        Self {
            genome: Vec::new(),
            room: vec![0; (rows + 1) * width],
            load: vec![0.0; (rows + 1) * width],
            mean_load: vec![0.0; rows + 1],
            centre: vec![0.0; width + 1],
            s1: vec![0.0; width + 1],
            s2: vec![0.0; width + 1],
            overflow: 0.0,
            overfull: 0,
            moves: 0,
            standing: None,
        }
    }

    /// Takes over a genome.
    pub(super) fn load(&mut self, nodes: &Nodes, requests: &Requests, genome: &[u32]) {
        self.genome.clear();
        self.genome.extend_from_slice(genome);
        for ((room, limit), base) in self.room.iter_mut().zip(&nodes.limit).zip(&nodes.base) {
            *room = limit - base;
        }
        for (&gene, request) in genome.iter().zip(requests.counts().chunks_exact(nodes.width())) {
            let room = &mut self.room[nodes.cells(nodes.place(gene))];
            room.iter_mut().zip(request).for_each(|(room, amount)| *room -= amount);
        }
        self.recentre(nodes, requests);
    }

    pub(super) fn genome(&self) -> &[u32] {
        &self.genome
    }

    pub(super) fn set_gene(&mut self, item: usize, value: u32) {
        self.genome[item] = value;
    }

    pub(super) fn swap_genes(&mut self, first: usize, second: usize) {
        self.genome.swap(first, second);
    }

    pub(super) const fn is_feasible(&self) -> bool {
        self.overfull == 0
    }

    /// Whether it was due.
    pub(super) fn recentre_when_due(&mut self, nodes: &Nodes, requests: &Requests) -> bool {
        self.moves += 1;
        let due = self.moves >= RECENTRE;
        if due {
            self.recentre(nodes, requests);
        }
        due
    }

    pub(super) fn standing(&self) -> Option<&Standing> {
        self.standing.as_deref()
    }

    /// Replaces the standing; what there was is returned, so that its memory can be used again.
    pub(super) fn stand(&mut self, standing: Option<Box<Standing>>) -> Option<Box<Standing>> {
        std::mem::replace(&mut self.standing, standing)
    }

    /// What is left of each resource of a row.
    #[inline]
    pub(super) fn room(&self, nodes: &Nodes, row: usize) -> &[i64] {
        &self.room[nodes.cells(row)]
    }

    /// The mean of `L(N_j)`, eq. (10).
    #[inline]
    pub(super) fn mean(&self, nodes: &Nodes) -> f64 {
        let all = nodes.width();
        self.centre[all] + self.s1[all] * nodes.per_row[all]
    }

    /// Computes loads, centres, sums and overflow from the amounts.
    fn recentre(&mut self, nodes: &Nodes, requests: &Requests) {
        self.moves = 0;
        self.take_amounts(nodes, requests);
        self.take_loads(nodes);
        for resource in 0..=nodes.width() {
            self.centre(nodes, resource);
        }
        (self.overflow, self.overfull) = (0.0, 0);
        for (room, unit) in self.room.iter().zip(&nodes.overflow_unit).filter(|(room, _)| **room < 0) {
            self.overflow -= *room as f64 * unit;
            self.overfull += 1;
        }
    }

    /// Sums up what is used, into the place of the loads.
    fn take_amounts(&mut self, nodes: &Nodes, requests: &Requests) {
        if !requests.is_separate() {
            for (load, (limit, room)) in self.load.iter_mut().zip(nodes.limit.iter().zip(&self.room)) {
                *load = (limit - room) as f64;
            }
            return;
        }
        match &nodes.used[..] {
            [] => self.load.iter_mut().zip(&nodes.base).for_each(|(load, base)| *load = *base as f64),
            used => self.load.copy_from_slice(used),
        }
        for (&gene, amounts) in self.genome.iter().zip(requests.amounts().chunks_exact(nodes.width())) {
            let load = &mut self.load[nodes.cells(nodes.place(gene))];
            load.iter_mut().zip(amounts).for_each(|(load, amount)| *load += amount);
        }
    }

    /// From amounts to loads.
    fn take_loads(&mut self, nodes: &Nodes) {
        self.load[nodes.cells(nodes.rows())].fill(0.0);
        for row in 0..nodes.rows() {
            let mut mean = 0.0;
            for cell in nodes.cells(row) {
                let used = self.load[cell];
                self.load[cell] = used * nodes.unit[cell];
                mean += used * nodes.share[cell];
            }
            self.mean_load[row] = mean;
        }
    }

    /// Moves one column of loads to its mean and sums it up. Pairs that are left out stay at 0.
    fn centre(&mut self, nodes: &Nodes, column: usize) {
        let width = nodes.width();
        let (loads, step, counted): (&mut [f64], usize, &dyn Fn(usize) -> bool) = if column == width {
            (&mut self.mean_load, 1, &|row| nodes.is_weighed(row))
        } else {
            (&mut self.load[column..], width, &|row| nodes.unit[row * width + column] > 0.0)
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
        self.centre[column] = centre;
        self.set_sums(column, sums);
    }

    #[inline]
    fn sums(&self, column: usize) -> Sums {
        Sums { s1: self.s1[column], s2: self.s2[column] }
    }

    fn set_sums(&mut self, column: usize, sums: Sums) {
        (self.s1[column], self.s2[column]) = (sums.s1, sums.s2);
    }

    pub(super) fn score(&self, nodes: &Nodes, objective: Objective) -> Score {
        let value = |column: usize| self.sums(column).variance(nodes.per_row[column]);
        let all = nodes.width();
        let value = objective.value(|| (0..all).map(value).sum::<f64>() * nodes.per_resource, value(all));
        Score { violation: self.violation(), objectives: Objectives::single(value) }
    }

    /// The score after a shift.
    #[inline]
    pub(super) fn score_after(&self, nodes: &Nodes, objective: Objective, shift: &Shift<'_>) -> Score {
        if shift.from == shift.to {
            return self.score(nodes, objective);
        }
        let objectives = Objectives::single(self.objective_after(nodes, objective, shift));
        Score { violation: self.violation_after(nodes, shift), objectives }
    }

    /// The same as a cost, without a score on the way; none if the value is above `most`.
    #[inline]
    pub(super) fn cost_after(
        &self,
        nodes: &Nodes,
        objective: Objective,
        shift: &Shift<'_>,
        by: &Scalarisation,
        most: f64,
    ) -> Option<Cost> {
        if shift.from == shift.to {
            return Some(by.cost(&self.score(nodes, objective)));
        }
        let value = by.value_of_single(self.objective_after(nodes, objective, shift));
        // Most moves of a cold walk end here.
        if value > most {
            return None;
        }
        Some(Cost { violation: self.violation_after(nodes, shift), value })
    }

    /// The score after a shift, or none if it breaks limits more than they are broken already.
    #[inline]
    pub(super) fn promising_score_after(
        &self,
        nodes: &Nodes,
        objective: Objective,
        shift: &Shift<'_>,
    ) -> Option<Score> {
        if shift.from == shift.to {
            return Some(self.score(nodes, objective));
        }
        let violation = match self.overfull {
            0 if self.stays_feasible(nodes, shift) => 0.0,
            0 => return None,
            _ => self.violation_after(nodes, shift),
        };
        let objectives = || Objectives::single(self.objective_after(nodes, objective, shift));
        (violation <= self.violation()).then(|| Score { violation, objectives: objectives() })
    }

    /// The objective after a shift between two rows.
    #[inline]
    fn objective_after(&self, nodes: &Nodes, objective: Objective, shift: &Shift<'_>) -> f64 {
        objective.value(|| self.resources_after(nodes, shift), self.mean_after(nodes, shift))
    }

    /// The mean of the resources' variances by weight after a shift between two rows.
    #[inline]
    fn resources_after(&self, nodes: &Nodes, shift: &Shift<'_>) -> f64 {
        let (from, to) = (nodes.counted_cells(shift.from), nodes.counted_cells(shift.to));
        let units = groups(&nodes.unit[from.clone()]).iter().zip(groups(&nodes.unit[to.clone()]));
        let loads = groups(&self.load[from]).iter().zip(groups(&self.load[to]));
        let columns = groups(&self.s1).iter().zip(groups(&self.s2)).zip(groups(&nodes.per_row));
        let mut total = [0.0; LANES];
        for (((units, loads), ((s1, s2), per_row)), amounts) in units.zip(loads).zip(columns).zip(shift.amounts()) {
            for lane in 0..LANES {
                let sums = Sums { s1: s1[lane], s2: s2[lane] };
                let sums = sums.after(loads.0[lane], -amounts[lane] * units.0[lane]);
                total[lane] += sums.after(loads.1[lane], amounts[lane] * units.1[lane]).variance(per_row[lane]);
            }
        }
        total.iter().sum::<f64>() * nodes.per_resource
    }

    /// The variance of the mean load after a shift between two rows.
    #[inline]
    fn mean_after(&self, nodes: &Nodes, shift: &Shift<'_>) -> f64 {
        let (from, to) = (nodes.counted_cells(shift.from), nodes.counted_cells(shift.to));
        let shares = groups(&nodes.share[from]).iter().zip(groups(&nodes.share[to]));
        let (mut lost, mut gained) = ([0.0; LANES], [0.0; LANES]);
        for ((from, to), amounts) in shares.zip(shift.amounts()) {
            for lane in 0..LANES {
                lost[lane] -= amounts[lane] * from[lane];
                gained[lane] += amounts[lane] * to[lane];
            }
        }
        let all = nodes.width();
        let sums = self.sums(all).after(self.mean_load[shift.from], lost.iter().sum());
        sums.after(self.mean_load[shift.to], gained.iter().sum()).variance(nodes.per_row[all])
    }

    pub(super) fn violation(&self) -> f64 {
        violation(self.overflow, self.overfull)
    }

    #[inline]
    fn violation_after(&self, nodes: &Nodes, shift: &Shift<'_>) -> f64 {
        if self.overfull == 0 && self.stays_feasible(nodes, shift) {
            return 0.0;
        }
        let (overflow, overfull) = self.overflow_after(nodes, shift);
        violation(overflow, overfull)
    }

    /// Overflow and the number of overflowing pairs after the shift.
    fn overflow_after(&self, nodes: &Nodes, shift: &Shift<'_>) -> (f64, u32) {
        let (from, to) = (nodes.cells(shift.from), nodes.cells(shift.to));
        let rooms = groups(&self.room[from.clone()]).iter().zip(groups(&self.room[to.clone()]));
        let units = groups(&nodes.overflow_unit[from]).iter().zip(groups(&nodes.overflow_unit[to]));
        let (mut overflow, mut overfull) = ([0.0; LANES], [0; LANES]);
        for ((rooms, units), counts) in rooms.zip(units).zip(shift.counts()) {
            for lane in 0..LANES {
                let (lost, gained) =
                    (Excess::after(rooms.0[lane], -counts[lane]), Excess::after(rooms.1[lane], counts[lane]));
                overflow[lane] += lost.grows as f64 * units.0[lane] + gained.grows as f64 * units.1[lane];
                overfull[lane] += lost.begins + gained.begins;
            }
        }
        let overfull = i64::from(self.overfull) + overfull.iter().sum::<i64>();
        (self.overflow + overflow.iter().sum::<f64>(), overfull as u32)
    }

    /// Whether a shift leaves room on both rows; for a state that has room everywhere.
    ///
    /// The signs of all differences are gathered without a branch, for both rows at once.
    #[inline]
    fn stays_feasible(&self, nodes: &Nodes, shift: &Shift<'_>) -> bool {
        let (from, to) = (groups(&self.room[nodes.cells(shift.from)]), groups(&self.room[nodes.cells(shift.to)]));
        let mut lack = [0; LANES];
        for ((from, to), counts) in from.iter().zip(to).zip(shift.counts()) {
            for lane in 0..LANES {
                lack[lane] |= from[lane].wrapping_add(counts[lane]) | to[lane].wrapping_sub(counts[lane]);
            }
        }
        lack.iter().fold(0, |all, lack| all | lack) >= 0
    }

    /// Carries a shift out. Sums change as `score_after` foretells.
    pub(super) fn shift(&mut self, nodes: &Nodes, shift: &Shift<'_>) {
        if shift.from == shift.to {
            return;
        }
        (self.overflow, self.overfull) = self.overflow_after(nodes, shift);
        if self.overfull == 0 {
            self.overflow = 0.0;
        }
        for (row, sign) in [(shift.from, -1), (shift.to, 1)] {
            let mut added = 0.0;
            let moved = shift.counts().flatten().zip(shift.amounts().flatten());
            for (column, (cell, (count, amount))) in nodes.cells(row).zip(moved).enumerate() {
                let change = sign as f64 * amount;
                self.room[cell] -= sign * count;
                self.set_sums(column, self.sums(column).after(self.load[cell], change * nodes.unit[cell]));
                self.load[cell] += change * nodes.unit[cell];
                added += change * nodes.share[cell];
            }
            let all = nodes.width();
            self.set_sums(all, self.sums(all).after(self.mean_load[row], added));
            self.mean_load[row] += added;
        }
    }

    /// The mean of a column of loads, less its centre.
    pub(super) fn centred_mean(&self, nodes: &Nodes, column: usize) -> f64 {
        self.s1[column] * nodes.per_row[column]
    }

    /// The loads of some cells, less their centres.
    #[inline]
    pub(super) fn loads(&self, cells: std::ops::Range<usize>) -> &[f64] {
        &self.load[cells]
    }

    /// `L(N_j)` of a row less its centre.
    #[inline]
    pub(super) fn centred_mean_load(&self, row: usize) -> f64 {
        self.mean_load[row]
    }

    /// `L(N_j)` of a row if a request came on top.
    pub(super) fn mean_load_with(&self, nodes: &Nodes, row: usize, request: &[f64]) -> f64 {
        let added: f64 = nodes.share[nodes.cells(row)].iter().zip(request).map(|(share, amount)| share * amount).sum();
        (self.mean_load[row] + self.centre[nodes.width()] + added).max(0.0)
    }

    /// Whether a row holds more than its limit of anything.
    pub(super) fn is_overfull(&self, nodes: &Nodes, row: usize) -> bool {
        self.room[nodes.cells(row)].iter().any(|&room| room < 0)
    }

    /// Whether a request is part of what a row holds too much of.
    pub(super) fn adds_to_overflow(&self, nodes: &Nodes, row: usize, request: &[i64]) -> bool {
        self.room[nodes.cells(row)].iter().zip(request).any(|(&room, &amount)| room < 0 && amount > 0)
    }

    /// Whether a request fits on top.
    pub(super) fn has_room(&self, nodes: &Nodes, row: usize, request: &[i64]) -> bool {
        self.room[nodes.cells(row)].iter().zip(request).all(|(&room, &amount)| amount == 0 || amount <= room)
    }

    /// The least part that a row would have left of anything that a request asks for, if that came on top.
    pub(super) fn least_left(&self, nodes: &Nodes, row: usize, request: &[i64]) -> f64 {
        let cells = nodes.cells(row);
        let rooms = self.room[cells.clone()].iter().zip(&nodes.overflow_unit[cells]);
        let asked = request.iter().zip(rooms).filter(|(amount, _)| **amount > 0);
        asked.map(|(amount, (room, unit))| (room - amount) as f64 * unit).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn spread(&self, nodes: &Nodes) -> Spread {
        let sigma = |column: usize| self.sums(column).variance(nodes.per_row[column]).sqrt();
        let all = nodes.width();
        Spread {
            sigma: sigma(all),
            mean: self.mean(nodes),
            sigma_by_resource: (0..nodes.resources()).map(|resource| sigma(resource) / nodes.root[resource]).collect(),
        }
    }
}
