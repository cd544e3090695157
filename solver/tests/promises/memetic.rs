//! The default search: its laws, its floor, its end, and that it leaves alone what is good enough.

use std::cell::Cell;

use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::domain::Domain;
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::memetic::Memetic;
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Genome, Problem, UNASSIGNED};
use gantry_solver::problems::placement::{Objective, Placement};
use gantry_solver::repair;
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::Cost;
use gantry_solver::solver::{Evolution, SolveError, Solver};

use super::never_worse::instance;
use crate::clusters::plain as random_placement;

const EXACT: f64 = 0.0;

fn cost(found: &Evolution) -> Cost {
    Scalarisation::default().cost(&found.best.score)
}

fn cost_of(problem: &Placement, genome: &[u32]) -> Cost {
    Scalarisation::default().cost(&problem.eval(&problem.build(genome)))
}

fn solve(problem: &Placement, seeds: &[Genome], budget: u64, seed: u64, practical: f64) -> Evolution {
    let memetic = Memetic { practical, ..Memetic::default() };
    memetic.solve(problem, seeds, Budget::evaluations(budget), &mut Rng::new(seed), &mut Unobserved).unwrap()
}

fn greedy(problem: &Placement) -> Evolution {
    Greedy::default().solve(problem, &[], Budget::evaluations(0), &mut Rng::new(1), &mut Unobserved).unwrap()
}

fn changes(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).filter(|(a, b)| a != b).count()
}

fn sigma(pods: usize, nodes: usize, seed: u64, pools: bool) -> Placement {
    let options = GenerateOptions { pools, ..GenerateOptions::default() };
    generate(pods, nodes, seed, &options).unwrap().placement(Objective::Sigma).unwrap()
}

#[test]
fn it_is_never_worse_than_greedy_on_a_hundred_instances_at_any_budget() {
    let mut better = 0;
    for seed in 1..=100 {
        let problem = instance(seed);
        let floor = cost(&greedy(&problem));
        for budget in [0, 1, 100, 5_000, 50_000] {
            let found = cost(&solve(&problem, &[], budget, seed, 0.1));
            assert!(found <= floor, "seed {seed}, budget {budget}: {found:?} after {floor:?}");
            better += u32::from(budget == 50_000 && found < floor);
        }
    }
    assert!(better > 80, "the search gains something nearly always, here {better} times of 100");
}

#[test]
fn it_is_never_worse_than_a_legal_seed_though_it_takes_changes_back() {
    for seed in 1..=30 {
        let problem = instance(seed);
        let start = solve(&problem, &[], 3_000, seed, EXACT).best.genome;
        for (budget, practical) in [(0, 0.1), (1, 0.0), (2_000, 5.0), (30_000, 0.1), (30_000, 1e300)] {
            let found = solve(&problem, std::slice::from_ref(&start), budget, seed + 1, practical);
            assert!(cost(&found) <= cost_of(&problem, &start), "seed {seed}, budget {budget}");
            assert!(cost(&found) <= cost(&greedy(&problem)), "seed {seed}, budget {budget}");
        }
    }
}

