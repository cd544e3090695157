//! Setting quotas: as tight as possible, as loose as response needs.
//!
//! Promises: a gene is one resource of one pod, real for all practical purposes (a millionth of its range); quotas of a
//! node never count as feasible beyond its capacity; a move is evaluated in constant time. Must not know: where the
//! forecast of the use comes from, nor how a quota reaches a pod.
//!
//! The model, in the notation of the source (quotas by a forecast and a genetic algorithm), with marks \[P\] printed,
//! \[R\] reconstructed, \[I\] interpreted:
//!
//! - gene \[P\]: the cpu and the memory quota of each pod; \[I\] the source's optional gene for the number of replicas is
//!   left out, since nothing in (6) to (10) depends on it. Item `2p` is pod `p`'s cpu, item `2p + 1` its memory;
//! - eq. (8), (9) \[P\]: `U = used / quota`, "used" being the forecast for the next minutes; \[I\] `U_cpu` and `U_mem` are
//!   means over the pods;
//! - eq. (6), (7) \[P\]: `F = α·U_cpu + β·U_mem - γ·R` is maximised, so the objective here is `-F`;
//! - `R` has no model in the source. \[I\] It is the mean of `r(u) = min(1, r_0/(1-u))` over pods and resources. A quota at
//!   or below the use throttles or kills, so the domain is `[1.02, 2.7]` times the use \[I\];
//! - \[I\] optional hard limits: the quotas on a node sum up to no more than its capacity.

mod error;
mod objective;
mod state;

pub use error::QuotaError;
pub use objective::QuotaObjective;
pub use state::State;

use crate::domain::{Domain, Interval};
use crate::problem::{Choice, Genome, Move, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Objectives, Score};
use state::{Change, FULL};

/// How many resources a pod has a quota for: 0 cpu, 1 memory.
pub const RESOURCES: usize = 2;

/// Cpu and memory of one pod or node, in any unit that is kept.
pub type Amounts = [f64; RESOURCES];

/// After this many moves the worth is summed anew: rounding errors grow with the moves.
const RESUM: u32 = 1 << 20;

/// No node may be promised more than this many times: the counts stay exact.
const MOST_PROMISED: f64 = 4_096.0;

/// Where quotas lie, in units of the forecast use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaRange {
    /// The least quota, at least 1. Default 1.02: at 1 a pod throttles.
    pub low: f64,
    /// The largest quota, at least `low`, at most 1e6. Default 2.7.
    pub high: f64,
    /// Steps of the grid between them, 1 to 10^9. Default 1,000,000.
    pub levels: u32,
}

impl Default for QuotaRange {
    fn default() -> Self {
        Self { low: 1.02, high: 2.7, levels: 1_000_000 }
    }
}

impl QuotaRange {
    fn check(&self) -> Result<(), QuotaError> {
        let Self { low, high, levels } = *self;
        let sound = low >= 1.0 && low <= high && high <= 1e6 && (1..=1_000_000_000).contains(&levels);
        if sound { Ok(()) } else { Err(QuotaError::Range { low, high, levels }) }
    }

    /// The quotas for a forecast. A range of one quota has a grid of one level.
    fn of(&self, used: f64) -> Result<Interval, QuotaError> {
        let (low, high) = (self.low * used, self.high * used);
        let step = if high > low { (high - low) / f64::from(self.levels) } else { low };
        Ok(Interval::new(low, high, step)?)
    }
}

/// The nodes that the pods are on.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits<'a> {
    /// What each node has for these pods, above 0.
    pub capacities: &'a [Amounts],
    /// The node of each pod.
    pub node_by_pod: &'a [u32],
}

/// One gene's quota.
#[derive(Clone, Copy, Debug)]
struct Item {
    used: f64,
    quotas: Interval,
    /// The place in [`State::given`], and how much of it a quota of 1 takes.
    slot: Option<usize>,
    scale: f64,
}

/// The quota problem.
#[derive(Clone, Debug)]
pub struct QuotaTuning {
    objective: QuotaObjective,
    items: Vec<Item>,
    items_by_slot: Vec<Vec<usize>>,
}

impl QuotaTuning {
    /// Quotas for pods with the given forecast use, without limits of nodes.
    ///
    /// # Errors
    /// [`QuotaError`] if a forecast is not above 0, or range or weights make no sense.
    pub fn new(used: &[Amounts], range: QuotaRange, objective: QuotaObjective) -> Result<Self, QuotaError> {
        range.check()?;
        objective.check()?;
        let item = |(index, &used): (usize, &f64)| {
            if used > 0.0 && used.is_finite() {
                return Ok(Item { used, quotas: range.of(used)?, slot: None, scale: 0.0 });
            }
            Err(QuotaError::Used { pod: index / RESOURCES, resource: index % RESOURCES, value: used })
        };
        let items = used.as_flattened().iter().enumerate().map(item).collect::<Result<_, _>>()?;
        Ok(Self { objective, items, items_by_slot: Vec::new() })
    }

