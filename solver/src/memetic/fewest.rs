//! Fewest moves: as good as the best for practice, and more items stay.
//!
//! Promises: the result costs at most `practical` more than the best, never more than the start, and has no more
//! changes than the best has. Must not know: what a change costs whoever carries it out; all count the same.
//!
//! Three ways are tried, and the one with fewest changes is taken. *Forward*: from the previous solution, the best of
//! some random moves again and again, until the cost is low enough; the few moves that matter most come first.
//! *Anchored*: annealing from the previous solution with the number of changes as the value and the cost as a soft
//! limit, for where one cannot go straight. *Back*: from the best solution, changes that cost least are taken back; a
//! search exchanges equal items freely, and such exchanges cost nothing to undo. What the first two find is taken back
//! too.

mod anchored;

use std::ops::ControlFlow;

use crate::annealing::cooling::Cooling;
use crate::annealing::walk::Walk;
use crate::budget::{Meter, TerminationReason};
use crate::individual::Individual;
use crate::problem::{Genome, Move, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::Cost;
use anchored::Anchored;

/// Random moves of which the best one is taken: enough that it is one of the best few in a hundred.
const CHOICES: u64 = 300;

/// Temperatures and penalty of the anchored annealing, in the units of [`Annealing`](crate::annealing::Annealing). A
/// random move changes about one item, so it starts where a change less hardly counts and ends where it is decisive.
const HEAT: f64 = 0.3;
const COLD: f64 = 0.01;
const PENALTY: f64 = 10.0;

/// How much of the tolerance a single change may use up, pass by pass: what is nearly free is taken back first.
const SHARES: [f64; 4] = [0.0, 0.01, 0.1, 1.0];

/// Passes with the same share; each can make room for the next.
const REPEATS: usize = 3;

/// Exchanges that are tried to bring one item home.
const PARTNERS: usize = 64;

/// The previous solution.
pub(super) struct Previous<'a, P: Problem> {
    problem: &'a P,
    by: Scalarisation,
    /// Its genes; [`UNASSIGNED`] where it has none that is allowed.
    home: &'a [u32],
}

impl<'a, P: Problem> Previous<'a, P> {
    pub(super) const fn new(problem: &'a P, home: &'a [u32], by: Scalarisation) -> Self {
        Self { problem, by, home }
    }

    /// The solution of fewest changes that is found with at most `practical` more than the best's value, and no more
    /// than the start's. `unchanged` is the previous solution, completed. The best itself if nothing is left of the
    /// budget.
    pub(super) fn keep(
        &self,
        best: Individual,
        start: &Individual,
        unchanged: Individual,
        practical: f64,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
    ) -> Individual {
        let (at_best, at_start) = (self.by.cost(&best.score), self.by.cost(&start.score));
        let limit = Cost { value: at_best.value + practical, ..at_best }.min(at_start).max(at_best);
        let mut found = vec![];
        if self.by.cost(&unchanged.score) > limit {
            // Whatever ends the budget on the way leaves solutions as good as the limit asks.
            let _ = self.ways(&best, &unchanged, &limit, &mut found, meter, rng);
        } else {
            found.push(unchanged);
        }
        let kept = |individual: &Individual| self.by.cost(&individual.score) <= limit;
        let candidates = std::iter::once(best).chain(found.into_iter().filter(kept));
        let fewest = candidates.min_by_key(|individual| self.changes(&individual.genome));
        fewest.expect("invariant: the best is one of them")
    }

