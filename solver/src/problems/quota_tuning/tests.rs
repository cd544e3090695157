//! Laws of the quota problem.

use proptest::prelude::*;

use super::*;
use crate::problem::least_cost;
use crate::rng::Rng;

/// Up to 12 pods on up to 3 nodes, some of them too small for what is on them.
fn random_problem(rng: &mut Rng, levels: u32, nodes: bool) -> QuotaTuning {
    let used: Vec<Amounts> = (0..=rng.below(12)).map(|_| [0.1 + rng.unit(), 64.0 + 900.0 * rng.unit()]).collect();
    let range = QuotaRange { levels, ..QuotaRange::default() };
    let objective = QuotaObjective { gamma: 0.5 * rng.unit(), rest: 0.2 * rng.unit(), ..QuotaObjective::default() };
    let problem = QuotaTuning::new(&used, range, objective).unwrap();
    if !nodes {
        return problem;
    }
    let capacities: Vec<Amounts> = (0..3).map(|_| [0.5 + 9.0 * rng.unit(), 500.0 + 9_000.0 * rng.unit()]).collect();
    let node_by_pod: Vec<u32> = used.iter().map(|_| rng.below(3)).collect();
    problem.with_nodes(&NodeLimits { capacities: &capacities, node_by_pod: &node_by_pod }).unwrap()
}

fn random_gene(problem: &QuotaTuning, item: usize, rng: &mut Rng) -> u32 {
    if rng.chance(0.1) { UNASSIGNED } else { problem.domain(item).draw(rng) }
}

fn random_genome(problem: &QuotaTuning, rng: &mut Rng) -> Genome {
    (0..problem.items()).map(|item| random_gene(problem, item, rng)).collect()
}

fn is_close(a: &Score, b: &Score) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
    a.violation == b.violation && near(a.objectives.as_slice()[0], b.objectives.as_slice()[0])
}

#[test]
fn ten_thousand_moves_cost_what_a_full_evaluation_says() {
    for (seed, nodes) in [(1, false), (2, true), (3, true)] {
        let mut rng = Rng::new(seed);
        let problem = random_problem(&mut rng, 1_000_000, nodes);
        let mut state = problem.build(&random_genome(&problem, &mut rng));
        for _ in 0..10_000 {
            let item = rng.below(problem.items() as u32) as usize;
            let change = Move::Set { item, value: random_gene(&problem, item, &mut rng) };
            let foretold = problem.delta(&state, change).unwrap();
            problem.apply(&mut state, change);
            let afresh = problem.eval(&problem.build(problem.genome(&state)));
            assert!(is_close(&foretold, &problem.eval(&state)) && is_close(&foretold, &afresh));
        }
    }
}

proptest! {
    #[test]
    fn the_best_value_is_the_best_of_all(seed: u64, nodes: bool, levels in 1_u32..300) {
        let mut rng = Rng::new(seed);
        let problem = random_problem(&mut rng, levels, nodes);
        let by = Scalarisation::default();
        let mut genome = random_genome(&problem, &mut rng);
        let item = rng.below(problem.items() as u32) as usize;
        genome[item] = UNASSIGNED;
        let state = problem.build(&genome);
        let cost = |value| by.cost(&problem.delta(&state, Move::Set { item, value }).unwrap());
        let (fast, slow) = (problem.best_value(&state, item, &by), least_cost(&problem, &state, item, &by));
        let (fast, slow) = (cost(fast.unwrap().value), cost(slow.unwrap().value));
        prop_assert!(fast.violation == slow.violation && fast.value <= slow.value + 1e-12, "{fast:?} {slow:?}");
    }

    #[test]
    fn repair_ends_feasible_whenever_the_least_quotas_are(seed: u64) {
        let mut rng = Rng::new(seed);
        let problem = random_problem(&mut rng, 1_000_000, true);
        let genome = random_genome(&problem, &mut rng);
        let least: Genome = genome.iter().map(|&gene| if gene == UNASSIGNED { gene } else { 0 }).collect();
        let mut state = problem.build(&genome);
        let before = problem.eval(&state);
        problem.repair(&mut state, &mut rng);
        let after = problem.eval(&state);
        prop_assert_eq!(after.is_feasible(), problem.eval(&problem.build(&least)).is_feasible());
        prop_assert!(after.violation <= before.violation);
        prop_assert!(!before.is_feasible() || problem.genome(&state) == genome, "what is feasible stays");
    }
}