    /// The same problem with the capacities of nodes as hard limits.
    ///
    /// # Errors
    /// [`QuotaError`] if not every pod has a node that exists, or a capacity is not above 0 or absurdly small.
    pub fn with_nodes(mut self, nodes: &NodeLimits<'_>) -> Result<Self, QuotaError> {
        let (expected, found) = (self.pods(), nodes.node_by_pod.len());
        if expected != found {
            return Err(QuotaError::Length { column: "node_by_pod", expected, found });
        }
        let mut items_by_slot = vec![Vec::new(); nodes.capacities.len() * RESOURCES];
        for (index, item) in self.items.iter_mut().enumerate() {
            let (pod, resource) = (index / RESOURCES, index % RESOURCES);
            let node = nodes.node_by_pod[pod];
            let capacities = nodes.capacities.get(node as usize).ok_or(QuotaError::UnknownNode { pod, node })?;
            let slot = node as usize * RESOURCES + resource;
            (item.slot, item.scale) = (Some(slot), FULL as f64 / capacities[resource]);
            items_by_slot[slot].push(index);
        }
        self.items_by_slot = items_by_slot;
        self.check_capacities(nodes.capacities)?;
        Ok(self)
    }

    fn check_capacities(&self, capacities: &[Amounts]) -> Result<(), QuotaError> {
        for (slot, &value) in capacities.as_flattened().iter().enumerate() {
            let most: f64 = self.items_by_slot[slot].iter().map(|&item| self.items[item].quotas.high()).sum();
            if !(value > 0.0 && value.is_finite() && most <= MOST_PROMISED * value) {
                return Err(QuotaError::Capacity { node: slot / RESOURCES, resource: slot % RESOURCES, value });
            }
        }
        Ok(())
    }

    /// The number of pods.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.items.len() / RESOURCES
    }

    /// What is weighed against what.
    #[must_use]
    pub const fn objective(&self) -> &QuotaObjective {
        &self.objective
    }

    /// The quotas of a solution, pod by pod; 0 where a gene is [`UNASSIGNED`].
    #[must_use]
    pub fn quotas(&self, genome: &[u32]) -> Vec<Amounts> {
        let quota = |(item, &gene): (&Item, &u32)| if gene == UNASSIGNED { 0.0 } else { item.quotas.real(gene) };
        let quotas: Vec<f64> = self.items.iter().zip(genome).map(quota).collect();
        quotas.as_chunks().0.to_vec()
    }

    /// A seed from quotas that were set before, each moved to the nearest one that is allowed.
    ///
    /// # Errors
    /// [`QuotaError::Length`] unless there is one entry a pod.
    pub fn seed(&self, quotas: &[Amounts]) -> Result<Genome, QuotaError> {
        let (expected, found) = (self.pods(), quotas.len());
        if expected != found {
            return Err(QuotaError::Length { column: "quotas", expected, found });
        }
        Ok(self.items.iter().zip(quotas.as_flattened()).map(|(item, &quota)| item.quotas.level(quota)).collect())
    }

    /// `U_cpu` and `U_mem` of a solution, 0 to 1, eq. (8) and (9): means over the pods; an [`UNASSIGNED`] gene counts 0.
    #[must_use]
    pub fn utilisation(&self, genome: &[u32]) -> Amounts {
        let mut sums = [0.0; RESOURCES];
        for (index, (item, &gene)) in self.items.iter().zip(genome).enumerate() {
            if gene != UNASSIGNED {
                sums[index % RESOURCES] += item.used / item.quotas.real(gene);
            }
        }
        sums.map(|sum| sum / self.pods().max(1) as f64)
    }

    /// A gene's part of the worth and of its node.
    fn part(&self, index: usize, gene: u32) -> (f64, i64) {
        if gene == UNASSIGNED {
            return (0.0, 0);
        }
        let item = &self.items[index];
        let quota = item.quotas.real(gene);
        let worth = self.objective.worth(index % RESOURCES, item.used / quota);
        (worth, (quota * item.scale).round() as i64)
    }

    fn change(&self, index: usize, from: u32, to: u32) -> Change {
        let (old, new) = (self.part(index, from), self.part(index, to));
        Change { worth: new.0 - old.0, given: new.1 - old.1, slot: self.items[index].slot }
    }

    fn score(&self, worth: f64, excess: i64) -> Score {
        let fitness = worth / self.pods().max(1) as f64;
        Score { violation: excess as f64 / FULL as f64, objectives: Objectives::single(-fitness) }
    }

    /// Levels one of which is the best for an unassigned item: the ends, those around the peak of its worth, and those
    /// around the largest quota that its node still has room for. Ascending.
    fn candidates(&self, state: &State, index: usize) -> Vec<u32> {
        let item = &self.items[index];
        let peak = self.objective.peak(index % RESOURCES);
        let wished = if peak > 0.0 { item.used / peak } else { item.quotas.high() };
        let room = item.slot.map_or(item.quotas.high(), |slot| (FULL - state.given[slot]) as f64 / item.scale);
        let around = |quota: f64| {
            let level = item.quotas.level(quota);
            [level.saturating_sub(1), level, level.saturating_add(1)]
        };
        let last = item.quotas.levels() - 1;
        let mut levels: Vec<u32> = [[0, 0, last], around(wished), around(room)].concat();
        levels.retain(|&level| level <= last);
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    /// Takes from the pods on an over-full node, the same part of what each has above its least quota.
    fn shrink(&self, state: &mut State, slot: usize) {
        let given = |item: &&usize| state.genome[**item] != UNASSIGNED;
        let items: Vec<usize> = self.items_by_slot[slot].iter().filter(given).copied().collect();
        let least: i64 = items.iter().map(|&item| self.part(item, 0).1).sum();
        // Each count is rounded before and after, so two units a pod are left over.
        let spare = (FULL - least - 2 * items.len() as i64).max(0);
        let above = state.given[slot] - least;
        let share = if above > spare { spare as f64 / above as f64 } else { 1.0 };
        for item in items {
            let value = (f64::from(state.genome[item]) * share) as u32;
            self.apply(state, Move::Set { item, value });
        }
    }
}

