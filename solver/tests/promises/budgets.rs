//! No search spends more than its budget, but for the start that every budget pays for.

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::Budget;
use gantry_solver::greedy::Greedy;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Genome, Problem, UNASSIGNED};
use gantry_solver::problems::placement::Placement;
use gantry_solver::rng::Rng;
use gantry_solver::solver::Solver;
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::dictionary_ga::DictionaryGa;
use gantry_solver::sources::mabc::Mabc;
use gantry_solver::sources::quota_ga::QuotaGa;
use gantry_solver::sources::tcga::Tcga;

use crate::never_worse::instance;

fn spent(solver: &dyn Solver<Placement>, problem: &Placement, seeds: &[Genome], budget: u64) -> u64 {
    let found = solver.solve(problem, seeds, Budget::evaluations(budget), &mut Rng::new(1), &mut Unobserved);
    found.unwrap().evaluations
}

/// Nothing, and an earlier solution that knows two items of three.
fn starts(problem: &Placement) -> [Vec<Genome>; 2] {
    let gene = |item| if item % 3 == 0 { UNASSIGNED } else { problem.domain(item).value(0) };
    [Vec::new(), vec![(0..problem.items()).map(gene).collect()]]
}

#[test]
fn no_search_spends_more_than_its_budget_or_its_start() {
    let (greedy, local, annealing, memetic) =
        (Greedy::default(), LocalSearch::default(), Annealing::default(), Memetic::default());
    let (dictionary, quota, tcga) = (DictionaryGa::default(), QuotaGa::default(), Tcga::default());
    let (ants, bees) = (CmmaGa::default(), Mabc::default());
    let searches: [&dyn Solver<Placement>; 8] =
        [&local, &annealing, &memetic, &dictionary, &quota, &tcga, &ants, &bees];
    for seed in 1..=5 {
        let problem = instance(seed);
        for seeds in starts(&problem) {
            let start = spent(&greedy, &problem, &seeds, 0);
            for budget in [0, 1, 999, 30_000] {
                for (number, search) in searches.into_iter().enumerate() {
                    let spent = spent(search, &problem, &seeds, budget);
                    assert!(
                        spent <= budget.max(start),
                        "search {number}, seed {seed}: {spent} of {budget}, start {start}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_left_after_the_start_is_used() {
    let problem = instance(7);
    let start = spent(&Greedy::default(), &problem, &[], 0);
    for search in [&LocalSearch::default() as &dyn Solver<Placement>, &Annealing::default(), &Memetic::default()] {
        assert_eq!(spent(search, &problem, &[], start + 2_000), start + 2_000);
    }
}
