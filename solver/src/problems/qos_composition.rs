//! Composing services: one replica for each, for the best quality of the whole.
//!
//! Promises: a composition's quality is a sum of terms, one a service and one a pair of services that talk to each
//! other, so a move is evaluated in time proportional to the services that its own talks to; sums are exact, so they
//! never drift. Must not know: where the terms come from, or what a quality is called.
//!
//! The model, in the notation of the source (a collaborative max-min ant and genetic algorithm for service
//! composition), with marks \[P\] printed, \[R\] reconstructed, \[I\] interpreted:
//!
//! - \[P\] service `k` has `n_k` replicas of equal function, and `x_k` is the one that is taken;
//! - \[P\] `QoS(x) = w1 P' + w2 T' + w3 R' + w4 A'` of price, time, reliability and availability, each normalised so
//!   that larger is better. \[I\] All four become sums ([`attributes`]), so that `QoS(x) = Σ_k v_k(x_k)`;
//! - an extension adds what the way between two replicas is worth:
//!   `f(x) = Σ_k v_k(x_k) + Σ_{(a,b)} w_ab(x_a, x_b)`, which a chain of services has between neighbours, and a general
//!   acyclic graph wherever it has an edge. \[I\] Branches that run side by side are added up like those in sequence;
//! - bounds on further sums are hard limits, their relative excess the violation.
//!
//! What is minimised is `-f`. Without edges and bounds the best composition takes the best replica of each service; in
//! a chain without bounds dynamic programming finds it. A search is needed for what is left.

pub mod attributes;
mod error;
mod grid;

pub use error::QosError;

use crate::domain::{Domain, DomainClass};
use crate::problem::{Genome, Move, Problem, UNASSIGNED, least_cost};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Objectives, Score};
use grid::Grid;

/// The least attraction of a replica, as a part of what a service is worth on average. \[I\] The source divides by
/// nothing of the kind, but an ant must be able to take every replica.
const LEAST_ATTRACTION: f64 = 1e-3;

/// Two services that talk to each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The service that calls.
    pub from: usize,
    /// The one that is called; its number is the larger one.
    pub to: usize,
    /// `w(i, j)` for replica `i` of `from` and `j` of `to`: row-major, `n_from × n_to` numbers from 0 to 2^53.
    pub quality: Vec<f64>,
}

/// A hard limit on a sum over the services.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// What each replica of each service adds, 0 to 2^53.
    pub amounts: Vec<Vec<f64>>,
    /// What the sum may be at most, 0 to 2^53. It may exceed that by rounding, less than `items · 2^-40` of the largest
    /// sum there is.
    pub limit: f64,
}

/// The composition problem. Its items are the services, its values their replicas.
#[derive(Clone, Debug)]
pub struct QosComposition {
    domains: Vec<DomainClass>,
    quality: Vec<Box<[f64]>>,
    edges: Vec<Edge>,
    links_by_item: Vec<Vec<Link>>,
    context_by_item: Vec<Option<usize>>,
    bounds: Vec<ExactBound>,
    least_attraction: f64,
}

/// An edge as one of its ends sees it: where a replica of this end and one of the other meet in [`Edge::quality`].
#[derive(Clone, Copy, Debug)]
struct Link {
    edge: u32,
    other: u32,
    own_step: usize,
    other_step: usize,
}

/// A bound in exact numbers.
#[derive(Clone, Debug)]
struct ExactBound {
    amounts: Vec<Box<[f64]>>,
    /// What the sum may be at most, the rounding of amounts included.
    limit: f64,
    /// Turns excess into violation.
    unit: f64,
}

/// A composition with its sums.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    genome: Genome,
    quality: f64,
    /// One a bound.
    totals: Vec<f64>,
}

