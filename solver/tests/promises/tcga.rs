//! What the task problem and the algorithm with two fitnesses promise.

use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::domain::{Domain, Interval};
use gantry_solver::greedy::Greedy;
use gantry_solver::instances::tasks::tasks;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::local_search::LocalSearch;
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Genome, Move, Problem, UNASSIGNED};
use gantry_solver::problems::placement::Objective;
use gantry_solver::problems::task_schedule::{COST, Completion, MachineColumns, TIME, TaskSchedule};
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::score::{Objectives, Score};
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::tcga::{Adaptation, FitnessMap, Tcga};
use gantry_solver::{archive, repair};
use proptest::prelude::*;

const READINGS: [Completion; 2] = [Completion::Joint, Completion::Literal];

fn problem(items: usize, machines: usize, seed: u64) -> TaskSchedule {
    tasks(items, machines, seed).problem(Completion::Joint).unwrap()
}

fn short() -> Tcga {
    Tcga { population: 8, generations: 6, ..Tcga::default() }
}

fn solve<P: Problem>(ga: &Tcga, problem: &P, seeds: &[Genome], budget: u64, seed: u64) -> Evolution {
    ga.solve(problem, seeds, Budget::evaluations(budget), &mut Rng::new(seed), &mut Unobserved).unwrap()
}

/// Machines with equal rates among them and prices of 0, so that ties happen.
fn coarse(rng: &mut Rng, completion: Completion) -> TaskSchedule {
    let machines = 1 + rng.below(8) as usize;
    let lengths: Vec<u64> = (0..=rng.below(40)).map(|_| 1 + u64::from(rng.below(6))).collect();
    let mut column = |least: u32| -> Vec<f64> { (0..machines).map(|_| f64::from(least + rng.below(3))).collect() };
    let (mips, transfer, cost, transfer_cost) = (column(1), column(1), column(0), column(0));
    let machines = MachineColumns { mips: &mips, transfer: &transfer, cost: &cost, transfer_cost: &transfer_cost };
    TaskSchedule::new(&lengths, &machines, completion).unwrap()
}

fn any_gene(problem: &TaskSchedule, rng: &mut Rng) -> u32 {
    if rng.chance(0.1) { UNASSIGNED } else { rng.below(problem.rates().len() as u32) }
}

fn any_move(problem: &TaskSchedule, rng: &mut Rng) -> Move {
    let items = problem.items() as u32;
    let item = rng.below(items) as usize;
    if rng.chance(0.5) {
        Move::Set { item, value: any_gene(problem, rng) }
    } else {
        Move::Swap { first: item, second: rng.below(items) as usize }
    }
}

fn assert_close(a: &Score, b: &Score) {
    assert_eq!(a.violation, b.violation);
    for (a, b) in a.objectives.as_slice().iter().zip(b.objectives.as_slice()) {
        assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6), "{a} != {b}");
    }
}

#[test]
fn time_and_cost_after_a_move_are_those_of_the_changed_genome() {
    let mut checked = 0;
    for seed in 0..80 {
        let mut rng = Rng::stream(31, seed);
        let completion = READINGS[seed as usize % 2];
        let problem = match seed % 4 {
            0 | 1 => coarse(&mut rng, completion),
            _ => tasks(50, 7, seed).problem(completion).unwrap(),
        };
        let genome: Genome = (0..problem.items()).map(|_| any_gene(&problem, &mut rng)).collect();
        let mut state = problem.build(&genome);
        for _ in 0..150 {
            let change = any_move(&problem, &mut rng);
            let foretold = problem.delta(&state, change).unwrap();
            problem.apply(&mut state, change);
            let full = problem.build(problem.genome(&state));
            assert_close(&foretold, &problem.eval(&full));
            assert_eq!(problem.eval(&state), problem.eval(&full), "lengths are whole numbers, so states do not drift");
            checked += 1;
        }
    }
    assert!(checked >= 10_000, "{checked} moves");
}

