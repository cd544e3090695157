//! Rules between pods against hand-made cases, and their refusals.

use std::sync::Arc;

use crate::domain::DomainClass;
use crate::problem::{Move, Problem, UNASSIGNED};
use crate::problems::placement::{
    Force, Groups, Limit, NO_VALUE, NodeColumns, Objective, Placement, PlacementError, PodColumns, Rule,
};

/// Pods of size 1 on rows of size 10 that are alike.
fn problem(rows: usize, pods: usize) -> Placement {
    let (allocatable, weights) = (vec![10.0; rows], vec![1.0; rows]);
    let nodes = NodeColumns { resources: 1, allocatable: &allocatable, requested: &[], weights: &weights };
    let (requests, class_by_pod) = (vec![1.0; pods], vec![0; pods]);
    let pods = PodColumns { requests: &requests, class_by_pod: &class_by_pod };
    Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(rows as u32))], Objective::Balanced).unwrap()
}

const ALL: &[u32] = &[0, 1, 2, 3, 4];

fn rule(limit: Limit, existing: &[(u32, u32)]) -> Rule<'_> {
    Rule { topology: 0, pods: ALL, existing, limit, force: Force::Hard }
}

/// Five pods under one rule.
fn bound(values: &[u32], rule: Rule<'_>) -> Placement {
    problem(values.len(), 5).with_groups(&Groups { topologies: &[values], rules: &[rule] }).unwrap()
}

fn surplus(problem: &Placement, genome: &[u32]) -> f64 {
    problem.eval(&problem.build(genome)).violation
}

#[test]
fn five_anti_affine_pods_on_three_rows_leave_two_without_a_row() {
    let problem = bound(&[0, 1, 2], rule(Limit::AtMost(1), &[]));
    let assignment = problem.assignment(&[UNASSIGNED; 5]);
    assert_eq!((assignment.unplaced, assignment.score.violation), (vec![3, 4], 0.0));
    assert_eq!(surplus(&problem, &[0, 0, 1, 2, 2]), 2.0);
    assert_eq!(problem.assignment(&[0, 0, 1, 2, 2]).row_by_pod, [Some(0), None, Some(1), Some(2), None]);
}

#[test]
fn pods_that_are_there_already_are_no_surplus_but_take_the_place() {
    let problem = bound(&[7, 8], rule(Limit::AtMost(1), &[(7, 3), (99, 5)]));
    let none = UNASSIGNED;
    assert_eq!(surplus(&problem, &[none; 5]), 0.0);
    assert_eq!(surplus(&problem, &[1, none, none, none, none]), 0.0);
    assert_eq!(surplus(&problem, &[1, 0, 0, none, none]), 2.0);
}

#[test]
fn a_skew_is_kept_if_and_only_if_no_two_counts_differ_by_more() {
    let problem = bound(&[0, 1, 2], rule(Limit::Skew(1), &[]));
    for (genome, expected) in [
        ([0, 1, 2, 0, 1], 0.0),
        ([0, 1, 0, 1, UNASSIGNED], 2.0),
        ([0, 0, 1, 2, 0], 1.0),
        ([0, 0, 0, 0, 0], 4.0),
        ([0, 1, UNASSIGNED, UNASSIGNED, UNASSIGNED], 0.0),
    ] {
        assert_eq!(surplus(&problem, &genome), expected, "{genome:?}");
    }
}

#[test]
fn an_uneven_start_is_evened_out_and_not_held_against_the_pods() {
    // Counts 5, 0, 1: pods may go where the fewest are, and never on top of the five before the others have four.
    let problem = bound(&[0, 1, 2], rule(Limit::Skew(1), &[(0, 5), (2, 1)]));
    let none = UNASSIGNED;
    assert_eq!(surplus(&problem, &[1, none, none, none, none]), 0.0);
    assert_eq!(surplus(&problem, &[2, none, none, none, none]), 1.0);
    assert_eq!(surplus(&problem, &[1, 1, 2, 2, 1]), 0.0);
    assert_eq!(surplus(&problem, &[1, 1, 2, 2, 0]), 1.0);
    let placed = problem.assignment(&[0; 5]);
    assert_eq!((placed.unplaced.len(), placed.score.violation), (0, 0.0));
}

#[test]
fn rows_without_a_value_count_for_no_rule() {
    let values = [0, NO_VALUE, 1];
    assert_eq!(surplus(&bound(&values, rule(Limit::AtMost(1), &[])), &[1, 1, 1, 0, 2]), 0.0);
    assert_eq!(surplus(&bound(&values, rule(Limit::Skew(1), &[])), &[1, 1, 1, 0, UNASSIGNED]), 0.0);
}