#[test]
fn two_quotas_that_fill_a_node_are_feasible_and_a_millionth_more_is_not() {
    let range = QuotaRange { low: 1.0, high: 2.0, ..QuotaRange::default() };
    let problem = QuotaTuning::new(&[[1.3, 1.0], [2.7, 1.0]], range, QuotaObjective::default()).unwrap();
    let nodes = NodeLimits { capacities: &[[4.0, 8.0]], node_by_pod: &[0, 0] };
    let problem = problem.with_nodes(&nodes).unwrap();
    let violation = |genome: &[u32]| problem.eval(&problem.build(genome)).violation;
    assert_eq!(violation(&[0, 0, 0, 0]), 0.0);
    assert!(violation(&[1, 0, 0, 0]) > 0.0);
}

#[test]
fn quotas_go_to_genes_and_back() {
    let problem = QuotaTuning::new(&[[1.0, 100.0]], QuotaRange::default(), QuotaObjective::default()).unwrap();
    let quotas = problem.quotas(&problem.seed(&[[1.25, 9_999.0]]).unwrap());
    assert!((quotas[0][0] - 1.25).abs() < 1e-6, "{quotas:?}");
    assert_eq!(quotas[0][1], 270.0, "the largest allowed");
    assert_eq!(problem.utilisation(&[UNASSIGNED, UNASSIGNED]), [0.0, 0.0]);
    assert_eq!(problem.seed(&[]).unwrap_err(), QuotaError::Length { column: "quotas", expected: 1, found: 0 });
}

#[test]
fn fitness_is_utilisation_less_response() {
    let problem = QuotaTuning::new(&[[1.0, 1.0]], QuotaRange::default(), QuotaObjective::default()).unwrap();
    let genome = problem.seed(&[[1.25, 2.0]]).unwrap();
    let fitness = -problem.eval(&problem.build(&genome)).objectives.as_slice()[0];
    // U = 0.8 and 0.5, r = 0.05 / 0.2 and 0.05 / 0.5.
    let expected = 0.5 * 0.8 + 0.5 * 0.5 - 0.2 * (0.25 + 0.1) / 2.0;
    assert!((fitness - expected).abs() < 1e-5, "{fitness} {expected}");
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let new = |used: f64, range, objective| QuotaTuning::new(&[[used, 1.0]], range, objective).unwrap_err();
    let (range, objective) = (QuotaRange::default(), QuotaObjective::default());
    for used in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(new(used, range, objective), QuotaError::Used { pod: 0, resource: 0, .. }), "{used}");
    }
    for (low, high, levels) in [(0.9, 2.0, 5), (3.0, 2.0, 5), (1.1, f64::NAN, 5), (1.1, 2.0, 0), (1.1, 1e9, 5)] {
        assert!(matches!(new(1.0, QuotaRange { low, high, levels }, objective), QuotaError::Range { .. }));
    }
    let objectives = [
        QuotaObjective { alpha: -1.0, ..objective },
        QuotaObjective { gamma: f64::NAN, ..objective },
        QuotaObjective { rest: 1.5, ..objective },
    ];
    for objective in objectives {
        assert!(matches!(new(1.0, range, objective), QuotaError::Objective { .. }));
    }
}

#[test]
fn nodes_that_make_no_sense_are_refused_by_name() {
    let with_nodes = |capacities: &[Amounts], node_by_pod: &[u32]| {
        let problem = QuotaTuning::new(&[[1.0, 1.0]], QuotaRange::default(), QuotaObjective::default()).unwrap();
        problem.with_nodes(&NodeLimits { capacities, node_by_pod }).unwrap_err()
    };
    assert!(matches!(with_nodes(&[[1.0, 1.0]], &[]), QuotaError::Length { column: "node_by_pod", .. }));
    assert_eq!(with_nodes(&[[1.0, 1.0]], &[1]), QuotaError::UnknownNode { pod: 0, node: 1 });
    for value in [0.0, -4.0, f64::NAN, 1e-9] {
        let error = with_nodes(&[[1.0, value]], &[0]);
        assert!(matches!(error, QuotaError::Capacity { node: 0, resource: 1, .. }), "{error}");
    }
}

#[test]
fn a_range_of_one_quota_has_one_value() {
    let range = QuotaRange { low: 1.5, high: 1.5, levels: 10 };
    let problem = QuotaTuning::new(&[[1.0, 7.0]], range, QuotaObjective::default()).unwrap();
    assert_eq!((problem.domain(0).len(), problem.domain(1).len()), (1, 1));
    assert_eq!(problem.quotas(&[0, 0]), [[1.5, 10.5]]);
}
