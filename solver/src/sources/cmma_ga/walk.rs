//! Step 3: an ant's walk through the items.
//!
//! Promises: every item gets one of the choices that its trail has, so every gene is in its domain. Must not know: what
//! the vector is worth.

use super::fitness::power;
use super::trails::{Trails, choice};
use crate::problem::{Move, Problem};
use crate::rng::Rng;

/// An ant on its way, and the memory of its last walk.
#[derive(Clone, Debug)]
pub struct Walker {
    alpha: u32,
    beta: u32,
    /// The place of the item's choice among its choices, by item.
    chosen: Vec<u32>,
    /// The places of the last walk's steps among all trails.
    steps: Vec<usize>,
    cumulative: Vec<f64>,
}

impl Walker {
    /// An ant with exponents `α` of pheromone and `β` of attraction.
    #[must_use]
    pub const fn new(alpha: u32, beta: u32) -> Self {
        Self { alpha, beta, chosen: Vec::new(), steps: Vec::new(), cumulative: Vec::new() }
    }

    /// Gives each item of a state in which nothing is chosen one of its values, eq. (2) \[R\]:
    /// `p_ij = τ_ij^α η_ij^β / Σ_l τ_il^α η_il^β` over the choices `l` of the item, `η` being
    /// [`Problem::heuristic`] after the choices so far.
    pub fn walk<P: Problem>(&mut self, problem: &P, trails: &Trails, state: &mut P::State, rng: &mut Rng) {
        self.chosen.clear();
        self.chosen.resize(problem.items(), 0);
        self.steps.clear();
        let Self { alpha, beta, chosen, steps, cumulative } = self;
        for item in trails.order() {
            let domain = problem.domain(item);
            let row = trails.row(item, chosen);
            let attraction = |index| problem.heuristic(state, item, choice(&domain, index as u32));
            let pheromone = trails.pheromone(row.clone());
            let weight = |(index, &tau): (usize, &f64)| power(tau, *alpha) * power(attraction(index), *beta);
            let index = draw_by_weight(pheromone.iter().enumerate().map(weight), cumulative, rng);
            chosen[item] = index as u32;
            steps.push(row.start + index);
            problem.apply(state, Move::Set { item, value: choice(&domain, index as u32) });
        }
    }

    /// Eq. (3) \[R\], behind the last walk: `τ_ij <- (1 - φ) τ_ij + φ τ_0`. \[I\] After the walk and not during it, which
    /// is the same, because a walk takes no trail twice; and `τ_0 = τ_min`.
    pub fn wipe(&self, trails: &mut Trails, phi: f64, tau_0: f64) {
        self.steps.iter().for_each(|&step| trails.wipe(step, phi, tau_0));
    }
}

/// An index, drawn by weight; all equally likely if the weights are no weights. `cumulative` is only memory.
pub(super) fn draw_by_weight(weights: impl Iterator<Item = f64>, cumulative: &mut Vec<f64>, rng: &mut Rng) -> usize {
    let mut sum = 0.0;
    cumulative.clear();
    cumulative.extend(weights.map(|weight| {
        sum += weight.max(0.0);
        sum
    }));
    let last = cumulative.len() - 1;
    if sum <= 0.0 || !sum.is_finite() {
        return rng.below(cumulative.len() as u32) as usize;
    }
    let point = rng.unit() * sum;
    cumulative.partition_point(|&sum| sum <= point).min(last)
}