    fn ways(
        &self,
        best: &Individual,
        unchanged: &Individual,
        limit: &Cost,
        found: &mut Vec<Individual>,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
    ) -> ControlFlow<TerminationReason> {
        let mut state = self.problem.build(&best.genome);
        let mut keep = |state: &mut P::State, meter: &mut Meter<'_>| {
            found.push(Individual::evaluate(self.problem, self.problem.genome(state).to_vec()));
            let ended = self.back(state, limit, meter);
            found.push(Individual::evaluate(self.problem, self.problem.genome(state).to_vec()));
            ended
        };
        keep(&mut state, meter)?;
        self.problem.rebuild(&mut state, &unchanged.genome);
        if self.forward(&mut state, limit, meter, rng)? {
            keep(&mut state, meter)?;
        }
        let anchored = self.anchored(unchanged, limit, meter, rng)?;
        self.problem.rebuild(&mut state, &anchored);
        keep(&mut state, meter)
    }

    /// The fewest changes that an annealing from the previous solution finds; it takes nine tenths of what is left.
    fn anchored(
        &self,
        unchanged: &Individual,
        limit: &Cost,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
    ) -> ControlFlow<TerminationReason, Genome> {
        let excess = self.by.value(&unchanged.score.objectives) - limit.value;
        let excess_unit = if excess > 0.0 { 1.0 / excess } else { 1.0 };
        let Self { problem, by, home } = *self;
        let anchored = Anchored { problem, by, home, limit: limit.value, excess_unit };
        let start = Individual::evaluate(&anchored, unchanged.genome.clone());
        let mut walk = Walk::new(&anchored, Scalarisation::Single(0), &start);
        let unit = walk.measure(meter, rng)?;
        walk.set_penalty(PENALTY * unit.penalty());
        let cooling = Cooling::new(HEAT * unit.change, COLD * unit.change, meter.left() / 10 * 9);
        walk.anneal(&cooling, meter, rng, &mut |_, _, _| ())?;
        ControlFlow::Continue(walk.best().genome)
    }

    /// How many items are not at home, of those that have one.
    fn changes(&self, genome: &[u32]) -> usize {
        (0..genome.len()).filter(|&item| self.is_away(genome, item)).count()
    }

    fn is_away(&self, genome: &[u32], item: usize) -> bool {
        genome[item] != self.home[item] && self.has_home(item)
    }

    fn has_home(&self, item: usize) -> bool {
        self.home[item] != UNASSIGNED && self.problem.domain(item).contains(self.home[item])
    }

    fn cost_after(&self, state: &P::State, change: Move) -> Option<Cost> {
        self.problem.delta(state, change).map(|score| self.by.cost(&score))
    }

    /// Moves until the limit is kept; whether it could be. Only moves that gain are taken.
    fn forward(
        &self,
        state: &mut P::State,
        limit: &Cost,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
    ) -> ControlFlow<TerminationReason, bool> {
        loop {
            let mut best = self.by.cost(&self.problem.eval(state));
            if best <= *limit {
                return ControlFlow::Continue(true);
            }
            let mut choice = None;
            for _ in 0..CHOICES {
                meter.spend()?;
                let Some(change) = self.draw(state, rng) else { continue };
                let Some(cost) = self.cost_after(state, change).filter(|cost| *cost < best) else { continue };
                (best, choice) = (cost, Some(change));
            }
            match choice {
                Some(change) => self.problem.apply(state, change),
                None => return ControlFlow::Continue(false),
            }
        }
    }

    fn draw(&self, state: &P::State, rng: &mut Rng) -> Option<Move> {
        let (items, genome) = (self.problem.items() as u32, self.problem.genome(state));
        let item = rng.below(items) as usize;
        if !self.problem.exchanges() || rng.chance(0.5) {
            return Some(Move::Set { item, value: self.problem.domain(item).draw(rng) });
        }
        let second = rng.below(items) as usize;
        self.may_swap(genome, item, second).then_some(Move::Swap { first: item, second })
    }

    fn may_swap(&self, genome: &[u32], first: usize, second: usize) -> bool {
        let (one, other) = (genome[first], genome[second]);
        one != other && self.problem.domain(first).contains(other) && self.problem.domain(second).contains(one)
    }

    /// Brings items home as long as the limit is kept.
    fn back(&self, state: &mut P::State, limit: &Cost, meter: &mut Meter<'_>) -> ControlFlow<TerminationReason> {
        let slack = (limit.value - self.by.cost(&self.problem.eval(state)).value).max(0.0);
        for share in SHARES {
            for _ in 0..REPEATS {
                if !self.pass(state, share * slack, limit, meter)? {
                    break;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Tries to bring each item home once; whether one came.
    fn pass(
        &self,
        state: &mut P::State,
        most: f64,
        limit: &Cost,
        meter: &mut Meter<'_>,
    ) -> ControlFlow<TerminationReason, bool> {
        let mut away: Vec<usize> =
            (0..self.problem.items()).filter(|&item| self.is_away(self.problem.genome(state), item)).collect();
        // Those that may make room for an item are the ones at its home; sorted, they lie side by side.
        let position = |genome: &[u32], item: usize| (genome[item], item);
        away.sort_by_key(|&item| position(self.problem.genome(state), item));
        let values: Vec<u32> = away.iter().map(|&item| self.problem.genome(state)[item]).collect();
        let mut came = false;
        for &item in &away {
            let home = self.home[item];
            let guests = &away[values.partition_point(|&value| value < home)..values.partition_point(|&v| v <= home)];
            let partners = if self.problem.exchanges() { PARTNERS } else { 0 };
            let exchanges = guests.iter().take(partners).map(|&second| Move::Swap { first: item, second });
            let mut best: Option<(Cost, Move)> = None;
            for change in [Move::Set { item, value: home }].into_iter().chain(exchanges) {
                meter.spend()?;
                if !self.leads_home(self.problem.genome(state), change) {
                    continue;
                }
                let Some(cost) = self.cost_after(state, change) else { continue };
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, change));
                }
            }
            let now = self.by.cost(&self.problem.eval(state)).value;
            if let Some((cost, change)) = best.filter(|(cost, _)| cost <= limit && cost.value <= now + most) {
                debug_assert!(cost.violation <= limit.violation, "a limit is kept in violation too");
                self.problem.apply(state, change);
                came = true;
            }
        }
        ControlFlow::Continue(came)
    }

    /// Whether a move brings its first item home and takes no other one away from there.
    fn leads_home(&self, genome: &[u32], change: Move) -> bool {
        match change {
            Move::Set { item, value } => genome[item] != value,
            Move::Swap { first, second } => {
                genome[second] == self.home[first]
                    && genome[first] != self.home[first]
                    && self.is_away(genome, second)
                    && self.may_swap(genome, first, second)
            }
        }
    }
}
