//! The row scorer against the problem it stands for.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::DomainClass;
use crate::problem::{Move, Problem, UNASSIGNED};
use crate::problems::placement::{Placement, PodColumns};

/// Rows with whole numbers, some weights and capacities 0, and a request.
#[derive(Clone, Debug)]
struct Case {
    resources: usize,
    allocatable: Vec<f64>,
    requested: Vec<f64>,
    weights: Vec<f64>,
    request: Vec<f64>,
}

impl Case {
    fn columns(&self) -> NodeColumns<'_> {
        NodeColumns {
            resources: self.resources,
            allocatable: &self.allocatable,
            requested: &self.requested,
            weights: &self.weights,
        }
    }

    fn rows(&self) -> usize {
        self.allocatable.len() / self.resources
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (1_usize..6).prop_flat_map(cases_of)
}

fn pairs() -> impl Strategy<Value = (Case, Case)> {
    (1_usize..6).prop_flat_map(|resources| (cases_of(resources), cases_of(resources)))
}

fn cases_of(resources: usize) -> impl Strategy<Value = Case> {
    (1_usize..300).prop_flat_map(move |rows| {
        let cells = resources * rows;
        let whole = |most: u32| (0..most).prop_map(f64::from);
        let weight = prop_oneof![Just(0.0), Just(1.0), 0.1..4.0_f64];
        (
            prop::collection::vec(prop_oneof![1 => Just(0.0), 9 => (1_000_u32..90_000).prop_map(f64::from)], cells),
            prop::collection::vec(whole(50_000), cells),
            prop::collection::vec(weight, cells),
            prop::collection::vec(prop_oneof![1 => Just(0.0), 4 => whole(9_000)], resources),
        )
            .prop_map(move |(allocatable, requested, weights, request)| Case {
                resources,
                allocatable,
                requested,
                weights,
                request,
            })
    })
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * scale.abs().max(1e-6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn changes_equal_those_of_the_problem(case in cases(), objective in prop::sample::select(&Objective::ALL[..])) {
        let scorer = RowScorer::new(objective, &case.columns()).unwrap();
        let pods = PodColumns { requests: &case.request, class_by_pod: &[0] };
        let classes = [Arc::new(DomainClass::all(case.rows() as u32))];
        let problem = Placement::new(&case.columns(), &pods, &classes, objective).unwrap();
        prop_assume!(problem.items() == 1);
        let state = problem.build(&[UNASSIGNED]);
        let before = problem.eval(&state).objectives.as_slice()[0];
        prop_assert!(close(scorer.objective(), before, before));
        let mut changes = vec![f64::NAN; case.rows()];
        scorer.changes(&case.request, &mut changes).unwrap();
        for (row, change) in changes.into_iter().enumerate() {
            let score = problem.delta(&state, Move::Set { item: 0, value: row as u32 }).unwrap();
            let after = score.objectives.as_slice()[0];
            prop_assert!(close(change, after - before, after + before), "row {}: {} != {}", row, change, after - before);
        }
    }

    #[test]
    fn changed_rows_score_as_if_they_had_always_been_so(
        (case, other) in pairs(),
        objective in prop::sample::select(&Objective::ALL[..]),
    ) {
        let mut scorer = RowScorer::new(objective, &case.columns()).unwrap();
        let mut changed = case.clone();
        let r = case.resources;
        for row in 0..case.rows().min(other.rows()) {
            let cells = row * r..(row + 1) * r;
            let part = |values: &[f64]| values[cells.clone()].to_vec();
            scorer
                .set_row(row, &part(&other.allocatable), &part(&other.requested), &part(&other.weights))
                .unwrap();
            scorer.add(row, &other.request).unwrap();
            changed.allocatable[cells.clone()].copy_from_slice(&part(&other.allocatable));
            changed.weights[cells.clone()].copy_from_slice(&part(&other.weights));
            let used: Vec<f64> = part(&other.requested).iter().zip(&other.request).map(|(a, b)| a + b).collect();
            changed.requested[cells].copy_from_slice(&used);
        }
        let fresh = RowScorer::new(objective, &changed.columns()).unwrap();
        let (mut a, mut b) = (vec![0.0; case.rows()], vec![0.0; case.rows()]);
        scorer.changes(&case.request, &mut a).unwrap();
        fresh.changes(&case.request, &mut b).unwrap();
        prop_assert_eq!(a, b);
    }
}

#[test]
fn under_every_objective_a_heavier_resource_decides_and_equal_weights_are_the_same_bit_for_bit() {
    // 60 % of the first resource are taken of row 0, of the second of row 1; of the other 20 % each.
    let (allocatable, requested) = ([100.0; 4], [60.0, 20.0, 20.0, 60.0]);
    for objective in Objective::ALL {
        let changes = |one: f64, other: f64| {
            let weights = &[one, other, one, other];
            let nodes = NodeColumns { resources: 2, allocatable: &allocatable, requested: &requested, weights };
            let mut changes = [0.0; 2];
            RowScorer::new(objective, &nodes).unwrap().changes(&[10.0, 10.0], &mut changes).unwrap();
            changes
        };
        let (first, second) = (changes(10.0, 1.0), changes(1.0, 10.0));
        assert!(first[0] > first[1] && second[0] < second[1], "{objective:?}: {first:?} {second:?}");
        for weight in [0.1, 5.0, 1000.0] {
            assert_eq!(changes(weight, weight).map(f64::to_bits), changes(1.0, 1.0).map(f64::to_bits));
        }
    }
}

#[test]
fn a_request_weighs_where_it_asks_for_something_that_takes_part() {
    let nodes =
        NodeColumns { resources: 3, allocatable: &[10.0, 10.0, 0.0], requested: &[], weights: &[1.0, 0.0, 1.0] };
    let scorer = RowScorer::new(Objective::Balanced, &nodes).unwrap();
    assert!(scorer.weighs(&[1.0, 0.0, 0.0]));
    assert!(!scorer.weighs(&[0.0, 1.0, 1.0]));
}

fn two_rows() -> RowScorer {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0, 20.0], requested: &[5.0, 5.0], weights: &[1.0; 2] };
    RowScorer::new(Objective::Sigma, &nodes).unwrap()
}