impl QosComposition {
    /// Puts the problem together: `quality[k][j]` is `v_k(j)`, from 0 to 2^53.
    ///
    /// # Errors
    /// [`QosError`] if a service has no replica, an edge does not lead to a later service, the shapes do not fit
    /// together, or a number is out of range.
    pub fn new(quality: &[Vec<f64>], edges: &[Edge], bounds: &[Bound]) -> Result<Self, QosError> {
        if let Some(service) = quality.iter().position(Vec::is_empty) {
            return Err(QosError::NoReplica { service });
        }
        let replicas: Vec<usize> = quality.iter().map(Vec::len).collect();
        error::check_columns("quality", quality, &replicas)?;
        edges.iter().try_for_each(|edge| error::check_edge(edge, &replicas))?;
        bounds.iter().try_for_each(|bound| error::check_bound(bound, &replicas))?;
        let largest = |columns: &[f64]| columns.iter().copied().fold(0.0, f64::max);
        let most: f64 = quality.iter().map(|terms| largest(terms)).sum::<f64>()
            + edges.iter().map(|edge| largest(&edge.quality)).sum::<f64>();
        let grid = Grid::new(most);
        let edges: Vec<Edge> =
            edges.iter().map(|edge| Edge { quality: grid.round(&edge.quality).into(), ..*edge }).collect();
        Ok(Self {
            domains: replicas.iter().map(|&count| DomainClass::all(count as u32)).collect(),
            quality: quality.iter().map(|terms| grid.round(terms)).collect(),
            links_by_item: links_by_item(&replicas, &edges),
            context_by_item: context_by_item(replicas.len(), &edges),
            edges,
            bounds: bounds.iter().map(ExactBound::new).collect(),
            least_attraction: if most > 0.0 { LEAST_ATTRACTION * most / replicas.len() as f64 } else { 1.0 },
        })
    }

    /// A chain: each service calls the next one. `ways[k]` is the quality between services `k` and `k + 1`, as
    /// [`Edge::quality`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn chain(quality: &[Vec<f64>], ways: Vec<Vec<f64>>, bounds: &[Bound]) -> Result<Self, QosError> {
        let edge = |(from, quality)| Edge { from, to: from + 1, quality };
        let edges: Vec<Edge> = ways.into_iter().enumerate().map(edge).collect();
        Self::new(quality, &edges, bounds)
    }

    /// `v_k` of every replica of a service, as it counts.
    #[must_use]
    pub fn quality(&self, service: usize) -> &[f64] {
        &self.quality[service]
    }

    /// The edges, in the order in which they were given.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Whether there are hard limits.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        !self.bounds.is_empty()
    }

    /// `f(x)`: what is to be as large as possible.
    #[must_use]
    pub fn total_quality(&self, genome: &[u32]) -> f64 {
        self.build(genome).quality
    }

    /// What a service adds with a replica, beside the replicas of the others: 0 for [`UNASSIGNED`].
    #[inline]
    fn contribution(&self, genome: &[u32], item: usize, value: u32) -> f64 {
        if value == UNASSIGNED {
            return 0.0;
        }
        let mut worth = self.quality[item][value as usize];
        for link in &self.links_by_item[item] {
            let other = genome[link.other as usize];
            if other != UNASSIGNED {
                let pair = value as usize * link.own_step + other as usize * link.other_step;
                worth += self.edges[link.edge as usize].quality[pair];
            }
        }
        worth
    }

    fn way(&self, edge: &Edge, from: u32, to: u32) -> f64 {
        if from == UNASSIGNED || to == UNASSIGNED {
            return 0.0;
        }
        edge.quality[from as usize * self.quality[edge.to].len() + to as usize]
    }

    fn score(&self, quality: f64, totals: impl Iterator<Item = f64>) -> Score {
        // The sum of nothing and the negative of no quality would be negative zeros, which sort before zero.
        let violation = self.bounds.iter().zip(totals).fold(0.0, |sum, (bound, total)| sum + bound.violation(total));
        Score { violation, objectives: Objectives::single(0.0 - quality) }
    }
}

impl ExactBound {
    fn new(bound: &Bound) -> Self {
        let largest = |amounts: &Vec<f64>| amounts.iter().copied().fold(0.0, f64::max);
        let most: f64 = bound.amounts.iter().map(largest).sum();
        let grid = Grid::new(most);
        let unit = [bound.limit, most, 1.0].into_iter().find(|&unit| unit > 0.0).unwrap_or(1.0);
        Self {
            amounts: bound.amounts.iter().map(|amounts| grid.round(amounts)).collect(),
            limit: bound.limit + grid.slack(bound.amounts.len()),
            unit: 1.0 / unit,
        }
    }

    fn amount(&self, item: usize, value: u32) -> f64 {
        if value == UNASSIGNED { 0.0 } else { self.amounts[item][value as usize] }
    }

    fn violation(&self, total: f64) -> f64 {
        let excess = total - self.limit;
        if excess > 0.0 { (excess * self.unit).max(f64::MIN_POSITIVE) } else { 0.0 }
    }
}

