//! No search returns worse than what it starts from, at any budget.

use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::Problem;
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::Cost;
use gantry_solver::solver::{Evolution, Solver};
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};

fn cost(found: &Evolution) -> Cost {
    Scalarisation::default().cost(&found.best.score)
}

/// Up to 150 pods on up to 15 nodes, as full as can be made.
pub(crate) fn instance(seed: u64) -> Placement {
    let mut rng = Rng::stream(21, seed);
    let (pods, nodes) = (1 + rng.below(150) as usize, 1 + rng.below(15) as usize);
    let pools = rng.chance(0.5);
    let options = |fill| GenerateOptions { fill, pools, ..GenerateOptions::default() };
    let fills = [0.7, 0.5, 0.3, 0.1, 0.01];
    let instance = fills.into_iter().find_map(|fill| generate(pods, nodes, seed, &options(fill)).ok()).unwrap();
    instance.placement(Objective::ALL[seed as usize % 2]).unwrap()
}

fn solve(solver: &dyn Solver<Placement>, problem: &Placement, budget: u64) -> Evolution {
    solver.solve(problem, &[], Budget::evaluations(budget), &mut Rng::new(1), &mut Unobserved).unwrap()
}

#[test]
fn local_search_is_never_worse_than_greedy_on_a_hundred_instances_at_any_budget() {
    let mut better = 0;
    for seed in 1..=100 {
        let problem = instance(seed);
        let greedy = cost(&solve(&Greedy::default(), &problem, 0));
        for budget in [0, 1, 100, 20_000] {
            let found = cost(&solve(&LocalSearch::default(), &problem, budget));
            assert!(found <= greedy, "seed {seed}, budget {budget}: {found:?} after {greedy:?}");
            better += u32::from(budget == 20_000 && found < greedy);
        }
    }
    assert!(better > 80, "the search gains something nearly always, here {better} times of 100");
}

#[test]
fn a_larger_budget_never_gives_a_worse_local_search() {
    let problem = instance(7);
    let costs: Vec<Cost> =
        [0, 10, 100, 1_000, 10_000].map(|budget| cost(&solve(&LocalSearch::default(), &problem, budget))).to_vec();
    assert!(costs.is_sorted_by(|a, b| b <= a), "{costs:?}");
}

#[test]
fn no_solver_returns_worse_than_its_seed() {
    for seed in 1..=20 {
        let problem = instance(seed);
        let start = solve(&LocalSearch::default(), &problem, 5_000);
        let ga = DictionaryGa { population: 6, generations: 5, ..DictionaryGa::default() };
        let standard = DictionaryGa { variant: Variant::Standard, ..ga };
        let solvers: [&dyn Solver<Placement>; 4] = [&Greedy::default(), &LocalSearch::default(), &ga, &standard];
        for (index, solver) in solvers.into_iter().enumerate() {
            for budget in [0, 3, 1_000] {
                let seeds = [start.best.genome.clone()];
                let found = solver
                    .solve(&problem, &seeds, Budget::evaluations(budget), &mut Rng::new(seed), &mut Unobserved)
                    .unwrap();
                assert!(cost(&found) <= cost(&start), "seed {seed}, solver {index}, budget {budget}");
            }
        }
    }
}

#[test]
fn local_search_ends_in_a_local_optimum_though_the_budget_is_endless() {
    let problem = generate(60, 8, 3, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    let found = solve(&LocalSearch::default(), &problem, u64::MAX);
    assert_eq!(found.reason, TerminationReason::Converged);
    let again = LocalSearch::default()
        .solve(
            &problem,
            std::slice::from_ref(&found.best.genome),
            Budget::evaluations(u64::MAX),
            &mut Rng::new(9),
            &mut Unobserved,
        )
        .unwrap();
    assert_eq!(again.best.genome, found.best.genome, "nothing is left to gain");
}

#[test]
fn the_best_of_a_generation_never_gets_worse() {
    let problem = instance(4);
    let mut lowest = Vec::new();
    let mut observer = |record: &Generation| lowest.push((record.number, record.lowest));
    let ga = DictionaryGa { generations: 40, ..DictionaryGa::default() };
    let found = ga.solve(&problem, &[], Budget::evaluations(u64::MAX), &mut Rng::new(2), &mut observer).unwrap();
    assert_eq!(found.reason, TerminationReason::Generations);
    assert_eq!(found.generations, 40);
    assert_eq!(lowest.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..=40).collect::<Vec<_>>());
    assert!(lowest.is_sorted_by(|a, b| b.1 <= a.1));
    assert!(problem.items() > 0);
}

#[test]
fn a_stop_ends_a_search_early_with_the_best_so_far() {
    let problem = generate(500, 50, 1, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 4
    };
    let budget = Budget::evaluations(u64::MAX).stop_when(&stop);
    let found = LocalSearch::default().solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
    assert_eq!(found.reason, TerminationReason::Stopped);
    assert!(cost(&found) < cost(&solve(&Greedy::default(), &problem, 0)));
}
