//! A walk from solution to solution by random moves, and the best it met.
//!
//! Promises: genes stay in their domains; the best is no worse than where the walk started; nothing but the state, the
//! genome of the best and a short trail is held, so memory is linear in the items. Must not know: when to stop.

use std::ops::ControlFlow;

use super::cooling::{Cooling, LARGEST, exponential};
use super::trail::Trail;
use crate::budget::{Meter, TerminationReason};
use crate::individual::Individual;
use crate::problem::{Move, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::{Cost, Score};

/// Moves that are tried to see what a move changes. The mean of so many is good to ten per cent.
const SAMPLES: u64 = 1_000;

/// One move in so many gives an item another value; the others exchange two items. Measured on placements: 2 to 10 are
/// about as good on small ones, and on large ones exchanges find more. Where items cannot be exchanged, every move does.
const SET_EVERY: u64 = 4;

/// By how much the penalty changes at a step of the temperature: over 1,024 steps it can go anywhere, and within a few
/// it hardly moves.
const PENALTY_STEP: f64 = 1.05;

/// Temperature steps between two reports.
const REPORT_EVERY: usize = 32;

/// What a report is told: the best score, the value where the walk stands, and the evaluations spent.
pub(crate) type Report<'a> = &'a mut dyn FnMut(Score, f64, u64);

/// What random moves do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unit {
    /// Mean change of the value, up or down.
    pub(crate) change: f64,
    /// Mean growth of the violation, of the moves that make it grow.
    overflow: f64,
}

impl Unit {
    /// The penalty at which a mean overflow costs a mean change.
    pub(crate) fn penalty(&self) -> f64 {
        if self.overflow > 0.0 && self.change > 0.0 { self.change / self.overflow } else { 1.0 }
    }
}

/// The walk.
pub(crate) struct Walk<'a, P: Problem> {
    problem: &'a P,
    by: Scalarisation,
    state: P::State,
    cost: Cost,
    energy: f64,
    penalty: f64,
    trail: Trail,
}

impl<'a, P: Problem> Walk<'a, P> {
    pub(crate) fn new(problem: &'a P, by: Scalarisation, start: &Individual) -> Self {
        let cost = by.cost(&start.score);
        let trail = Trail::new(&start.genome, cost, start.score);
        Self { problem, by, state: problem.build(&start.genome), cost, energy: cost.value, penalty: 1.0, trail }
    }

    /// Goes elsewhere; the best stays.
    pub(crate) fn restart(&mut self, genome: &[u32]) {
        self.trail.best(self.problem.genome(&self.state));
        self.problem.rebuild(&mut self.state, genome);
        let score = self.problem.eval(&self.state);
        self.cost = self.by.cost(&score);
        self.arrive_if_best(score);
    }

    /// Goes back to the best.
    pub(crate) fn turn_back(&mut self) {
        let genome = self.trail.best(self.problem.genome(&self.state));
        self.problem.rebuild(&mut self.state, genome);
        self.cost = self.by.cost(&self.problem.eval(&self.state));
    }

    /// Goes elsewhere and forgets the best.
    pub(crate) fn begin(&mut self, genome: &[u32]) {
        self.restart(genome);
        self.trail = Trail::new(genome, self.cost, self.problem.eval(&self.state));
    }

    pub(crate) const fn set_penalty(&mut self, penalty: f64) {
        self.penalty = penalty;
    }

    /// The best of the walk, evaluated afresh: the sums behind a state round.
    pub(crate) fn best(&mut self) -> Individual {
        let genome = self.trail.best(self.problem.genome(&self.state)).to_vec();
        Individual::evaluate(self.problem, genome)
    }