#[test]
fn the_row_that_evens_out_the_load_gets_the_least_change() {
    let mut changes = [0.0; 2];
    two_rows().changes(&[5.0], &mut changes).unwrap();
    // Loads 50 and 25, σ 12.5; the pod makes them 100 and 25, or 50 and 50.
    assert!((changes[0] - 25.0).abs() < 1e-12 && (changes[1] + 12.5).abs() < 1e-12, "{changes:?}");
}

#[test]
fn wrong_shapes_and_numbers_are_refused_and_change_nothing() {
    let mut scorer = two_rows();
    let length = |column, expected, found| Err(PlacementError::Length { column, expected, found });
    assert_eq!(scorer.changes(&[1.0], &mut [0.0]), length("changes", 2, 1));
    assert_eq!(scorer.changes(&[], &mut [0.0; 2]), length("request", 1, 0));
    assert_eq!(scorer.add(2, &[1.0]), length("row", 2, 2));
    assert_eq!(scorer.set_row(0, &[1.0], &[1.0, 1.0], &[1.0]), length("requested", 1, 2));
    assert!(matches!(scorer.add(0, &[f64::NAN]), Err(PlacementError::Number { column: "request", index: 0, .. })));
    assert_eq!(scorer.objective(), two_rows().objective());
}

#[test]
fn a_history_of_changes_leaves_no_trace() {
    let mut scorer = two_rows();
    for taken in [1e9, 3.3, 7.0, 1e15, 5.0] {
        scorer.set_row(0, &[10.0], &[taken], &[1.0]).unwrap();
    }
    assert_eq!(scorer.objective().to_bits(), two_rows().objective().to_bits());
}
