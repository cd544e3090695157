//! What is asserted of T001: means over five seeds, on the runs of the report.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may panic like the test itself")]

use gantry_papers::cmma_ga::{Curve, EVALUATIONS, Gaps, Method, Task, gaps, run, runs};

fn mean_gaps(method: Method, task: Task) -> Gaps {
    gaps(&runs(method, task).unwrap())
}

fn assert_ahead_of_the_ant_system(task: Task) {
    let (ours, ants) = (mean_gaps(Method::CmmaGa, task), mean_gaps(Method::MaxMin, task));
    assert!(ours.last < 0.7 * ants.last, "{task:?}, at the end: {ours:?} against {ants:?}");
    assert!(ours.early < 0.65 * ants.early, "{task:?}, early: {ours:?} against {ants:?}");
}

#[test]
fn breeding_and_learning_ants_are_ahead_of_the_ant_system_with_30_services() {
    assert_ahead_of_the_ant_system(Task::CHAINS[1]);
}

#[test]
fn breeding_and_learning_ants_are_ahead_of_the_ant_system_with_100_services() {
    assert_ahead_of_the_ant_system(Task::CHAINS[2]);
}

#[test]
fn breeding_and_learning_ants_are_ahead_of_the_ant_system_in_a_graph_with_a_limit() {
    assert_ahead_of_the_ant_system(Task::Graph);
}

#[test]
fn every_method_is_far_ahead_of_chance() {
    let task = Task::CHAINS[1];
    let chance = mean_gaps(Method::Random, task).last;
    for method in [Method::Genetic, Method::CmmaGa, Method::LocalSearch] {
        let gap = mean_gaps(method, task).last;
        assert!(gap < 0.25 * chance, "{method:?}: {gap} against {chance}");
    }
}

/// The claim that the source does not make and a reader would like to.
#[test]
fn local_search_needs_less_than_any_colony_in_long_chains() {
    let task = Task::CHAINS[2];
    let (climbing, ours) = (mean_gaps(Method::LocalSearch, task), mean_gaps(Method::CmmaGa, task));
    assert!(climbing.last < ours.last, "{climbing:?} against {ours:?}");
}

#[test]
fn runs_spend_what_they_are_given_gain_as_they_go_and_never_pass_the_limit() {
    for task in [Task::CHAINS[0], Task::Graph] {
        for method in Method::COMPARED.into_iter().chain(Method::FURTHER) {
            for seed in [1, 2] {
                let Curve { points, early, last } = run(method, task, seed).unwrap();
                assert!(points.iter().all(|point| point.0 <= EVALUATIONS), "{method:?} spends too much");
                let gaps: Vec<f64> = points.iter().map(|point| point.1).chain([last]).collect();
                assert!(gaps.is_sorted_by(|a, b| a >= b) && last <= early, "{method:?} gets worse");
                assert!(last >= 0.0, "{method:?} passes the limit of {task:?}");
            }
        }
    }
}
