//! Odd problems and parameters: a typed error or a defined answer, no panic.

use std::sync::Arc;

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::domain::{Domain, DomainClass};
use gantry_solver::greedy::Greedy;
use gantry_solver::local_search::LocalSearch;
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::Unobserved;
use gantry_solver::problem::{Move, Problem};
use gantry_solver::problems::placement::{NodeColumns, Objective, Placement, PodColumns};
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::{Objectives, Score};
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::cmma_ga::CmmaGa;
use gantry_solver::sources::dictionary_ga::{DictionaryGa, Variant};
use gantry_solver::sources::mabc::Mabc;
use gantry_solver::sources::tcga::Tcga;

fn placement(rows: usize, capacity: f64, pods: usize, request: f64) -> Placement {
    let (allocatable, weights) = (vec![capacity; rows], vec![1.0; rows]);
    let nodes = NodeColumns { resources: 1, allocatable: &allocatable, requested: &[], weights: &weights };
    let (requests, class_by_pod) = (vec![request; pods], vec![0; pods]);
    let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
    Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(rows as u32))], Objective::Balanced).unwrap()
}

fn short_ga(variant: Variant) -> DictionaryGa {
    DictionaryGa { variant, population: 4, generations: 3, ..DictionaryGa::default() }
}

fn solve_all(problem: &Placement, budget: u64) -> Vec<Evolution> {
    let (dictionary, standard) = (short_ga(Variant::Dictionary), short_ga(Variant::Standard));
    let repairing = DictionaryGa { capacity_repair: true, ..dictionary };
    let (annealing, memetic) = (Annealing::default(), Memetic::default());
    let solvers: [&dyn Solver<Placement>; 7] =
        [&Greedy::default(), &LocalSearch::default(), &dictionary, &standard, &repairing, &annealing, &memetic];
    let solve = |solver: &dyn Solver<Placement>| {
        solver.solve(problem, &[], Budget::evaluations(budget), &mut Rng::new(1), &mut Unobserved).unwrap()
    };
    solvers.into_iter().map(solve).collect()
}

#[test]
fn an_empty_instance_is_trivial_for_every_solver() {
    for budget in [0, u64::MAX] {
        for found in solve_all(&placement(3, 10.0, 0, 1.0), budget) {
            assert_eq!((found.reason, found.best.genome.len()), (TerminationReason::Trivial, 0));
        }
    }
}

#[test]
fn one_node_takes_everything() {
    for budget in [0, u64::MAX] {
        for found in solve_all(&placement(1, 10.0, 5, 1.0), budget) {
            assert_eq!(found.best.genome, [0; 5]);
            assert_eq!(found.best.score.objectives.as_slice(), [0.0]);
        }
    }
}

#[test]
fn one_node_that_is_too_small_leaves_the_later_pods_unplaced() {
    let problem = placement(1, 10.0, 5, 3.0);
    for found in solve_all(&problem, 100) {
        assert!(!found.best.score.is_feasible());
        assert_eq!(problem.assignment(&found.best.genome).unplaced, [3, 4]);
    }
}

#[test]
fn nodes_without_capacity_take_no_pods_that_ask_for_something() {
    let problem = placement(3, 0.0, 2, 1.0);
    assert_eq!(problem.unplaceable(), [0, 1]);
    assert!(solve_all(&problem, 100).iter().all(|found| found.best.genome.is_empty()));
}

#[test]
fn a_budget_of_zero_returns_a_legal_solution() {
    for found in solve_all(&placement(3, 10.0, 6, 1.0), 0) {
        assert!(found.best.genome.iter().all(|&gene| gene < 3), "{:?}", found.best.genome);
        assert!(found.best.score.objectives.as_slice()[0].is_finite());
    }
}

#[test]
fn a_seed_of_the_wrong_length_is_refused() {
    let problem = placement(3, 10.0, 6, 1.0);
    let error = LocalSearch::default()
        .solve(&problem, &[vec![0; 5]], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved)
        .unwrap_err();
    assert_eq!(error, SolveError::SeedLength { expected: 6, found: 5 });
}

