//! Random search: what evaluations are worth without a method.
//!
//! Promises: every solution is drawn independently, and keeps hard limits where a draw item by item can. Must not know:
//! the problem.

use gantry_solver::archive::Archive;
use gantry_solver::individual::Individual;
use gantry_solver::problem::{Problem, UNASSIGNED};
use gantry_solver::rng::Rng;
use gantry_solver::sources::mabc::random_solution;

/// The non-dominated ones of as many random solutions as there are evaluations.
pub fn random_search<P: Problem>(problem: &P, evaluations: u64, archive: usize, rng: &mut Rng) -> Vec<Individual> {
    let mut state = problem.build(&vec![UNASSIGNED; problem.items()]);
    let mut found = Archive::new(archive);
    for _ in 0..evaluations {
        random_solution(problem, &mut state, rng);
        found.insert(Individual::of(problem, &state));
    }
    found.into_members()
}

/// The worst of each objective over random solutions: a reference point that does not depend on any search.
pub fn worst_of_random<P: Problem>(problem: &P, solutions: u64, rng: &mut Rng) -> Vec<f64> {
    let mut state = problem.build(&vec![UNASSIGNED; problem.items()]);
    let mut worst = vec![f64::NEG_INFINITY; problem.objectives()];
    for _ in 0..solutions {
        random_solution(problem, &mut state, rng);
        let score = problem.eval(&state);
        worst.iter_mut().zip(score.objectives.as_slice()).for_each(|(worst, f)| *worst = worst.max(*f));
    }
    worst
}
