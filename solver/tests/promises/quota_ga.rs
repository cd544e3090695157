//! What the quota search promises, on quotas and on problems that it was not made for.

use gantry_solver::budget::{Budget, TerminationReason};
use gantry_solver::instances::quotas::QuotaInstance;
use gantry_solver::instances::{GenerateOptions, generate};
use gantry_solver::observer::{Generation, Unobserved};
use gantry_solver::problem::{Genome, Problem, UNASSIGNED};
use gantry_solver::problems::placement::Objective;
use gantry_solver::problems::quota_tuning::{NodeLimits, QuotaObjective, QuotaRange, QuotaTuning};
use gantry_solver::repair;
use gantry_solver::rng::Rng;
use gantry_solver::scalarise::Scalarisation;
use gantry_solver::solver::{Evolution, SolveError, Solver};
use gantry_solver::sources::quota_ga::QuotaGa;
use proptest::prelude::*;

fn run<P: Problem>(ga: &QuotaGa, problem: &P, seeds: &[Genome], budget: u64, seed: u64) -> Evolution {
    ga.solve(problem, seeds, Budget::evaluations(budget), &mut Rng::new(seed), &mut Unobserved).unwrap()
}

fn quotas(pods: usize, seed: u64) -> QuotaTuning {
    QuotaInstance::generate(pods, seed).tuning().unwrap()
}

/// Eight pods on two nodes that hold their use and a fifth more.
fn tight(seed: u64) -> QuotaTuning {
    let instance = QuotaInstance::generate(8, seed);
    let node_by_pod = [0, 0, 0, 0, 1, 1, 1, 1];
    let capacities: Vec<[f64; 2]> = [0..4, 4..8]
        .map(|pods| {
            instance.used[pods].iter().fold([0.0; 2], |sum, used| [sum[0] + 1.2 * used[0], sum[1] + 1.2 * used[1]])
        })
        .to_vec();
    instance.tuning().unwrap().with_nodes(&NodeLimits { capacities: &capacities, node_by_pod: &node_by_pod }).unwrap()
}

fn assert_legal<P: Problem>(problem: &P, found: &Evolution) {
    assert_eq!(repair::strays(problem, &found.best.genome), 0);
    assert_eq!(found.best.score, problem.eval(&problem.build(&found.best.genome)));
    assert_eq!(found.front, std::slice::from_ref(&found.best));
}

#[test]
fn every_budget_has_a_legal_answer() {
    for budget in [0, 1, 7, 60, u64::MAX] {
        for problem in [quotas(5, 1), tight(2)] {
            let found = run(&QuotaGa::default(), &problem, &[], budget, 3);
            assert_legal(&problem, &found);
            assert!(found.evaluations <= budget);
        }
    }
}