#[test]
fn genes_of_a_seed_that_make_no_sense_are_filled_in() {
    let problem = placement(3, 10.0, 4, 1.0);
    for variant in [Variant::Dictionary, Variant::Standard] {
        let found = short_ga(variant)
            .solve(&problem, &[vec![0, 77, u32::MAX, 1]], Budget::evaluations(50), &mut Rng::new(1), &mut Unobserved)
            .unwrap();
        assert!(found.best.genome.iter().all(|&gene| gene < 3));
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let sound = DictionaryGa::default();
    let faults = [
        ("population", DictionaryGa { population: 1, ..sound }),
        ("elites", DictionaryGa { elites: 50, ..sound }),
        ("crossover_rate", DictionaryGa { crossover_rate: 1.1, ..sound }),
        ("mutation_rate", DictionaryGa { mutation_rate: Some(f64::NAN), ..sound }),
        ("penalty", DictionaryGa { penalty: -1.0, ..sound }),
    ];
    let problem = placement(3, 10.0, 4, 1.0);
    for (expected, ga) in faults {
        let error = ga.solve(&problem, &[], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved).unwrap_err();
        assert!(matches!(error, SolveError::Parameter { name, .. } if name == expected), "{expected}: {error}");
    }
}

#[test]
fn weights_that_are_no_weights_are_refused_by_every_solver() {
    let problem = placement(3, 10.0, 4, 1.0);
    let weighted = |weight: f64| Scalarisation::Weighted(Objectives::single(weight));
    let chebyshev = |reference: f64| {
        let (weights, reference) = (Objectives::single(1.0), Objectives::single(reference));
        Scalarisation::Chebyshev { weights, reference }
    };
    for (scalarisation, sound) in [
        (weighted(f64::NAN), false),
        (weighted(-1.0), false),
        (weighted(f64::INFINITY), false),
        (weighted(0.5), true),
        (chebyshev(f64::NAN), false),
        (chebyshev(-5.0), true),
    ] {
        let ga = DictionaryGa { scalarisation, ..short_ga(Variant::Dictionary) };
        let (tcga, bees) = (Tcga { scalarisation: Some(scalarisation), ..Tcga::default() }, Mabc::default());
        let solvers: [&dyn Solver<Placement>; 8] = [
            &Greedy { scalarisation },
            &LocalSearch { scalarisation },
            &Annealing { scalarisation, ..Annealing::default() },
            &Memetic { scalarisation, ..Memetic::default() },
            &ga,
            &tcga,
            &CmmaGa { scalarisation, ..CmmaGa::default() },
            &Mabc { scalarisation: Some(scalarisation), ..bees },
        ];
        for (index, solver) in solvers.into_iter().enumerate() {
            let found = solver.solve(&problem, &[], Budget::evaluations(200), &mut Rng::new(1), &mut Unobserved);
            let refused = matches!(found, Err(SolveError::Parameter { name: "scalarisation", .. }));
            assert_eq!(refused, !sound, "solver {index}: {scalarisation:?}");
        }
    }
}

/// A problem whose author forgot to take out an item that can go nowhere.
struct Stuck(DomainClass);

impl Problem for Stuck {
    type State = Vec<u32>;

    fn items(&self) -> usize {
        1
    }

    fn domain(&self, _item: usize) -> Domain<'_> {
        Domain::Choices(&self.0)
    }

    fn objectives(&self) -> usize {
        1
    }

    fn build(&self, genome: &[u32]) -> Vec<u32> {
        genome.to_vec()
    }

    fn genome<'a>(&self, state: &'a Vec<u32>) -> &'a [u32] {
        state
    }

    fn eval(&self, _state: &Vec<u32>) -> Score {
        Score { violation: 0.0, objectives: Objectives::single(0.0) }
    }

    fn delta(&self, _state: &Vec<u32>, _change: Move) -> Option<Score> {
        None
    }

    fn apply(&self, _state: &mut Vec<u32>, _change: Move) {}

    fn heuristic(&self, _state: &Vec<u32>, _item: usize, _value: u32) -> f64 {
        1.0
    }
}

#[test]
fn an_empty_domain_is_an_error_that_names_the_item() {
    let stuck = Stuck(DomainClass::from_values(3, &[]).unwrap());
    let (ga, expected) = (DictionaryGa::default(), Err(SolveError::EmptyDomain { item: 0 }));
    let (annealing, memetic) = (Annealing::default(), Memetic::default());
    let solvers: [&dyn Solver<Stuck>; 5] = [&Greedy::default(), &LocalSearch::default(), &ga, &annealing, &memetic];
    for solver in solvers {
        assert_eq!(solver.solve(&stuck, &[], Budget::evaluations(9), &mut Rng::new(1), &mut Unobserved), expected);
    }
}
