//! Local search: set one item or exchange two, as long as that is better.
//!
//! Promises: starts from the best of the greedy solution and the seeds, so it is never worse than either at any
//! budget; anytime; ends by itself in a local optimum, whatever the budget. Must not know: the problem.
//!
//! Moves are drawn at random until none of about as many as there are has helped; then all of them are tried in order,
//! and only if none helps the search has converged.

use std::ops::ControlFlow;

use crate::budget::{Budget, Meter, TerminationReason};
use crate::greedy::best_start;
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Move, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::Cost;
use crate::solver::{Evolution, SolveError, Solver, check};

/// A move must gain more than this part of the starting value. Less is rounding, and would let a search go in circles.
const LEAST_GAIN: f64 = 1e-10;

/// Moves tried between two calls of the observer.
const ROUND: u64 = 65_536;

/// The local search. One evaluation of the budget is one move tried, the start's among them, or work of the start that
/// takes as long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LocalSearch {
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
}

impl<P: Problem> Solver<P> for LocalSearch {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        check(problem, seeds, Some(&self.scalarisation))?;
        let (start, spent) = best_start(problem, seeds, &self.scalarisation);
        let mut climb = Climb::new(problem, self.scalarisation, &start, budget.after(spent).meter(), rng, observer);
        let ControlFlow::Break(reason) = climb.run();
        // The sums behind a state round; what is returned is evaluated afresh, and not taken if that makes it worse.
        let found = Individual::evaluate(problem, problem.genome(&climb.state).to_vec());
        let cost = |individual: &Individual| self.scalarisation.cost(&individual.score);
        let best = if cost(&found) < cost(&start) { found } else { start };
        Ok(Evolution::of_one(best, reason, climb.rounds, spent + climb.meter.spent()))
    }
}

/// A search under way.
struct Climb<'a, P: Problem> {
    problem: &'a P,
    scalarisation: Scalarisation,
    state: P::State,
    cost: Cost,
    least_gain: f64,
    meter: Meter<'a>,
    rng: &'a mut Rng,
    observer: &'a mut dyn Observer,
    rounds: u64,
}

/// What a search that only ever ends by breaking off returns.
type Ended = ControlFlow<TerminationReason, std::convert::Infallible>;

impl<'a, P: Problem> Climb<'a, P> {
    fn new(
        problem: &'a P,
        scalarisation: Scalarisation,
        start: &Individual,
        meter: Meter<'a>,
        rng: &'a mut Rng,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let state = problem.build(&start.genome);
        let cost = scalarisation.cost(&start.score);
        let least_gain = LEAST_GAIN * cost.value.abs();
        Self { problem, scalarisation, state, cost, least_gain, meter, rng, observer, rounds: 0 }
    }

    fn run(&mut self) -> Ended {
        self.report();
        let neighbours = self.neighbours();
        if neighbours == 0 {
            return ControlFlow::Break(TerminationReason::Trivial);
        }
        loop {
            self.wander(neighbours)?;
            if !self.sweep()? {
                return ControlFlow::Break(TerminationReason::Converged);
            }
        }
    }

    /// How many moves there are, exchanges included.
    fn neighbours(&self) -> u64 {
        let items = self.problem.items() as u64;
        let sets: u64 = (0..items as usize).map(|item| u64::from(self.problem.domain(item).len()) - 1).sum();
        let swaps = if self.problem.exchanges() { items * items.saturating_sub(1) / 2 } else { 0 };
        if sets == 0 { 0 } else { sets + swaps }
    }

    /// Random moves, until `patience` of them in a row gained nothing.
    fn wander(&mut self, patience: u64) -> ControlFlow<TerminationReason> {
        let items = self.problem.items() as u32;
        let mut in_vain = 0;
        while in_vain < patience {
            let item = self.rng.below(items) as usize;
            let change = if !self.problem.exchanges() || self.rng.bits() >> 63 == 0 {
                Move::Set { item, value: self.problem.domain(item).draw(self.rng) }
            } else {
                Move::Swap { first: item, second: self.rng.below(items) as usize }
            };
            in_vain = if self.attempt(change)? { 0 } else { in_vain + 1 };
        }
        ControlFlow::Continue(())
    }

    /// Every move once, in order; whether one of them gained something.
    fn sweep(&mut self) -> ControlFlow<TerminationReason, bool> {
        let mut gained = false;
        for item in 0..self.problem.items() {
            let domain = self.problem.domain(item);
            for index in 0..domain.len() {
                gained |= self.attempt(Move::Set { item, value: domain.value(index) })?;
            }
            for second in 0..if self.problem.exchanges() { item } else { 0 } {
                gained |= self.attempt(Move::Swap { first: item, second })?;
            }
        }
        ControlFlow::Continue(gained)
    }

    /// Carries a move out if it is legal and gains something.
    fn attempt(&mut self, change: Move) -> ControlFlow<TerminationReason, bool> {
        self.meter.spend()?;
        if self.meter.spent().is_multiple_of(ROUND) {
            self.rounds += 1;
            self.report();
        }
        if !self.is_legal(change) {
            return ControlFlow::Continue(false);
        }
        let Some(score) = self.problem.promising_delta(&self.state, change) else {
            return ControlFlow::Continue(false);
        };
        let cost = self.scalarisation.cost(&score);
        let gains = cost.improves_on(&self.cost, self.least_gain);
        if gains {
            self.problem.apply(&mut self.state, change);
            self.cost = cost;
        }
        ControlFlow::Continue(gains)
    }

    /// Sets are drawn from the domain; an exchange must suit both domains, and change something.
    fn is_legal(&self, change: Move) -> bool {
        let genome = self.problem.genome(&self.state);
        match change {
            Move::Set { item, value } => genome[item] != value,
            Move::Swap { first, second } => {
                let (one, other) = (genome[first], genome[second]);
                one != other && self.problem.domain(first).contains(other) && self.problem.domain(second).contains(one)
            }
        }
    }

    fn report(&mut self) {
        self.observer.generation(&Generation {
            number: self.rounds,
            evaluations: self.meter.spent(),
            best: self.problem.eval(&self.state),
            lowest: self.cost.value,
            mean: self.cost.value,
            highest: self.cost.value,
        });
    }
}