    /// What random moves do where the walk stands.
    pub(crate) fn measure(&self, meter: &mut Meter<'_>, rng: &mut Rng) -> ControlFlow<TerminationReason, Unit> {
        let (mut change, mut moves, mut overflow, mut overflows) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..SAMPLES {
            meter.spend()?;
            let cost =
                self.draw(rng).and_then(|change| self.problem.delta_cost(&self.state, change, &self.by, f64::INFINITY));
            let Some(cost) = cost else { continue };
            let (difference, growth) = ((cost.value - self.cost.value).abs(), cost.violation - self.cost.violation);
            if difference.is_finite() {
                (change, moves) = (change + difference, moves + 1.0);
            }
            if growth > 0.0 && growth.is_finite() {
                (overflow, overflows) = (overflow + growth, overflows + 1.0);
            }
        }
        let mean = |sum: f64, count: f64| if count > 0.0 { sum / count } else { 0.0 };
        ControlFlow::Continue(Unit { change: mean(change, moves), overflow: mean(overflow, overflows) })
    }

    /// Walks while it cools down.
    pub(crate) fn anneal(
        &mut self,
        cooling: &Cooling,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
        report: Report<'_>,
    ) -> ControlFlow<TerminationReason> {
        for (step, (temperature, moves)) in cooling.steps().enumerate() {
            self.energy = self.energy_of(&self.cost);
            for _ in 0..moves {
                meter.spend()?;
                self.step(temperature, rng);
            }
            self.penalty =
                if self.cost.violation > 0.0 { self.penalty * PENALTY_STEP } else { self.penalty / PENALTY_STEP };
            if step % REPORT_EVERY == 0 {
                report(self.trail.score, self.cost.value, meter.spent());
            }
        }
        report(self.trail.score, self.cost.value, meter.spent());
        ControlFlow::Continue(())
    }

    /// Walks so many moves that gain something and break no limit further.
    pub(crate) fn descend(
        &mut self,
        moves: u64,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
    ) -> ControlFlow<TerminationReason> {
        for _ in 0..moves {
            meter.spend()?;
            let Some(change) = self.draw(rng) else { continue };
            let most = if self.cost.violation > 0.0 { f64::INFINITY } else { self.cost.value };
            let Some(cost) = self.problem.delta_cost(&self.state, change, &self.by, most) else { continue };
            if cost < self.cost {
                self.take(change, cost);
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn step(&mut self, temperature: f64, rng: &mut Rng) {
        let Some(change) = self.draw(rng) else { return };
        let most = self.energy + temperature * LARGEST;
        let Some(cost) = self.problem.delta_cost(&self.state, change, &self.by, most) else { return };
        let energy = self.energy_of(&cost);
        let rise = energy - self.energy;
        // What is not a number passes no comparison, so a walk never goes there.
        let takes = rise <= 0.0 || (rise < temperature * LARGEST && rise <= temperature * exponential(rng.bits()));
        if takes {
            self.energy = energy;
            self.take(change, cost);
        }
    }

    #[inline]
    fn energy_of(&self, cost: &Cost) -> f64 {
        cost.value + self.penalty * cost.violation
    }

    /// A random move that is legal and changes something.
    #[allow(clippy::inline_always, reason = "through memory a move is written in parts and read whole, which stalls")]
    #[inline(always)]
    fn draw(&self, rng: &mut Rng) -> Option<Move> {
        let items = self.problem.items() as u32;
        let genome = self.problem.genome(&self.state);
        let item = rng.below(items) as usize;
        if !self.problem.exchanges() || rng.bits().is_multiple_of(SET_EVERY) {
            let value = self.problem.domain(item).draw(rng);
            return (genome[item] != value).then_some(Move::Set { item, value });
        }
        let second = rng.below(items) as usize;
        let (one, other) = (genome[item], genome[second]);
        let fits = |item: usize, value: u32| self.problem.domain(item).contains(value);
        (one != other && fits(item, other) && fits(second, one)).then_some(Move::Swap { first: item, second })
    }

    #[inline]
    fn take(&mut self, change: Move, cost: Cost) {
        // The whole score is asked for again where it is kept: a new best is rare beside the moves that are looked at.
        let best = if cost < self.trail.cost { self.problem.delta(&self.state, change) } else { None };
        self.trail.leave(self.problem.genome(&self.state), change);
        self.problem.apply(&mut self.state, change);
        self.cost = cost;
        if let Some(score) = best {
            self.trail.arrive(cost, score);
        }
    }

    #[inline]
    fn arrive_if_best(&mut self, score: Score) {
        if self.cost < self.trail.cost {
            self.trail.arrive(self.cost, score);
        }
    }
}
