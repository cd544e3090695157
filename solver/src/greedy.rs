//! Constrained-first greedy: items with few choices first, then large ones.
//!
//! Promises: a legal solution whenever domains are not empty, in one pass over items and their values, and the same
//! every time. Searches that start from it return nothing worse. Must not know: chance.

use crate::budget::{Budget, TerminationReason};
use crate::individual::Individual;
use crate::observer::Observer;
use crate::problem::{Genome, Move, Problem, UNASSIGNED};
use crate::rng::Rng;
use crate::scalarise::Scalarisation;
use crate::solver::{Evolution, SolveError, Solver, check};

/// The greedy as a solver: completes each seed and the empty solution, and returns the best of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greedy {
    /// How several objectives count; by default the first alone.
    pub scalarisation: Scalarisation,
}

impl<P: Problem> Solver<P> for Greedy {
    fn solve(
        &self,
        problem: &P,
        seeds: &[Genome],
        _budget: Budget<'_>,
        _rng: &mut Rng,
        _observer: &mut dyn Observer,
    ) -> Result<Evolution, SolveError> {
        check(problem, seeds)?;
        let (best, evaluations) = best_start(problem, seeds, &self.scalarisation);
        let reason = if problem.items() == 0 { TerminationReason::Trivial } else { TerminationReason::Converged };
        Ok(Evolution::of_one(best, reason, 0, evaluations))
    }
}

/// The best of the greedy solution and the seeds, the latter completed; and the evaluations that it took.
pub(crate) fn best_start<P: Problem>(problem: &P, seeds: &[Genome], by: &Scalarisation) -> (Individual, u64) {
    let nothing = vec![UNASSIGNED; problem.items()];
    let starts = seeds.iter().chain([&nothing]);
    let mut evaluations = 0;
    let completed = starts.map(|start| {
        let (individual, spent) = complete(problem, start, by);
        evaluations += spent;
        individual
    });
    let best = completed.min_by_key(|individual| by.cost(&individual.score));
    (best.expect("invariant: the greedy solution is always there"), evaluations)
}

/// Gives every item of a partial solution that has no allowed value the one of least cost, and says how many values
/// were tried.
pub fn complete<P: Problem>(problem: &P, partial: &[u32], by: &Scalarisation) -> (Individual, u64) {
    let legal = |(item, &gene): (usize, &u32)| if problem.domain(item).contains(gene) { gene } else { UNASSIGNED };
    let genome: Genome = partial.iter().enumerate().map(legal).collect();
    let open: Vec<usize> = order(problem).into_iter().filter(|&item| genome[item] == UNASSIGNED).collect();
    let mut state = problem.build(&genome);
    let mut evaluations = 0;
    for item in open {
        evaluations += u64::from(problem.domain(item).len());
        if let Some(value) = problem.best_value(&state, item, by) {
            problem.apply(&mut state, Move::Set { item, value });
        }
    }
    (Individual::evaluate(problem, problem.genome(&state).to_vec()), evaluations)
}

/// Items by the size of their domain, smallest first; among equals the largest item first.
#[must_use]
pub fn order<P: Problem>(problem: &P) -> Vec<usize> {
    let mut order: Vec<usize> = (0..problem.items()).collect();
    let size: Vec<f64> = order.iter().map(|&item| problem.size(item)).collect();
    order.sort_by(|&a, &b| problem.domain(a).len().cmp(&problem.domain(b).len()).then(size[b].total_cmp(&size[a])));
    order
}
