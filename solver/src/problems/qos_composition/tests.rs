//! What a composition is worth, on cases small enough to count by hand.

use super::*;
use crate::individual::Individual;

/// Two services with two replicas each.
fn pair(bounds: &[Bound]) -> QosComposition {
    QosComposition::chain(&[vec![1.0, 2.0], vec![4.0, 3.0]], vec![vec![0.0, 8.0, 2.0, 0.5]], bounds).unwrap()
}

fn value(problem: &QosComposition, genome: &[u32]) -> f64 {
    Individual::evaluate(problem, genome.to_vec()).score.objectives.as_slice()[0]
}

#[test]
fn services_and_the_ways_between_them_add_up() {
    let problem = pair(&[]);
    assert_eq!(value(&problem, &[0, 0]), -5.0);
    assert_eq!(value(&problem, &[0, 1]), -12.0);
    assert_eq!(value(&problem, &[1, 0]), -8.0);
    assert_eq!(value(&problem, &[1, UNASSIGNED]), -2.0);
    assert_eq!(value(&problem, &[UNASSIGNED, UNASSIGNED]).to_bits(), 0.0_f64.to_bits(), "no negative zero");
    assert_eq!(problem.total_quality(&[0, 1]), 12.0);
}

#[test]
fn a_sum_over_its_limit_is_a_violation_and_one_at_the_limit_is_none() {
    let bound = Bound { amounts: vec![vec![0.1, 0.3], vec![0.2, 0.5]], limit: 0.3 };
    let problem = pair(&[bound]);
    let violation = |genome: &[u32]| problem.eval(&problem.build(genome)).violation;
    assert_eq!(violation(&[0, 0]), 0.0, "0.1 + 0.2 is 0.3 here");
    assert!((violation(&[1, 0]) - 0.2 / 0.3).abs() < 1e-9);
    assert_eq!(violation(&[1, UNASSIGNED]), 0.0);
    assert!(problem.is_bounded() && !pair(&[]).is_bounded());
}

#[test]
fn a_limit_of_zero_forbids_what_adds_anything() {
    let problem = pair(&[Bound { amounts: vec![vec![0.0, 1e-9], vec![0.0, 1.0]], limit: 0.0 }]);
    let feasible = |genome: &[u32]| problem.eval(&problem.build(genome)).is_feasible();
    assert!(feasible(&[0, 0]) && !feasible(&[1, 0]) && !feasible(&[0, 1]));
}

#[test]
fn repair_brings_a_composition_under_its_bounds_if_each_service_can() {
    let problem = pair(&[Bound { amounts: vec![vec![0.0, 5.0], vec![0.0, 5.0]], limit: 1.0 }]);
    let mut state = problem.build(&[1, 1]);
    problem.repair(&mut state, &mut Rng::new(1));
    assert_eq!(problem.genome(&state), [0, 0]);
    let mut sound = problem.build(&[0, 0]);
    problem.repair(&mut sound, &mut Rng::new(1));
    assert_eq!(problem.genome(&sound), [0, 0]);
}

#[test]
fn attraction_counts_the_ways_to_what_is_chosen_and_is_never_nothing() {
    let problem = pair(&[]);
    let (blank, first) = (problem.build(&[UNASSIGNED; 2]), problem.build(&[0, UNASSIGNED]));
    assert_eq!((problem.heuristic(&blank, 1, 1), problem.heuristic(&first, 1, 1)), (3.0, 11.0));
    let worthless = QosComposition::new(&[vec![0.0; 2]], &[], &[]).unwrap();
    assert!(worthless.heuristic(&worthless.build(&[UNASSIGNED]), 0, 0) > 0.0);
}

#[test]
fn an_exchange_makes_no_sense() {
    let problem = pair(&[]);
    assert_eq!(problem.delta(&problem.build(&[0, 1]), Move::Swap { first: 0, second: 1 }), None);
}

#[test]
fn the_context_is_the_caller_that_matters_most() {
    let edge = |from, to, width: f64| Edge { from, to, quality: vec![1.0, 1.0 + width, 1.0, 1.0] };
    let terms = vec![vec![1.0; 2]; 4];
    let problem = QosComposition::new(&terms, &[edge(0, 2, 0.5), edge(1, 2, 2.0), edge(2, 3, 0.0)], &[]).unwrap();
    let contexts: Vec<_> = (0..4).map(|service| problem.context(service)).collect();
    assert_eq!(contexts, [None, None, Some(1), Some(2)]);
}

#[test]
fn faults_are_named() {
    let terms = || vec![vec![1.0, 2.0], vec![4.0]];
    let edge = |from, to, count| Edge { from, to, quality: vec![1.0; count] };
    let bound = |amounts, limit| Bound { amounts, limit };
    let refused =
        |terms: &[Vec<f64>], edges: &[Edge], bounds: &[Bound]| QosComposition::new(terms, edges, bounds).unwrap_err();
    assert_eq!(refused(&[vec![1.0], vec![]], &[], &[]), QosError::NoReplica { service: 1 });
    assert_eq!(refused(&terms(), &[edge(1, 1, 1)], &[]), QosError::EdgeOrder { from: 1, to: 1, services: 2 });
    assert_eq!(refused(&terms(), &[edge(0, 2, 1)], &[]), QosError::EdgeOrder { from: 0, to: 2, services: 2 });
    let length = QosError::Length { column: "edge", service: 0, expected: 2, found: 3 };
    assert_eq!(refused(&terms(), &[edge(0, 1, 3)], &[]), length);
    let services = QosError::Services { column: "amounts", expected: 2, found: 1 };
    assert_eq!(refused(&terms(), &[], &[bound(vec![vec![1.0; 2]], 1.0)]), services);
    for odd in [f64::NAN, -1.0, f64::INFINITY, 1e16] {
        let number = refused(&[vec![1.0, odd]], &[], &[]);
        assert!(matches!(number, QosError::Number { column: "quality", service: 0, .. }), "{number}");
        let limit = refused(&terms(), &[], &[bound(vec![vec![1.0; 2], vec![1.0]], odd)]);
        assert!(matches!(limit, QosError::Number { column: "limit", .. }), "{limit}");
    }
}