fn links_by_item(replicas: &[usize], edges: &[Edge]) -> Vec<Vec<Link>> {
    let mut links_by_item = vec![Vec::new(); replicas.len()];
    for (index, &Edge { from, to, .. }) in edges.iter().enumerate() {
        let (edge, width) = (index as u32, replicas[to]);
        links_by_item[from].push(Link { edge, other: to as u32, own_step: width, other_step: 1 });
        links_by_item[to].push(Link { edge, other: from as u32, own_step: 1, other_step: width });
    }
    links_by_item
}

/// For each service the caller whose choice makes the largest difference to it; in a chain that is the one before.
fn context_by_item(items: usize, edges: &[Edge]) -> Vec<Option<usize>> {
    let mut widest: Vec<Option<(f64, usize)>> = vec![None; items];
    for edge in edges {
        let (least, most) = edge.quality.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), &w| (a.min(w), b.max(w)));
        if widest[edge.to].is_none_or(|(width, _)| most - least > width) {
            widest[edge.to] = Some((most - least, edge.from));
        }
    }
    widest.into_iter().map(|widest| widest.map(|(_, from)| from)).collect()
}

impl Problem for QosComposition {
    type State = State;

    fn items(&self) -> usize {
        self.quality.len()
    }

    #[inline]
    fn domain(&self, item: usize) -> Domain<'_> {
        Domain::Choices(&self.domains[item])
    }

    fn objectives(&self) -> usize {
        1
    }

    fn context(&self, item: usize) -> Option<usize> {
        self.context_by_item[item]
    }

    fn build(&self, genome: &[u32]) -> State {
        let mut state = State { genome: Vec::new(), quality: 0.0, totals: Vec::new() };
        self.rebuild(&mut state, genome);
        state
    }

    fn rebuild(&self, state: &mut State, genome: &[u32]) {
        state.genome.clear();
        state.genome.extend_from_slice(genome);
        let own = |(item, &value): (usize, &u32)| self.quality[item].get(value as usize).copied().unwrap_or(0.0);
        let ways = self.edges.iter().map(|edge| self.way(edge, genome[edge.from], genome[edge.to]));
        state.quality = genome.iter().enumerate().map(own).sum::<f64>() + ways.sum::<f64>();
        let amounts =
            |bound: &ExactBound| genome.iter().enumerate().map(|(item, &value)| bound.amount(item, value)).sum::<f64>();
        state.totals.clear();
        state.totals.extend(self.bounds.iter().map(amounts));
    }

    fn genome<'a>(&self, state: &'a State) -> &'a [u32] {
        &state.genome
    }

    fn eval(&self, state: &State) -> Score {
        self.score(state.quality, state.totals.iter().copied())
    }

    /// Replicas belong to their service.
    fn exchanges(&self) -> bool {
        false
    }

    fn delta(&self, state: &State, change: Move) -> Option<Score> {
        let Move::Set { item, value } = change else { return None };
        let old = state.genome[item];
        let gain = self.contribution(&state.genome, item, value) - self.contribution(&state.genome, item, old);
        let totals = state.totals.iter().zip(&self.bounds);
        let totals = totals.map(|(total, bound)| total - bound.amount(item, old) + bound.amount(item, value));
        Some(self.score(state.quality + gain, totals))
    }

    fn apply(&self, state: &mut State, change: Move) {
        let Move::Set { item, value } = change else { return };
        let old = state.genome[item];
        state.quality += self.contribution(&state.genome, item, value) - self.contribution(&state.genome, item, old);
        for (total, bound) in state.totals.iter_mut().zip(&self.bounds) {
            *total += bound.amount(item, value) - bound.amount(item, old);
        }
        state.genome[item] = value;
    }

    /// `η`: what the replica is worth, with the ways to the replicas that are chosen already.
    #[inline]
    fn heuristic(&self, state: &State, item: usize, value: u32) -> f64 {
        self.contribution(&state.genome, item, value).max(self.least_attraction)
    }

    /// Visits the services in cyclic order from a random start and gives each the replica of least cost, until all
    /// bounds hold.
    fn repair(&self, state: &mut State, rng: &mut Rng) {
        let items = self.items() as u32;
        let start = rng.below(items);
        for item in (start..items).chain(0..start).map(|item| item as usize) {
            if self.eval(state).is_feasible() {
                return;
            }
            if let Some(choice) = least_cost(self, state, item, &Scalarisation::default()) {
                self.apply(state, Move::Set { item, value: choice.value });
            }
        }
    }
}

#[cfg(test)]
mod tests;
