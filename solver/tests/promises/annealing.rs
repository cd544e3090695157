//! Annealing: legal, repeatable, never worse than its start, and better where limits are tight.

use std::cell::Cell;

use gantry_solver::annealing::Annealing;
use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Genome, Problem};
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::repair;
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::Cost;
use gantry_solver::solver::{Evolution, SolveError, Solver};

use super::never_worse::instance;
use crate::clusters::plain as random_placement;

fn cost(found: &Evolution) -> Cost {
    Scalarisation::default().cost(&found.best.score)
}

fn solve(problem: &Placement, seeds: &[Genome], budget: u64, seed: u64) -> Evolution {
    let budget = Budget::evaluations(budget);
    Annealing::default().solve(problem, seeds, budget, &mut Rng::new(seed), &mut Unobserved).unwrap()
}

fn greedy(problem: &Placement) -> Evolution {
    Greedy::default().solve(problem, &[], Budget::evaluations(0), &mut Rng::new(1), &mut Unobserved).unwrap()
}

#[test]
fn it_is_never_worse_than_greedy_or_a_seed() {
    for seed in 1..=40 {
        let problem = instance(seed);
        let start = greedy(&problem);
        let mut seeds = Vec::new();
        for budget in [0, 1, 1_500, 20_000] {
            let found = solve(&problem, &seeds, budget, seed);
            assert!(cost(&found) <= cost(&start), "seed {seed}, budget {budget}");
            if let [previous] = &seeds[..] {
                let previous = Scalarisation::default().cost(&problem.eval(&problem.build(previous)));
                assert!(cost(&found) <= previous, "seed {seed}, budget {budget}");
            }
            seeds = vec![found.best.genome];
        }
    }
}

#[test]
fn genes_stay_in_their_domains_and_the_score_is_the_genomes() {
    for seed in 0..40 {
        let problem = random_placement(&mut Rng::stream(31, seed), Objective::ALL[seed as usize % 2]);
        let found = solve(&problem, &[], 20_000, seed);
        assert_eq!(repair::strays(&problem, &found.best.genome), 0);
        assert_eq!(found.best.score, problem.eval(&problem.build(&found.best.genome)), "seed {seed}");
    }
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_one_does_not() {
    let problem = generate(60, 8, 1, &GenerateOptions::default()).unwrap().placement(Objective::Balanced).unwrap();
    assert_eq!(solve(&problem, &[], 30_000, 5), solve(&problem, &[], 30_000, 5));
    assert_ne!(solve(&problem, &[], 30_000, 5).best.genome, solve(&problem, &[], 30_000, 6).best.genome);
}

#[test]
fn soft_limits_lead_where_hard_ones_are_a_trap() {
    let problem = generate(20, 5, 1, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    let hard = LocalSearch::default()
        .solve(&problem, &[], Budget::evaluations(u64::MAX), &mut Rng::new(1), &mut Unobserved)
        .unwrap();
    let soft = solve(&problem, &[], 1_000_000, 1);
    assert!(soft.best.score.is_feasible());
    assert!(cost(&soft).value < 0.1 * cost(&hard).value, "{:?} against {:?}", cost(&soft), cost(&hard));
}

#[test]
fn it_works_at_any_scale_of_value() {
    // The same cluster counted in other units is the same problem, so the same moves must be taken.
    let instance = generate(40, 6, 2, &GenerateOptions::default()).unwrap();
    let mut scaled = instance.clone();
    scaled.capacities.iter_mut().chain(&mut scaled.requests).for_each(|amounts| *amounts = amounts.map(|x| x * 1_024));
    let [one, other] =
        [instance, scaled].map(|instance| solve(&instance.placement(Objective::Balanced).unwrap(), &[], 50_000, 3));
    assert_eq!(one.best.genome, other.best.genome);
}

#[test]
fn it_ends_by_itself_and_hears_a_stop() {
    let problem = generate(15, 4, 1, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    assert_eq!(solve(&problem, &[], u64::MAX, 1).reason, TerminationReason::Generations);
    let looks = Cell::new(0_u64);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 50
    };
    let budget = Budget::evaluations(u64::MAX).stop_when(&stop);
    let found = Annealing::default().solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
    assert_eq!((found.reason, looks.get()), (TerminationReason::Stopped, 51));
    assert!(cost(&found) <= cost(&greedy(&problem)));
}

#[test]
fn the_best_only_ever_gets_better() {
    let problem = instance(3);
    let mut curve = Vec::new();
    let mut observer = |record: &Generation| curve.push((record.evaluations, record.lowest, record.best.violation));
    let budget = Budget::evaluations(100_000);
    Annealing::default().solve(&problem, &[], budget, &mut Rng::new(2), &mut observer).unwrap();
    assert!(curve.len() > 20 && curve.is_sorted_by(|a, b| a.0 <= b.0 && (b.2, b.1) <= (a.2, a.1)), "{curve:?}");
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let sound = Annealing::default();
    let faults = [
        ("heat", Annealing { heat: f64::NAN, ..sound }),
        ("cold", Annealing { cold: -1.0, ..sound }),
        ("penalty", Annealing { penalty: f64::INFINITY, ..sound }),
        ("runs", Annealing { runs: 0, ..sound }),
        ("moves_per_item", Annealing { moves_per_item: 0, ..sound }),
    ];
    let problem = instance(1);
    for (expected, annealing) in faults {
        let refused = annealing.solve(&problem, &[], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved);
        assert!(matches!(refused, Err(SolveError::Parameter { name, .. }) if name == expected), "{expected}");
    }
}

#[test]
fn without_heat_and_penalty_it_still_returns_something_legal() {
    let problem = instance(2);
    for (heat, cold, penalty) in [(0.0, 0.0, 0.0), (1e6, 1e6, 1e9), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0)] {
        let annealing = Annealing { heat, cold, penalty, ..Annealing::default() };
        let budget = Budget::evaluations(20_000);
        let found = annealing.solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
        assert!(cost(&found) <= cost(&greedy(&problem)));
    }
}