#[test]
fn genes_stay_in_their_domains_and_the_score_is_the_genomes() {
    for seed in 0..40 {
        let mut rng = Rng::stream(32, seed);
        let problem = random_placement(&mut rng, Objective::ALL[seed as usize % 2]);
        let any = |item| if seed % 3 == 0 { UNASSIGNED } else { problem.domain(item).draw(&mut rng) };
        let seeds = [(0..problem.items()).map(any).collect::<Genome>()];
        let found = solve(&problem, &seeds, 20_000, seed, 1.0);
        assert_eq!(repair::strays(&problem, &found.best.genome), 0);
        let fresh = problem.eval(&problem.build(&found.best.genome));
        assert_eq!(found.best.score.is_feasible(), fresh.is_feasible());
        let (told, is) = (found.best.score.objectives.as_slice()[0], fresh.objectives.as_slice()[0]);
        assert!((told - is).abs() <= 1e-9 * is.max(1.0), "seed {seed}: {told} is {is}");
    }
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_one_does_not() {
    let problem = generate(60, 8, 1, &GenerateOptions::default()).unwrap().placement(Objective::Balanced).unwrap();
    assert_eq!(solve(&problem, &[], 30_000, 5, EXACT), solve(&problem, &[], 30_000, 5, EXACT));
    assert_ne!(solve(&problem, &[], 30_000, 5, EXACT).best.genome, solve(&problem, &[], 30_000, 6, EXACT).best.genome);
}

#[test]
fn more_budget_finds_much_better_solutions() {
    for (pools, most) in [(false, 0.5), (true, 0.95)] {
        let problem = sigma(100, 10, 4, pools);
        let [little, much] = [0, 500_000].map(|budget| cost(&solve(&problem, &[], budget, 1, EXACT)).value);
        assert!(much < most * little, "pools {pools}: {little} -> {much}");
    }
}

#[test]
fn the_optimum_of_a_small_instance_is_found() {
    // Proven by constraint programming.
    let found = solve(&sigma(20, 5, 1, false), &[], 2_000_000, 1, EXACT);
    assert!((cost(&found).value - 0.11256).abs() < 1e-5, "{:?}", cost(&found));
}

#[test]
fn it_stalls_when_more_gains_nothing_of_practical_value() {
    let problem = sigma(60, 8, 3, false);
    let found = solve(&problem, &[], u64::MAX, 1, 0.1);
    assert_eq!(found.reason, TerminationReason::Stalled);
    assert!(found.evaluations < 20_000_000, "{}", found.evaluations);
    let exact = solve(&problem, &[], found.evaluations * 4, 2, EXACT);
    assert!(cost(&found).value <= cost(&exact).value + 0.1, "{:?} against {:?}", cost(&found), cost(&exact));
}

#[test]
fn a_stop_is_heard_at_the_next_look_and_costs_nothing_that_was_found() {
    let problem = sigma(200, 20, 1, true);
    for most in [0, 1, 40, 400] {
        let looks = Cell::new(0_u64);
        let stop = || {
            looks.set(looks.get() + 1);
            looks.get() > most
        };
        let budget = Budget::evaluations(u64::MAX).stop_when(&stop);
        let found = Memetic::default().solve(&problem, &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
        assert_eq!((found.reason, looks.get()), (TerminationReason::Stopped, most + 1));
        assert!(cost(&found) <= cost(&greedy(&problem)));
    }
}

#[test]
fn the_best_only_ever_gets_better_while_it_runs() {
    let problem = instance(4);
    let mut curve = Vec::new();
    let mut observer = |record: &Generation| curve.push((record.evaluations, record.best.violation, record.lowest));
    let memetic = Memetic { practical: EXACT, ..Memetic::default() };
    let found = memetic.solve(&problem, &[], Budget::evaluations(200_000), &mut Rng::new(2), &mut observer).unwrap();
    let better = |a: &(u64, f64, f64), b: &(u64, f64, f64)| a.0 <= b.0 && (b.1, b.2 - 1e-9) <= (a.1, a.2);
    assert!(curve.len() > 50 && curve.is_sorted_by(better), "{curve:?}");
    assert!(cost(&found).value <= curve[curve.len() - 1].2 + 1e-9);
}

#[test]
fn an_unchanged_cluster_gives_the_previous_assignment_back() {
    for seed in 1..=5 {
        for pools in [false, true] {
            let problem = sigma(60, 8, seed, pools);
            let previous = solve(&problem, &[], 300_000, 1, 0.1).best.genome;
            let again = solve(&problem, std::slice::from_ref(&previous), 300_000, 2, 0.1);
            assert_eq!(again.best.genome, previous, "seed {seed}, pools {pools}");
        }
    }
}

#[test]
fn a_few_changes_repair_a_slightly_worse_assignment() {
    for seed in 1..=5 {
        let problem = sigma(100, 10, seed, false);
        let mut previous = solve(&problem, &[], 300_000, 1, EXACT).best.genome;
        // Three pods fell to the first node that may take them, as after a crash.
        for (item, gene) in previous.iter_mut().enumerate().skip(10).take(3) {
            *gene = problem.domain(item).value(0);
        }
        // A third of the budget is for finding out what can stay, and two searches find the same to a twentieth.
        let found = solve(&problem, std::slice::from_ref(&previous), 450_000, 2, 0.1);
        let exact = solve(&problem, &[], 300_000, 2, EXACT);
        let (found_at, exact_at) = (cost(&found).value, cost(&exact).value);
        assert!(found_at <= exact_at + 0.15, "seed {seed}: {found_at} after {exact_at}");
        let moved = changes(&found.best.genome, &previous);
        assert!(moved <= 40, "seed {seed}: {moved} pods of 100 moved");
    }
}

#[test]
fn new_items_do_not_move_the_old_ones_without_need() {
    let problem = sigma(100, 10, 2, false);
    let complete = solve(&problem, &[], 300_000, 1, EXACT).best.genome;
    let mut previous = complete.clone();
    previous[90..].fill(UNASSIGNED);
    let found = solve(&problem, &[previous], 300_000, 2, 0.1);
    let moved = changes(&found.best.genome[..90], &complete[..90]);
    assert!(moved <= 10, "{moved} old pods of 90 moved");
    assert!(cost(&found).value < 0.2);
}

#[test]
fn tolerance_trades_moves_for_evenness() {
    let problem = sigma(200, 20, 1, true);
    let previous = greedy(&problem).best.genome;
    let run = |practical| solve(&problem, std::slice::from_ref(&previous), 500_000, 1, practical);
    let [exact, loose, looser] = [0.0, 0.1, 0.5].map(run);
    let moved = |found: &Evolution| changes(&found.best.genome, &previous);
    assert!(moved(&looser) < moved(&loose) && moved(&loose) < moved(&exact));
    assert!(cost(&exact) <= cost(&loose) && cost(&looser).value <= cost(&exact).value + 0.6);
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let sound = Memetic::default();
    let faults = [
        ("practical", Memetic { practical: f64::NAN, ..sound }),
        ("practical", Memetic { practical: -0.1, ..sound }),
        ("elites", Memetic { elites: 1, ..sound }),
    ];
    let problem = instance(1);
    for (expected, memetic) in faults {
        let refused = memetic.solve(&problem, &[], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved);
        assert!(matches!(refused, Err(SolveError::Parameter { name, .. }) if name == expected), "{expected}");
    }
}

#[test]
fn where_nothing_can_be_chosen_it_is_trivial() {
    let problem = sigma(5, 1, 1, false);
    assert!((0..5).all(|item| matches!(problem.domain(item), Domain::Choices(class) if class.values() == [0])));
    let found = solve(&problem, &[], u64::MAX, 1, 0.1);
    assert_eq!((found.reason, found.best.genome), (TerminationReason::Trivial, vec![0; 5]));
}
