//! Drawing uniformly and keeping the best: what every method must beat.
//!
//! Promises: one evaluation is one solution drawn. Must not know: the problem.

use std::ops::ControlFlow;

use gantry_solver::budget::Budget;
use gantry_solver::individual::Individual;
use gantry_solver::observer::{Generation, Observer};
use gantry_solver::problem::{Genome, Problem};
use gantry_solver::rng::Rng;
use gantry_solver::solver::{Evolution, SolveError, Solver};

/// Evaluations from one record to the next.
const ROUND: u64 = 100;

/// The method that has no idea.
pub(super) struct Draw;

impl<P: Problem> Solver<P> for Draw {
    fn solve(
        &self,
        problem: &P,
        _seeds: &[Genome],
        budget: Budget<'_>,
        rng: &mut Rng,
        observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        let mut draw = || {
            let genome = (0..problem.items()).map(|item| problem.domain(item).draw(rng)).collect();
            Individual::evaluate(problem, genome)
        };
        let (mut best, mut meter) = (draw(), budget.meter());
        loop {
            if let ControlFlow::Break(reason) = meter.spend() {
                return Ok(Evolution::of_one(best, reason, meter.spent() / ROUND, meter.spent()));
            }
            let drawn = draw();
            if drawn.score.dominates(&best.score) {
                best = drawn;
            }
            if meter.spent().is_multiple_of(ROUND) {
                observer.generation(&record(&best, meter.spent()));
            }
        }
    }
}

fn record(best: &Individual, evaluations: u64) -> Generation {
    let value = best.score.objectives.as_slice()[0];
    Generation {
        number: evaluations / ROUND,
        evaluations,
        best: best.score,
        lowest: value,
        mean: value,
        highest: value,
    }
}
