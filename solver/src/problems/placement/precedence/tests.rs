//! Priorities against hand-made cases, and the law on random ones.

use std::sync::Arc;

use super::*;
use crate::domain::DomainClass;
use crate::problems::placement::{Force, Groups, Limit, NodeColumns, Objective, PlacementError, PodColumns, Rule};
use crate::rng::Rng;

/// Rows of one resource.
fn problem(capacities: &[f64], requests: &[f64], priorities: &[i32]) -> Placement {
    let weights = vec![1.0; capacities.len()];
    let nodes = NodeColumns { resources: 1, allocatable: capacities, requested: &[], weights: &weights };
    let class_by_pod = vec![0; requests.len()];
    let pods = PodColumns { requests, class_by_pod: &class_by_pod };
    let classes = [Arc::new(DomainClass::all(capacities.len() as u32))];
    let problem = Placement::new(&nodes, &pods, &classes, Objective::Balanced).unwrap();
    problem.with_priorities(priorities).unwrap()
}

#[test]
fn a_pod_takes_the_place_of_one_of_lower_priority() {
    let problem = problem(&[4.0, 4.0], &[4.0, 4.0, 4.0], &[0, 1, 2]);
    let row_by_pod = problem.assignment(&[0, 1, UNASSIGNED]).row_by_pod;
    assert_eq!(row_by_pod, [None, Some(1), Some(0)]);
}

#[test]
fn of_an_over_full_row_the_lowest_priority_goes() {
    let problem = problem(&[4.0], &[4.0, 4.0, 4.0], &[1, 2, 0]);
    assert_eq!(problem.assignment(&[0, 0, 0]).row_by_pod, [None, Some(0), None]);
}

#[test]
fn who_makes_place_goes_elsewhere_if_there_is_room() {
    let problem = problem(&[6.0, 3.0], &[2.0, 2.0, 6.0], &[0, 0, 7]);
    assert_eq!(problem.assignment(&[0, 0, UNASSIGNED]).row_by_pod, [Some(1), None, Some(0)]);
}

#[test]
fn a_large_pod_takes_the_place_of_several_but_never_of_equals() {
    let problem = problem(&[6.0, 4.0], &[3.0, 3.0, 4.0, 6.0], &[0, 0, 5, 5]);
    assert_eq!(problem.assignment(&[0, 0, 1, UNASSIGNED]).row_by_pod, [None, None, Some(1), Some(0)]);
}

#[test]
fn a_rule_lets_the_lower_priority_make_place_on_another_row() {
    let free = problem(&[4.0, 4.0, 1.0], &[1.0, 4.0, 4.0], &[0, 9, 9]);
    let apart = Rule { topology: 0, pods: &[0, 1], existing: &[], limit: Limit::AtMost(1), force: Force::Hard };
    let problem = free.with_groups(&Groups { topologies: &[&[5, 6, 5]], rules: &[apart] }).unwrap();
    assert_eq!(problem.assignment(&[2, UNASSIGNED, 1]).row_by_pod, [None, Some(0), Some(1)]);
}

#[test]
fn equal_priorities_leave_the_problem_as_it_was() {
    assert!(problem(&[4.0], &[1.0, 1.0], &[3, 3]).precedence.is_none());
    let wrong = problem(&[4.0], &[1.0], &[3]).with_priorities(&[]).unwrap_err();
    assert_eq!(wrong, PlacementError::Length { column: "priorities", expected: 1, found: 0 });
}

#[test]
fn no_pod_is_left_out_that_would_fit_without_pods_of_lower_priorities() {
    let mut left_out = 0;
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut draw = |count: u32, least: u32, most: u32| -> Vec<f64> {
            (0..count).map(|_| f64::from(least + rng.below(most - least))).collect()
        };
        let (capacities, requests) = (draw(6, 5, 15), draw(25, 1, 9));
        let priorities: Vec<i32> = draw(25, 0, 4).into_iter().map(|priority| priority as i32).collect();
        let genome: Vec<u32> = draw(25, 0, 6).into_iter().map(|row| row as u32).collect();
        let problem = problem(&capacities, &requests, &priorities);
        let genome: Vec<u32> = genome.into_iter().take(problem.items()).collect();
        let assignment = problem.assignment(&genome);
        for &pod in assignment.unplaced.iter().filter(|pod| !problem.unplaceable().contains(pod)) {
            left_out += 1;
            for (row, capacity) in capacities.iter().enumerate() {
                let kept: f64 = (0..25)
                    .filter(|&other| assignment.row_by_pod[other] == Some(row as u32))
                    .filter(|&other| priorities[other] >= priorities[pod as usize])
                    .map(|other| requests[other])
                    .sum();
                assert!(kept + requests[pod as usize] > *capacity, "seed {seed}: pod {pod} would fit on {row}");
            }
        }
    }
    assert!(left_out > 300, "{left_out}");
}
