//! What holds of small instances holds of large ones: the floor, and that a budget is for searching.

use std::sync::Arc;

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::Budget;
use gantry_solver::domain::DomainClass;
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Genome, Problem as _};
use gantry_solver::problems::placement::{NodeColumns, Objective, Placement, PodColumns};
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::{Cost, Score};
use gantry_solver::solver::{Evolution, Solver};

fn solve(search: &dyn Solver<Placement>, problem: &Placement, seeds: &[Genome], budget: u64) -> Evolution {
    search.solve(problem, seeds, Budget::evaluations(budget), &mut Rng::new(1), &mut Unobserved).unwrap()
}

fn cost(found: &Evolution) -> Cost {
    Scalarisation::default().cost(&found.best.score)
}

#[test]
fn no_search_is_worse_than_greedy_on_large_instances() {
    for (pods, nodes, pools) in [(1_000, 100, false), (2_000, 200, true)] {
        let options = GenerateOptions { pools, ..GenerateOptions::default() };
        let problem = generate(pods, nodes, 101, &options).unwrap().placement(Objective::Balanced).unwrap();
        let greedy = solve(&Greedy::default(), &problem, &[], 0);
        let (local, annealing, memetic) = (LocalSearch::default(), Annealing::default(), Memetic::default());
        let searches: [(&dyn Solver<_>, bool); 3] = [(&local, true), (&annealing, false), (&memetic, true)];
        for (search, gains_soon) in searches {
            for more in [0, 1, 200_000] {
                let found = solve(search, &problem, &[], greedy.evaluations + more);
                assert!(cost(&found) <= cost(&greedy), "{pods} × {nodes}, {more}: {:?}", found.best.score);
                let must_gain = gains_soon && more == 200_000;
                assert!(!must_gain || cost(&found) < cost(&greedy), "{pods} × {nodes}: the search gains something");
            }
        }
    }
}

#[test]
fn the_default_search_above_five_hundred_items_gains_and_keeps_what_it_may() {
    let instance = generate(1_000, 100, 102, &GenerateOptions::default()).unwrap();
    let problem = instance.placement(Objective::Sigma).unwrap();
    let earlier = solve(&LocalSearch::default(), &problem, &[], 100_000).best.genome;
    let changes =
        |found: &Evolution| found.best.genome.iter().zip(&earlier).filter(|(one, other)| one != other).count();
    let run = |practical| {
        let memetic = Memetic { practical, ..Memetic::default() };
        solve(&memetic, &problem, std::slice::from_ref(&earlier), 600_000)
    };
    let (exact, lenient) = (run(0.0), run(1e300));
    assert!(cost(&exact) < Scalarisation::default().cost(&score(&problem, &earlier)));
    assert_eq!(changes(&lenient), 0, "no gain is worth a move");
    assert!(changes(&exact) > 0);
}

fn score(problem: &Placement, genome: &[u32]) -> Score {
    problem.eval(&problem.build(genome))
}

/// Looking at all rows for every pod, twice, is the start; it must not eat the budget up.
#[test]
fn a_fifth_of_the_default_budget_is_for_searching_at_5000_pods_on_1000_nodes() {
    let (pods, nodes, resources) = (5_000, 1_000, 2);
    let mut rng = Rng::new(7);
    let allocatable: Vec<f64> = (0..nodes * resources).map(|_| f64::from(4_000 * (1 + rng.below(4)))).collect();
    let requests: Vec<f64> = (0..pods * resources).map(|_| f64::from(100 + rng.below(900))).collect();
    let (weights, class_by_pod) = (vec![1.0; nodes * resources], vec![0; pods]);
    let columns = NodeColumns { resources, allocatable: &allocatable, requested: &[], weights: &weights };
    let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
    let classes = [Arc::new(DomainClass::all(nodes as u32))];
    let problem = Placement::new(&columns, &pods, &classes, Objective::Balanced).unwrap();
    let [start, searched] = [0, 2_000_000].map(|budget| solve(&Memetic::default(), &problem, &[], budget));
    assert!(start.evaluations < 1_100_000, "{}", start.evaluations);
    assert!(cost(&searched).value < 0.8 * cost(&start).value, "{:?} after {:?}", cost(&searched), cost(&start));
}
