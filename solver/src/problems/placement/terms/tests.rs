//! Terms against hand-made numbers, and their refusals.

use std::sync::Arc;

use super::*;
use crate::domain::DomainClass;
use crate::problem::{Move, Problem};
use crate::problems::placement::{NodeColumns, Objective, Placement, PodColumns};

/// Three pods of size 2 on rows of size 10 and 20; the larger one holds 4 already.
fn problem(objective: Objective) -> Placement {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0, 20.0], requested: &[0.0, 4.0], weights: &[1.0; 2] };
    let pods = PodColumns { requests: &[2.0; 3], class_by_pod: &[0; 3] };
    Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(2))], objective).unwrap()
}

/// What the terms add to the objective.
fn added(terms: &Terms<'_>, genome: &[u32]) -> f64 {
    let (plain, with) = (problem(Objective::Sigma), problem(Objective::Sigma).with_terms(terms).unwrap());
    let value = |problem: &Placement| problem.eval(&problem.build(genome)).objectives.as_slice()[0];
    value(&with) - value(&plain)
}

#[test]
fn the_mean_load_is_that_of_the_equation() {
    let terms = Terms { mean_load: 0.5, ..Terms::default() };
    // Loads: 20 and 20 + 20.
    assert!((added(&terms, &[0, 1, 1]) - 0.5 * 30.0).abs() < 1e-12);
    assert!((added(&terms, &[UNASSIGNED; 3]) - 0.5 * 10.0).abs() < 1e-12);
}

#[test]
fn a_little_mean_load_breaks_ties_for_the_larger_row() {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0, 20.0], requested: &[0.0, 0.0], weights: &[1.0; 2] };
    let pods = PodColumns { requests: &[4.0, 4.0], class_by_pod: &[0; 2] };
    let plain = Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(2))], Objective::Sigma).unwrap();
    let problem = plain.with_terms(&Terms { mean_load: 0.01, ..Terms::default() }).unwrap();
    // 40 and 20 against 0 and 40: both are 20 apart once one pod is on each, or both on the large row are 40 apart.
    let value = |genome: &[u32]| problem.eval(&problem.build(genome)).objectives.as_slice()[0];
    assert!((value(&[0, 1]) - 10.3).abs() < 1e-12);
    assert!((value(&[1, 1]) - 20.2).abs() < 1e-12);
}

#[test]
fn only_placed_pods_that_had_another_row_count_as_moved() {
    let row_by_pod = [Some(0), None, Some(9)];
    let moves = Moves { weight: 3.0, row_by_pod: &row_by_pod };
    let terms = Terms { moves, ..Terms::default() };
    for (genome, moved) in [([0, 1, UNASSIGNED], 0.0), ([1, 1, UNASSIGNED], 1.0), ([1, 0, 0], 2.0)] {
        assert!((added(&terms, &genome) - 3.0 * moved).abs() < 1e-12, "{genome:?}");
    }
}

#[test]
fn staying_is_worth_the_weight_of_a_move() {
    let row_by_pod = [Some(0); 3];
    let moves = Moves { weight: 1_000.0, row_by_pod: &row_by_pod };
    let problem = problem(Objective::Balanced).with_terms(&Terms { moves, ..Terms::default() }).unwrap();
    let by = crate::scalarise::Scalarisation::default();
    assert_eq!(problem.best_value(&problem.build(&[0, 0, UNASSIGNED]), 2, &by).unwrap().value, 0);
    let state = problem.build(&[0, 0, 0]);
    assert_eq!(problem.measures(&state).moved, 0);
    assert!(problem.delta(&state, Move::Set { item: 0, value: 1 }).unwrap().objectives.as_slice()[0] > 1_000.0);
}

#[test]
fn risk_is_the_mean_square_above_the_threshold() {
    // Forecast 5 of 10 and 16 of 20; with one pod each: 70 and 90; above 75 are 0 and 15.
    let risk = Risk { weight: 2.0, forecast: &[5.0, 16.0], threshold: 75.0 };
    let terms = Terms { risk, ..Terms::default() };
    assert!((added(&terms, &[0, 1, UNASSIGNED]) - 2.0 * 225.0 / 2.0).abs() < 1e-9);
    assert_eq!(added(&terms, &[0, 0, UNASSIGNED]), 2.0 * (225.0 + 25.0) / 2.0);
}

#[test]
fn the_base_load_is_not_added_to_the_forecast() {
    // The 4 that row 1 holds are part of what is forecast: 2 of 20, and 40 with three pods.
    let risk = Risk { weight: 1.0, forecast: &[0.0, 2.0], threshold: 40.0 };
    assert_eq!(added(&Terms { risk, ..Terms::default() }, &[1, 1, 1]), 0.0);
    let risk = Risk { threshold: 39.0, ..risk };
    assert!((added(&Terms { risk, ..Terms::default() }, &[1, 1, 1]) - 0.5).abs() < 1e-9);
}

#[test]
fn terms_without_weight_leave_the_problem_as_it_was() {
    let problem = problem(Objective::Balanced).with_terms(&Terms::default()).unwrap();
    assert!(problem.extras.is_none());
}

#[test]
fn faulty_terms_are_refused_by_name() {
    let fault = |terms: Terms<'_>| problem(Objective::Sigma).with_terms(&terms).unwrap_err();
    let moves = |weight, row_by_pod| Terms { moves: Moves { weight, row_by_pod }, ..Terms::default() };
    let risk = |weight, forecast, threshold| Terms { risk: Risk { weight, forecast, threshold }, ..Terms::default() };
    let length = |column, expected, found| PlacementError::Length { column, expected, found };
    assert_eq!(fault(moves(1.0, &[])), length("row_by_pod", 3, 0));
    assert_eq!(fault(moves(0.0, &[None])), length("row_by_pod", 3, 1));
    assert_eq!(fault(risk(1.0, &[], 80.0)), length("forecast", 2, 0));
    for faulty in [f64::NAN, -1.0, f64::INFINITY] {
        for terms in [
            Terms { mean_load: faulty, ..Terms::default() },
            moves(faulty, &[None; 3]),
            risk(faulty, &[0.0; 2], 80.0),
            risk(1.0, &[0.0; 2], faulty),
        ] {
            assert!(matches!(fault(terms), PlacementError::Number { column: "terms", .. }), "{faulty}");
        }
    }
    assert!(matches!(
        fault(risk(1.0, &[0.0, -1.0], 80.0)),
        PlacementError::Number { column: "forecast", index: 1, .. }
    ));
}