#[test]
fn the_best_machine_is_the_one_that_trying_all_would_find() {
    for seed in 0..60 {
        let mut rng = Rng::stream(32, seed);
        let problem = coarse(&mut rng, READINGS[seed as usize % 2]);
        let by = [
            Scalarisation::Single(TIME),
            Scalarisation::Single(COST),
            Scalarisation::Weighted(Objectives::new(&[1.0, 0.3])),
        ][seed as usize % 3];
        let mut genome: Genome = (0..problem.items()).map(|_| any_gene(&problem, &mut rng)).collect();
        for item in 0..problem.items() {
            genome[item] = UNASSIGNED;
            let state = problem.build(&genome);
            let cost = |value| by.value(&problem.delta(&state, Move::Set { item, value }).unwrap().objectives);
            let least = (0..problem.rates().len() as u32).map(cost).fold(f64::INFINITY, f64::min);
            let found = cost(problem.best_value(&state, item, &by).unwrap().value);
            assert!((found - least).abs() <= 1e-9 * least.max(1.0), "{found} for {least}");
            assert!((0..problem.rates().len() as u32).all(|value| problem.heuristic(&state, item, value) > 0.0));
        }
    }
}

#[test]
fn the_favour_of_time_is_above_0_and_at_most_1() {
    for seed in 0..50 {
        let mut rng = Rng::stream(33, seed);
        let problem = coarse(&mut rng, Completion::Joint);
        let genome: Genome = (0..problem.items()).map(|_| any_gene(&problem, &mut rng)).collect();
        let state = problem.build(&genome);
        let favour = problem.favour(&state, TIME);
        assert!(favour > 0.0 && favour <= 1.0 + 1e-12, "{favour}");
        assert_eq!(problem.favour(&state, COST), 1.0);
    }
}

#[test]
fn the_front_is_legal_mutually_non_dominated_and_holds_the_best() {
    for seed in 1..=5 {
        let problem = problem(60, 6, seed);
        let found = solve(&Tcga { generations: 40, ..Tcga::default() }, &problem, &[], u64::MAX, seed);
        let scores: Vec<Score> = found.front.iter().map(|member| member.score).collect();
        assert!(archive::ranks(&scores).iter().all(|&rank| rank == 0));
        assert!(found.front.len() > 1 && found.front.contains(&found.best), "seed {seed}");
        for member in &found.front {
            assert_eq!(repair::strays(&problem, &member.genome), 0);
            assert_eq!(problem.eval(&problem.build(&member.genome)), member.score);
        }
    }
}

#[test]
fn evolution_improves_time_and_cost() {
    for seed in 1..=5 {
        let problem = problem(200, 8, seed);
        let mut records = Vec::new();
        let mut observer = |record: &Generation| records.push(*record);
        let (ga, budget) = (Tcga::default(), Budget::evaluations(u64::MAX));
        let found = ga.solve(&problem, &[], budget, &mut Rng::new(seed), &mut observer).unwrap();
        assert_eq!((found.reason, found.generations, records.len()), (TerminationReason::Generations, 100, 101));
        let [first, last] = [&records[0], &records[100]].map(|record| record.best.objectives);
        assert!(last.dominates(&first), "seed {seed}: {first:?} to {last:?}");
        assert!(records.iter().all(|record| record.lowest <= record.mean && record.mean <= record.highest));
    }
}

#[test]
fn no_result_is_worse_than_a_seed_at_any_budget() {
    for seed in 1..=6 {
        let problem = problem(40, 5, seed);
        for by in [Scalarisation::Single(TIME), Scalarisation::Single(COST)] {
            let start = LocalSearch { scalarisation: by }
                .solve(&problem, &[], Budget::evaluations(3_000), &mut Rng::new(1), &mut Unobserved)
                .unwrap();
            let ga = Tcga { scalarisation: Some(by), ..short() };
            for budget in [0, 1, 9, 1_000] {
                let found = solve(&ga, &problem, std::slice::from_ref(&start.best.genome), budget, seed);
                assert!(by.cost(&found.best.score) <= by.cost(&start.best.score), "seed {seed}, budget {budget}");
            }
        }
    }
}

