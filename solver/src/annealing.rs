//! Simulated annealing with soft limits: through solutions that break them.
//!
//! Promises: genes stay in their domains; starts from the best of the greedy solution and the seeds, so it is never
//! worse than either at any budget; anytime. Must not know: the problem, nor in what unit its value is measured.
//!
//! Where limits are tight, no exchange of two items and no single move may be legal though a far better solution
//! exists: the limits take the space of solutions apart. So a broken limit is charged for and not refused. A move is
//! taken if it lowers the *energy*, the value plus the penalty times the violation, and otherwise with probability
//! `exp(-rise / T)` (Kirkpatrick, Gelatt, Vecchi 1983, doi:10.1126/science.220.4598.671). The temperature `T` falls
//! geometrically; the penalty rises while limits are broken and falls while they hold (strategic oscillation, Glover
//! 1986, doi:10.1016/0305-0548(86)90048-1), so no instance needs one of its own.
//!
//! Temperature and penalty are in units of what random moves do to the value and to the violation of the start, so one
//! set of parameters serves every problem. σ itself is annealed, not its square: measured on the placements of this
//! crate, both reach the same values, and then no problem has to say which of its objectives are roots.

pub(crate) mod cooling;
mod trail;
pub(crate) mod walk;

use std::ops::ControlFlow;

use crate::budget::{Budget, Meter, TerminationReason};
use crate::greedy::best_start;
use crate::individual::Individual;
use crate::observer::{Generation, Observer};
use crate::problem::{Genome, Problem};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::score::Score;
use crate::solver::{Evolution, SolveError, Solver, check};
use cooling::Cooling;
use walk::Walk;

/// The annealing. One evaluation of the budget is one move tried, the start's among them, or work of the start that
/// takes as long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Annealing {
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
    /// Temperature at the beginning, in units of what a random move changes; 0 to 1e6. Default 0.3; from 0.1 to 1 makes
    /// little difference, more forgets the start, less searches near it.
    pub heat: f64,
    /// Temperature at the end, in the same unit; 0 to 1e6. Default 1e-4, at which hardly a move is taken for the worse.
    pub cold: f64,
    /// Penalty at the beginning: how many times a random move's change of value its overflow costs; 0 to 1e9.
    /// Default 10.
    pub penalty: f64,
    /// How often it anneals, each time from the start; 1 to 1000. Default 4.
    pub runs: u32,
    /// The most moves of a run, in moves an item; above 0. Default 20,000, past which more runs gain more than longer
    /// ones.
    pub moves_per_item: u64,
}

impl Default for Annealing {
    fn default() -> Self {
        Self {
            scalarisation: Scalarisation::default(),
            heat: 0.3,
            cold: 1e-4,
            penalty: 10.0,
            runs: 4,
            moves_per_item: 20_000,
        }
    }
}

impl Annealing {
    fn check(&self) -> Result<(), SolveError> {
        let limits = [
            ("heat", self.heat, "0 to 1e6", (0.0..=1e6).contains(&self.heat)),
            ("cold", self.cold, "0 to 1e6", (0.0..=1e6).contains(&self.cold)),
            ("penalty", self.penalty, "0 to 1e9", (0.0..=1e9).contains(&self.penalty)),
            ("runs", f64::from(self.runs), "1 to 1000", (1..=1_000).contains(&self.runs)),
            ("moves_per_item", self.moves_per_item as f64, "at least 1", self.moves_per_item > 0),
        ];
        match limits.into_iter().find(|(.., sound)| !sound) {
            Some((name, value, allowed, _)) => Err(SolveError::Parameter { name, value, allowed }),
            None => Ok(()),
        }
    }

    /// Whether at least one item has a choice.
    fn is_open<P: Problem>(problem: &P) -> bool {
        (0..problem.items()).any(|item| problem.domain(item).len() > 1)
    }

    fn runs<P: Problem>(
        &self,
        walk: &mut Walk<'_, P>,
        start: &Individual,
        meter: &mut Meter<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> ControlFlow<TerminationReason> {
        let unit = walk.measure(meter, rng)?;
        let most = self.moves_per_item.saturating_mul(start.genome.len() as u64);
        for run in 0..self.runs {
            walk.restart(&start.genome);
            walk.set_penalty(self.penalty * unit.penalty());
            let moves = (meter.left() / u64::from(self.runs - run)).clamp(1, most);
            let cooling = Cooling::new(self.heat * unit.change, self.cold * unit.change, moves);
            let number = u64::from(run) + 1;
            let mut report = |best: Score, value: f64, spent: u64| {
                let best_value = self.scalarisation.value(&best.objectives);
                observer.generation(&Generation {
                    number,
                    evaluations: spent,
                    best,
                    lowest: best_value,
                    mean: value,
                    highest: value,
                });
            };
            walk.anneal(&cooling, meter, rng, &mut report)?;
        }
        ControlFlow::Continue(())
    }
}

impl<P: Problem> Solver<P> for Annealing {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        self.check()?;
        check(problem, seeds, Some(&self.scalarisation))?;
        let (start, spent) = best_start(problem, seeds, &self.scalarisation);
        if !Self::is_open(problem) {
            return Ok(Evolution::of_one(start, TerminationReason::Trivial, 0, spent));
        }
        let mut meter = budget.after(spent).meter();
        let mut walk = Walk::new(problem, self.scalarisation, &start);
        let reason = match self.runs(&mut walk, &start, &mut meter, rng, observer) {
            ControlFlow::Break(reason) => reason,
            ControlFlow::Continue(()) => TerminationReason::Generations,
        };
        let found = walk.best();
        let cost = |individual: &Individual| self.scalarisation.cost(&individual.score);
        let best = if cost(&found) < cost(&start) { found } else { start };
        Ok(Evolution::of_one(best, reason, u64::from(self.runs), spent + meter.spent()))
    }
}