#[test]
fn a_node_that_could_be_overdrawn_is_not() {
    for seed in 1..=10 {
        let found = run(&QuotaGa::default(), &tight(seed), &[], u64::MAX, seed);
        assert!(found.best.score.is_feasible(), "seed {seed}");
        let loose = QuotaGa { capacity_repair: false, ..QuotaGa::default() };
        let found = run(&loose, &tight(seed), &[], u64::MAX, seed);
        assert!(found.best.score.violation < 0.05, "seed {seed}: feasible ones come first without repair too");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    let found = |seed| run(&QuotaGa::default(), &tight(1), &[], u64::MAX, seed);
    assert_eq!(found(5), found(5));
    assert_ne!(found(5).best.genome, found(6).best.genome);
}

#[test]
fn no_pods_are_trivial_and_one_value_is_taken() {
    assert_eq!(run(&QuotaGa::default(), &quotas(0, 1), &[], 9, 1).reason, TerminationReason::Trivial);
    let range = QuotaRange { low: 1.5, high: 1.5, levels: 1 };
    let problem = QuotaTuning::new(&[[1.0, 1.0]], range, QuotaObjective::default()).unwrap();
    let found = run(&QuotaGa::default(), &problem, &[], u64::MAX, 1);
    assert_eq!((found.best.genome.clone(), found.reason), (vec![0, 0], TerminationReason::Stalled));
    assert_eq!(found.generations, 20);
}

#[test]
fn the_best_of_a_generation_never_gets_worse_and_the_last_one_is_the_hundredth() {
    let mut lowest = Vec::new();
    let mut observer = |record: &Generation| lowest.push(record.lowest);
    let ga = QuotaGa { patience: 1_000, ..QuotaGa::default() };
    let found = ga.solve(&tight(3), &[], Budget::evaluations(u64::MAX), &mut Rng::new(1), &mut observer).unwrap();
    assert_eq!((found.reason, lowest.len()), (TerminationReason::Generations, 101));
    assert!(lowest.is_sorted_by(|a, b| b <= a));
}

#[test]
fn an_external_stop_is_obeyed() {
    let budget = Budget::evaluations(u64::MAX).stop_when(&|| true);
    let found = QuotaGa::default().solve(&quotas(4, 1), &[], budget, &mut Rng::new(1), &mut Unobserved).unwrap();
    assert_eq!((found.reason, found.evaluations), (TerminationReason::Stopped, 0));
}

#[test]
fn pods_are_placed_by_it_too() {
    let problem = generate(40, 8, 1, &GenerateOptions::default()).unwrap().placement(Objective::Sigma).unwrap();
    let ga = QuotaGa { genes_per_group: 1, patience: 100, ..QuotaGa::default() };
    let (start, found) = (run(&ga, &problem, &[], 0, 1), run(&ga, &problem, &[], u64::MAX, 1));
    assert_legal(&problem, &found);
    let cost = |found: &Evolution| Scalarisation::default().cost(&found.best.score);
    assert!(cost(&found) < cost(&start));
    assert!(found.best.score.is_feasible());
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let sound = QuotaGa::default();
    let faults = [
        ("population", QuotaGa { population: 1, ..sound }),
        ("crossover_rate", QuotaGa { crossover_rate: f64::NAN, ..sound }),
        ("mutation_rate", QuotaGa { mutation_rate: -0.1, ..sound }),
        ("mutation_width", QuotaGa { mutation_width: 1.1, ..sound }),
        ("genes_per_group", QuotaGa { genes_per_group: 0, ..sound }),
        ("elites", QuotaGa { elites: 50, ..sound }),
        ("patience", QuotaGa { patience: 0, ..sound }),
        ("least_gain", QuotaGa { least_gain: f64::NAN, ..sound }),
    ];
    for (expected, ga) in faults {
        let found = ga.solve(&quotas(2, 1), &[], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved);
        assert!(matches!(found, Err(SolveError::Parameter { name, .. }) if name == expected), "{expected}");
    }
    let found = sound.solve(&quotas(2, 1), &[vec![0; 3]], Budget::evaluations(1), &mut Rng::new(1), &mut Unobserved);
    assert_eq!(found, Err(SolveError::SeedLength { expected: 4, found: 3 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_run_is_never_worse_than_its_seed_whatever_the_parameters(
        pods in 1_usize..9, seed: u64, budget in 0_u64..400, population in 2_usize..30,
        rates in (0.0..=1.0, 0.0..=1.0, 0.0..=1.0), genes_per_group in 1_usize..7, strays: bool,
    ) {
        let problem = quotas(pods, seed);
        let mut rng = Rng::new(seed);
        let start: Genome = (0..problem.items()).map(|item| problem.domain(item).draw(&mut rng)).collect();
        let value = |genome: &[u32]| Scalarisation::default().cost(&problem.eval(&problem.build(genome)));
        let (crossover_rate, mutation_rate, mutation_width) = rates;
        let ga = QuotaGa {
            population, crossover_rate, mutation_rate, mutation_width, genes_per_group,
            elites: population / 2, ..QuotaGa::default()
        };
        let mut seeds = vec![start.clone()];
        if strays {
            seeds.push(vec![UNASSIGNED; problem.items()]);
        }
        let found = run(&ga, &problem, &seeds, budget, seed);
        prop_assert!(value(&found.best.genome) <= value(&start));
        prop_assert_eq!(repair::strays(&problem, &found.best.genome), 0);
    }
}