#[test]
fn no_seed_dominates_the_headline_though_there_are_more_seeds_than_individuals() {
    let problem = problem(40, 5, 1);
    let mut rng = Rng::new(2);
    let seeds: Vec<Genome> = (0..30).map(|_| (0..40).map(|_| rng.below(5)).collect()).collect();
    for budget in [0, 3, 500] {
        let found = solve(&short(), &problem, &seeds, budget, 1);
        for seed in &seeds {
            assert!(!problem.eval(&problem.build(seed)).dominates(&found.best.score), "budget {budget}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let problem = problem(60, 6, 1);
    let run = |seed| solve(&short(), &problem, &[], u64::MAX, seed);
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).front, run(6).front);
}

#[test]
fn a_budget_is_kept_and_an_endless_one_ends_with_the_generations() {
    let problem = problem(20, 3, 1);
    for budget in [0, 1, 7, 30] {
        let found = solve(&short(), &problem, &[], budget, 1);
        assert_eq!((found.reason, found.evaluations), (TerminationReason::Budget, budget));
        assert_eq!(repair::strays(&problem, &found.best.genome), 0);
        assert!(!found.front.is_empty());
    }
    assert_eq!(solve(&short(), &problem, &[], u64::MAX, 1).reason, TerminationReason::Generations);
}

#[test]
fn a_stop_is_obeyed() {
    let stop = || true;
    let budget = Budget::evaluations(u64::MAX).stop_when(&stop);
    let found = short().solve(&problem(20, 3, 1), &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
    assert_eq!(found.reason, TerminationReason::Stopped);
}

#[test]
fn without_tasks_everything_is_trivial_and_one_machine_takes_all() {
    for budget in [0, u64::MAX] {
        let found = solve(&short(), &problem(0, 0, 1), &[], budget, 1);
        assert_eq!((found.reason, found.best.genome.len()), (TerminationReason::Trivial, 0));
        let found = solve(&short(), &problem(5, 1, 1), &[], budget, 1);
        assert_eq!((found.best.genome, found.front.len()), (vec![0; 5], 1));
    }
}

#[test]
fn partial_seeds_are_completed() {
    let problem = problem(6, 3, 1);
    let found = solve(&short(), &problem, &[vec![UNASSIGNED, 0, 77, 1, 2, UNASSIGNED]], 0, 1);
    assert_eq!(repair::strays(&problem, &found.best.genome), 0);
    assert_eq!([found.best.genome[1], found.best.genome[3], found.best.genome[4]], [0, 1, 2]);
}

#[test]
fn pods_are_placed_with_one_objective_and_hard_limits() {
    let problem = generate(60, 8, 2, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    for fitness in [FitnessMap::Reciprocal, FitnessMap::Gap] {
        let ga = Tcga { fitness, ..Tcga::default() };
        let start = solve(&ga, &problem, &[], 0, 3).best.score;
        let found = solve(&ga, &problem, &[], u64::MAX, 3);
        let by = Scalarisation::default();
        assert!(by.cost(&found.best.score) < by.cost(&start), "{fitness:?}");
        assert_eq!(found.front.len(), 1);
        assert_eq!(repair::strays(&problem, &found.best.genome), 0);
        let greedy = Greedy::default()
            .solve(&problem, &[], Budget::evaluations(0), &mut Rng::new(1), &mut Unobserved)
            .unwrap()
            .best;
        let seeded = solve(&ga, &problem, std::slice::from_ref(&greedy.genome), 200, 3);
        assert!(by.cost(&seeded.best.score) <= by.cost(&greedy.score), "{fitness:?}");
    }
}

/// Genes on a grid; the objective has both signs, is 0 at places, and is no number at the top of the grid.
struct Grid(Interval);

impl Problem for Grid {
    type State = Genome;

    fn items(&self) -> usize {
        4
    }

    fn domain(&self, _item: usize) -> Domain<'_> {
        Domain::Interval(self.0)
    }

    fn objectives(&self) -> usize {
        1
    }

    fn build(&self, genome: &[u32]) -> Genome {
        genome.to_vec()
    }

    fn genome<'a>(&self, state: &'a Genome) -> &'a [u32] {
        state
    }

    fn eval(&self, state: &Genome) -> Score {
        let sum: f64 = state.iter().map(|&gene| self.0.real(gene)).sum();
        let value = if state.contains(&(self.0.levels() - 1)) { f64::NAN } else { sum };
        Score { violation: 0.0, objectives: Objectives::single(value) }
    }

    fn delta(&self, state: &Genome, change: Move) -> Option<Score> {
        let mut changed = state.clone();
        self.apply(&mut changed, change);
        Some(self.eval(&changed))
    }

    fn apply(&self, state: &mut Genome, change: Move) {
        match change {
            Move::Set { item, value } => state[item] = value,
            Move::Swap { first, second } => state.swap(first, second),
        }
    }

    fn heuristic(&self, _state: &Genome, _item: usize, _value: u32) -> f64 {
        1.0
    }
}

