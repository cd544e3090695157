//! The searches by name, on pod placement: what is measured side by side.
//!
//! Promises: a search ends when its time is up, or earlier by itself; what it found is judged as what could be followed,
//! no node over-full and no pod where it may not run. Must not know: instances, limits, how figures are shown.

use std::time::{Duration, Instant};

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::Budget;
use gantry_solver::greedy::Greedy;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::Problem as _;
use gantry_solver::problems::placement::Placement;
use gantry_solver::rng::Rng;
use gantry_solver::solver::{SolveError, Solver};
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};
use gantry_solver::sources::mabc::Mabc;
use gantry_solver::sources::quota_ga::QuotaGa;
use gantry_solver::sources::tcga::Tcga;

/// A search under its name.
pub struct Search {
    /// What settings and commands call it.
    pub name: &'static str,
    solver: Box<dyn Solver<Placement>>,
}

/// What a search reached in its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// σ of eq. (11) in percentage points, of the pods that have a node.
    pub sigma: f64,
    /// Pods without a node.
    pub unplaced: usize,
    /// Evaluations, as the search counts them.
    pub evaluations: u64,
    /// How long it took: more than it was given where a single step takes longer.
    pub took: Duration,
}

/// All searches, each with its defaults but with no end of its generations, so that time alone ends them.
///
/// Names are those of the plugin's settings; `memetic-to-the-last` goes on where the default sees no practical gain, and
/// `dictionary-ga-unrepaired` is the source's, which repairs the dictionary only.
#[must_use]
pub fn all() -> Vec<Search> {
    let ga = DictionaryGa { generations: u64::MAX, ..DictionaryGa::default() };
    vec![
        Search::new("greedy", Greedy::default()),
        Search::new("local-search", LocalSearch::default()),
        Search::new("annealing", Annealing { runs: 1_000, ..Annealing::default() }),
        Search::new("memetic", Memetic::default()),
        Search::new("memetic-to-the-last", Memetic { practical: 0.0, ..Memetic::default() }),
        Search::new("standard-ga", DictionaryGa { variant: Variant::Standard, ..ga }),
        Search::new("dictionary-ga", DictionaryGa { capacity_repair: true, ..ga }),
        Search::new("dictionary-ga-unrepaired", ga),
        Search::new("tcga", Tcga { generations: u64::MAX, ..Tcga::default() }),
        Search::new("cmma-ga", CmmaGa { iterations: u64::MAX, capacity_repair: true, ..CmmaGa::default() }),
        Search::new("bee-colony", Mabc { iterations: u64::MAX, ..Mabc::default() }),
        Search::new("quota-ga", QuotaGa { generations: u64::MAX, patience: u64::MAX, ..QuotaGa::default() }),
    ]
}

/// The search of a name.
#[must_use]
pub fn named(name: &str) -> Option<Search> {
    all().into_iter().find(|search| search.name == name)
}

impl Search {
    fn new(name: &'static str, solver: impl Solver<Placement> + 'static) -> Self {
        Self { name, solver: Box::new(solver) }
    }

    /// Searches for so long, from nothing. A stop by the clock makes the result depend on the machine.
    ///
    /// # Errors
    /// Never for a problem whose domains are not empty.
    pub fn run(&self, problem: &Placement, time: Duration, seed: u64) -> Result<Reached, SolveError> {
        let start = Instant::now();
        let over = || start.elapsed() >= time;
        let budget = Budget::evaluations(u64::MAX).stop_when(&over);
        let found = self.solver.solve(problem, &[], budget, &mut Rng::new(seed), &mut Unobserved)?;
        let took = start.elapsed();
        let assignment = problem.assignment(&found.best.genome);
        Ok(Reached::of(problem, &assignment.row_by_pod, found.evaluations, took))
    }
}

impl Reached {
    /// What a legal assignment is worth, whatever the problem's objective.
    ///
    /// # Panics
    /// Unless there is an entry a pod.
    #[must_use]
    pub fn of(problem: &Placement, row_by_pod: &[Option<u32>], evaluations: u64, took: Duration) -> Self {
        let genome = problem.seed(row_by_pod).expect("invariant: an assignment has an entry a pod");
        let sigma = problem.spread(&problem.build(&genome)).sigma;
        let unplaced = row_by_pod.iter().filter(|row| row.is_none()).count();
        Self { sigma, unplaced, evaluations, took }
    }
}

#[cfg(test)]
mod tests {
    use gantry_solver::instances::{GenerateOptions, generate};
    use gantry_solver::problems::placement::Objective;

    use super::*;

    #[test]
    fn every_search_is_found_by_its_name_and_ends_in_time() {
        let problem = generate(20, 5, 1, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
        for search in all() {
            let reached = named(search.name).unwrap().run(&problem, Duration::from_millis(20), 1).unwrap();
            assert_eq!(reached.unplaced, 0, "{}", search.name);
            assert!(reached.sigma < 20.0 && reached.took < Duration::from_secs(2), "{}: {reached:?}", search.name);
        }
        assert!(named("luck").is_none());
    }
}
