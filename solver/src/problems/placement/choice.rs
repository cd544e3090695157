//! The row for one more pod: with room, legal, and where it hurts least.
//!
//! Promises: without terms and rules, a handful of multiplications a row; among rows that are equally good for an item
//! that the objective does not weigh, the one with most room. Must not know: the searches that ask.

use super::Placement;
use super::extras::Extras;
use super::nodes::{LANES, groups};
use super::requests::{Amounts, Request};
use super::state::State;
use crate::problem::{Choice, Move, Problem};

/// So many rows are looked at in the time of one move. Measured natively at 100 × 10 to 5,000 × 5,000: 5 to 21 in that of
/// a bare evaluation, 12 to 80 in that of a move of the default search.
const LOOKS_PER_MOVE: u64 = 10;

impl Placement {
    /// Of the rows of an unassigned item's domain that have room for it and break no hard rule, the one of least cost.
    pub(super) fn best_room(&self, state: &State, item: usize) -> Option<Choice> {
        match &self.extras {
            None if self.is_weightless(item) => self.most_room(state, item),
            None => self.best_room_by_spread(state, item),
            Some(extras) => self.best_room_by_score(state, item, extras),
        }
    }

    /// Whether an item uses nothing that takes part in the objective anywhere: to that, all rows are equally good.
    pub(super) fn is_weightless(&self, item: usize) -> bool {
        let is_left_out = |(&amount, &per_row): (&f64, &f64)| amount == 0.0 || per_row == 0.0;
        self.requests.of(item).amounts.iter().zip(&self.nodes.per_row).all(is_left_out)
    }

    /// For a weightless item: the row that keeps most room of what the item asks for, the first of several. So many small
    /// ones do not fill one row after the other.
    fn most_room(&self, state: &State, item: usize) -> Option<Choice> {
        let counts = self.requests.of(item).counts;
        let rows = self.domains.class(item).values();
        let mut best: Option<(f64, u32)> = None;
        for &row in rows.iter().filter(|&&row| state.has_room(&self.nodes, row as usize, counts)) {
            let left = state.least_left(&self.nodes, row as usize, counts);
            if best.is_none_or(|(most, _)| left > most) {
                best = Some((left, row));
            }
        }
        let evaluations = (rows.len() as u64).div_ceil(LOOKS_PER_MOVE);
        best.map(|(_, value)| Choice { value, evaluations })
    }

    fn best_room_by_spread(&self, state: &State, item: usize) -> Option<Choice> {
        let Request { counts, amounts } = self.requests.of(item);
        let growth = Growth::new(self, state);
        let mut best: Option<(f64, u32)> = None;
        let rows = self.domains.class(item).values();
        for &row in rows {
            let grows = growth.on(self, state, row as usize, amounts);
            let least = best.is_none_or(|(least, _)| grows < least);
            if least && state.has_room(&self.nodes, row as usize, counts) {
                best = Some((grows, row));
            }
        }
        let evaluations = (rows.len() as u64).div_ceil(LOOKS_PER_MOVE);
        best.map(|(_, value)| Choice { value, evaluations })
    }

    fn best_room_by_score(&self, state: &State, item: usize, extras: &Extras) -> Option<Choice> {
        let counts = self.requests.of(item).counts;
        let is_weightless = self.is_weightless(item);
        let mut best: Option<(f64, f64, u32)> = None;
        let rows = self.domains.class(item).values();
        let mut tried = (rows.len() as u64).div_ceil(LOOKS_PER_MOVE);
        for &row in rows {
            let change = Move::Set { item, value: row };
            if !state.has_room(&self.nodes, row as usize, counts)
                || !extras.keeps_rules(state, self.exchange(state, change))
            {
                continue;
            }
            tried += 1;
            let Some(score) = self.delta(state, change) else { continue };
            let value: f64 = score.objectives.as_slice().iter().sum();
            let left = if is_weightless { state.least_left(&self.nodes, row as usize, counts) } else { 0.0 };
            if best.is_none_or(|(least, most, _)| value < least || (value == least && left > most)) {
                best = Some((value, left, row));
            }
        }
        best.map(|(_, _, value)| Choice { value, evaluations: tried })
    }
}

/// How much the objective, squared where it is a root, grows if a request comes on top of a row. What is the same for all
/// rows is computed once.
struct Growth {
    /// One a group of resources; none if they have no say.
    resources: Vec<Curve<Amounts>>,
    mean: Curve<f64>,
}

/// The growth of a variance when one of `n` values `x` grows by `d`: `d/n (2 (x - mean) + d (1 - 1/n))`.
struct Curve<T> {
    mean: T,
    /// `2/n`.
    slope: T,
    /// `(1 - 1/n) / 2`.
    half: T,
}

impl Growth {
    fn new(problem: &Placement, state: &State) -> Self {
        let (nodes, objective) = (&problem.nodes, problem.objective);
        let (of_resources, of_mean) = (objective.variance(|| nodes.per_resource, 0.0), objective.variance(|| 0.0, 1.0));
        let curve = |column: usize, scale: f64| {
            let per_row = nodes.per_row[column];
            Curve { mean: state.centred_mean(nodes, column), slope: 2.0 * scale * per_row, half: (1.0 - per_row) / 2.0 }
        };
        let group = |first: usize| {
            let lanes: [_; LANES] = std::array::from_fn(|lane| curve(first + lane, of_resources));
            Curve {
                mean: std::array::from_fn(|lane| lanes[lane].mean),
                slope: std::array::from_fn(|lane| lanes[lane].slope),
                half: std::array::from_fn(|lane| lanes[lane].half),
            }
        };
        let counted = if of_resources > 0.0 { nodes.counted_cells(0) } else { 0..0 };
        Self { resources: counted.step_by(LANES).map(group).collect(), mean: curve(nodes.width(), of_mean) }
    }

    #[inline]
    fn on(&self, problem: &Placement, state: &State, row: usize, amounts: &[f64]) -> f64 {
        let cells = problem.nodes.counted_cells(row);
        let (units, shares) = (groups(&problem.nodes.unit[cells.clone()]), groups(&problem.nodes.share[cells.clone()]));
        let (loads, amounts) = (groups(state.loads(cells)), groups(amounts));
        let (mut grows, mut added) = ([0.0; LANES], [0.0; LANES]);
        for (((curve, unit), load), amount) in self.resources.iter().zip(units).zip(loads).zip(amounts) {
            for lane in 0..LANES {
                let d = amount[lane] * unit[lane];
                grows[lane] += curve.slope[lane] * d * ((load[lane] - curve.mean[lane]) + curve.half[lane] * d);
            }
        }
        for (share, amount) in shares.iter().zip(amounts) {
            (0..LANES).for_each(|lane| added[lane] += amount[lane] * share[lane]);
        }
        let (curve, d): (_, f64) = (&self.mean, added.iter().sum());
        let of_mean = curve.slope * d * ((state.centred_mean_load(row) - curve.mean) + curve.half * d);
        grows.iter().sum::<f64>() + of_mean
    }
}