#[test]
fn objectives_of_any_sign_and_none_are_searched_through_gaps() {
    let grid = Grid(Interval::new(-5.0, 5.0, 1.0).unwrap());
    let gap = Tcga { fitness: FitnessMap::Gap, ..Tcga::default() };
    assert!(solve(&gap, &grid, &[], u64::MAX, 1).best.score.objectives.as_slice()[0] <= -18.0);
    let plain = solve(&Tcga::default(), &grid, &[], u64::MAX, 1);
    assert!(plain.best.score.objectives.as_slice()[0].is_finite());
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let sound = Tcga::default();
    let rate = |slope, ceiling| Adaptation { slope, ceiling };
    let faults = [
        ("population", Tcga { population: 1, ..sound }),
        ("archive", Tcga { archive: 0, ..sound }),
        ("loci", Tcga { loci: 0, ..sound }),
        ("crossover.slope", Tcga { crossover: rate(f64::NAN, 0.8), ..sound }),
        ("crossover.ceiling", Tcga { crossover: rate(5.0, 1.1), ..sound }),
        ("mutation.slope", Tcga { mutation: rate(-1.0, 0.1), ..sound }),
        ("mutation.ceiling", Tcga { mutation: rate(5.0, f64::NAN), ..sound }),
        ("theta", Tcga { theta: f64::INFINITY, ..sound }),
        ("similarity", Tcga { similarity: -0.1, ..sound }),
        ("set_aside", Tcga { set_aside: 2.0, ..sound }),
        ("elites", Tcga { elites: f64::NAN, ..sound }),
        ("offset", Tcga { offset: 1.5, ..sound }),
        ("penalty", Tcga { penalty: -1.0, ..sound }),
    ];
    for (expected, ga) in faults {
        let error =
            ga.solve(&problem(4, 2, 1), &[], Budget::evaluations(9), &mut Rng::new(1), &mut Unobserved).unwrap_err();
        assert!(matches!(error, SolveError::Parameter { name, .. } if name == expected), "{expected}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_allowed_parameters_give_a_legal_front(
        (population, loci, archive) in (2_usize..20, 1_u32..9, 1_usize..9),
        parts in prop::array::uniform6(0.0_f64..=1.0),
        (slope, theta, penalty) in (0.0_f64..1e12, 0.0_f64..1e12, 0.0_f64..1e12),
        (items, machines, seed, budget) in (0_usize..12, 1_usize..5, any::<u64>(), 0_u64..200),
    ) {
        let [crossing, mutating, similarity, set_aside, elites, offset] = parts;
        let ga = Tcga {
            population, loci, archive, theta, penalty, similarity, set_aside, elites, offset, generations: 8,
            crossover: Adaptation { slope, ceiling: crossing },
            mutation: Adaptation { slope, ceiling: mutating },
            ..Tcga::default()
        };
        let problem = problem(items, machines, seed);
        let found = solve(&ga, &problem, &[], budget, seed);
        prop_assert!(found.evaluations <= budget && found.front.len() <= archive);
        prop_assert!(found.front.iter().all(|member| repair::strays(&problem, &member.genome) == 0));
        prop_assert!(found.front.iter().all(|member| !member.score.dominates(&found.best.score)));
    }
}