impl Problem for QuotaTuning {
    type State = State;

    fn items(&self) -> usize {
        self.items.len()
    }

    fn domain(&self, item: usize) -> Domain<'_> {
        Domain::Interval(self.items[item].quotas)
    }

    fn objectives(&self) -> usize {
        1
    }

    fn build(&self, genome: &[u32]) -> State {
        let mut state = State::empty(self.items_by_slot.len());
        self.rebuild(&mut state, genome);
        state
    }

    fn rebuild(&self, state: &mut State, genome: &[u32]) {
        state.genome.clear();
        state.genome.extend_from_slice(genome);
        state.given.fill(0);
        (state.worth, state.excess, state.moves) = (0.0, 0, 0);
        for (index, &gene) in genome.iter().enumerate() {
            state.carry_out(&self.change(index, UNASSIGNED, gene));
        }
    }

    fn genome<'a>(&self, state: &'a State) -> &'a [u32] {
        &state.genome
    }

    fn eval(&self, state: &State) -> Score {
        self.score(state.worth, state.excess)
    }

    /// A level belongs to its own item's range.
    fn exchanges(&self) -> bool {
        false
    }

    fn delta(&self, state: &State, change: Move) -> Option<Score> {
        let Move::Set { item, value } = change else { return None };
        let change = self.change(item, state.genome[item], value);
        Some(self.score(state.worth + change.worth, state.excess_after(&change)))
    }

    fn apply(&self, state: &mut State, change: Move) {
        let Move::Set { item, value } = change else { return };
        state.carry_out(&self.change(item, state.genome[item], value));
        state.genome[item] = value;
        state.moves += 1;
        if state.moves >= RESUM {
            let genome = std::mem::take(&mut state.genome);
            self.rebuild(state, &genome);
        }
    }

    /// One over one plus what the gene falls short of full utilisation without any response time.
    fn heuristic(&self, _state: &State, item: usize, value: u32) -> f64 {
        let best = self.objective.weight(item % RESOURCES);
        1.0 / (1.0 + best - self.part(item, value).0)
    }

    /// The worth has one peak, so a handful of levels decides; and there is one objective only.
    fn best_value(&self, state: &State, item: usize, by: &Scalarisation) -> Option<Choice> {
        let cost = |&value: &u32| self.delta(state, Move::Set { item, value }).map(|score| by.cost(&score));
        let candidates = self.candidates(state, item);
        let evaluations = candidates.len() as u64;
        candidates.into_iter().min_by_key(cost).map(|value| Choice { value, evaluations })
    }

    /// Every over-full node takes the same part of what its pods have above their least quota. Nothing helps where even
    /// the least quotas are too many.
    fn repair(&self, state: &mut State, _rng: &mut Rng) {
        for slot in 0..state.given.len() {
            if state.given[slot] > FULL {
                self.shrink(state, slot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