#[test]
fn a_value_counts_all_its_rows() {
    let problem = bound(&[4, 4, 5, 5], rule(Limit::AtMost(1), &[]));
    assert_eq!(surplus(&problem, &[0, 1, 2, UNASSIGNED, UNASSIGNED]), 1.0);
}

#[test]
fn exchanging_two_pods_of_a_group_changes_nothing_for_its_rule() {
    let pair = Rule { pods: &[0, 1], ..rule(Limit::AtMost(1), &[(0, 1)]) };
    let problem = bound(&[0, 1, 2], pair);
    let state = problem.build(&[0, 1, 2, 2, 2]);
    let violation = |change| problem.delta(&state, change).unwrap().violation;
    assert_eq!(violation(Move::Swap { first: 0, second: 1 }), 1.0);
    assert_eq!(violation(Move::Swap { first: 0, second: 4 }), 0.0, "the other pod is bound by no rule");
}

#[test]
fn the_best_value_breaks_a_rule_only_if_every_value_does() {
    let problem = bound(&[0, 1], rule(Limit::AtMost(1), &[]));
    let by = crate::scalarise::Scalarisation::default();
    let none = UNASSIGNED;
    assert_eq!(problem.best_value(&problem.build(&[0, none, none, none, none]), 1, &by).unwrap().value, 1);
    assert_eq!(problem.best_value(&problem.build(&[0, 1, none, none, none]), 2, &by).unwrap().value, 0);
}

#[test]
fn huge_counts_and_skews_are_taken_as_they_come() {
    let problem = bound(&[0, 1], rule(Limit::Skew(u32::MAX), &[(0, u32::MAX), (0, u32::MAX)]));
    assert_eq!(surplus(&problem, &[0; 5]), 0.0);
    let problem = bound(&[0, 1], rule(Limit::Skew(1), &[(0, u32::MAX), (0, u32::MAX)]));
    assert_eq!((surplus(&problem, &[0; 5]), surplus(&problem, &[1; 5])), (5.0, 0.0));
    let problem = bound(&[0, 1], rule(Limit::AtMost(u32::MAX), &[(0, u32::MAX)]));
    assert_eq!(surplus(&problem, &[0; 5]), 0.0);
}

#[test]
fn pods_that_can_be_placed_nowhere_are_left_out_of_their_group() {
    let nodes = NodeColumns { resources: 1, allocatable: &[10.0; 2], requested: &[], weights: &[1.0; 2] };
    let pods = PodColumns { requests: &[1.0, 99.0, 1.0], class_by_pod: &[0; 3] };
    let problem = Placement::new(&nodes, &pods, &[Arc::new(DomainClass::all(2))], Objective::Sigma).unwrap();
    let rules = [Rule { pods: &[0, 1, 2], ..rule(Limit::AtMost(1), &[]) }];
    let problem = problem.with_groups(&Groups { topologies: &[&[0, 1]], rules: &rules }).unwrap();
    assert_eq!(problem.assignment(&[0, 0]).row_by_pod, [Some(0), None, Some(1)]);
}

#[test]
fn no_rules_leave_the_problem_as_it_was() {
    let (plain, empty) = (problem(3, 5), problem(3, 5).with_groups(&Groups::default()).unwrap());
    let genome = [0, 0, 1, 2, UNASSIGNED];
    assert_eq!(plain.eval(&plain.build(&genome)), empty.eval(&empty.build(&genome)));
    assert_eq!(empty.measures(&empty.build(&genome)), super::super::Measures::default());
    assert!(empty.extras.is_none());
}

#[test]
fn faulty_rules_are_refused_by_number() {
    let fault = |topologies: &[&[u32]], rule: Rule<'_>| {
        problem(2, 5).with_groups(&Groups { topologies, rules: &[rule] }).unwrap_err()
    };
    let sound = rule(Limit::AtMost(1), &[]);
    let rows: &[&[u32]] = &[&[0, 1]];
    assert_eq!(fault(&[&[0]], sound), PlacementError::Length { column: "topology", expected: 2, found: 1 });
    assert_eq!(
        fault(rows, Rule { topology: 3, ..sound }),
        PlacementError::UnknownTopology { rule: 0, topology: 3, topologies: 1 }
    );
    assert_eq!(fault(rows, Rule { pods: &[5], ..sound }), PlacementError::UnknownPod { rule: 0, pod: 5, pods: 5 });
    assert_eq!(fault(rows, Rule { pods: &[1, 0, 1], ..sound }), PlacementError::RepeatedPod { rule: 0, pod: 1 });
    assert_eq!(fault(rows, rule(Limit::Skew(0), &[])), PlacementError::NoSkew { rule: 0 });
    for weight in [f64::NAN, -1.0, f64::INFINITY] {
        let error = fault(rows, Rule { force: Force::Soft(weight), ..sound });
        assert!(matches!(error, PlacementError::Number { column: "rule weights", .. }), "{error}");
    }
}
