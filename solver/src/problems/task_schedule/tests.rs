//! The printed equations by hand, and what the constructor refuses.

use super::*;
use crate::budget::Budget;
use crate::greedy::Greedy;
use crate::observer::Unobserved;
use crate::problem::UNASSIGNED;
use crate::rng::Rng;
use crate::solver::Solver;

const MACHINES: MachineColumns<'static> =
    MachineColumns { mips: &[10.0, 20.0], transfer: &[100.0, 50.0], cost: &[1.0, 3.0], transfer_cost: &[2.0, 0.5] };

fn problem(lengths: &[u64], completion: Completion) -> TaskSchedule {
    TaskSchedule::new(lengths, &MACHINES, completion).unwrap()
}

#[test]
fn time_and_cost_follow_the_equations() {
    let problem = problem(&[100, 200, 300], Completion::Joint);
    let state = problem.build(&[0, 0, 1]);
    // Machine 0: 30 s + 3 s, machine 1: 15 s + 6 s.
    let score = problem.eval(&state);
    let [time, cost] = [33.0, 30.0 + 2.0 * 3.0 + 3.0 * 15.0 + 0.5 * 6.0];
    assert!((score.objectives.as_slice()[TIME] - time).abs() < 1e-12);
    assert!((score.objectives.as_slice()[COST] - cost).abs() < 1e-12);
    assert!((problem.utilisation(&state) - (33.0 + 21.0) / (2.0 * 33.0)).abs() < 1e-12);
}

#[test]
fn the_literal_time_is_that_of_the_machine_which_executes_longest() {
    let lengths = [100, 195];
    let time = |completion| {
        let problem = problem(&lengths, completion);
        problem.eval(&problem.build(&[0, 1])).objectives.as_slice()[TIME]
    };
    // Machine 0: 10 s + 1 s, machine 1: 9.75 s + 3.9 s.
    assert!((time(Completion::Joint) - 13.65).abs() < 1e-12);
    assert!((time(Completion::Literal) - 11.0).abs() < 1e-12);
}

#[test]
fn tasks_without_a_machine_take_no_part() {
    let problem = problem(&[100, 200], Completion::Joint);
    let state = problem.build(&[UNASSIGNED, UNASSIGNED]);
    assert_eq!(problem.eval(&state).objectives.as_slice(), [0.0, 0.0]);
    assert_eq!(problem.utilisation(&state), 1.0);
}

#[test]
fn the_greedy_is_the_longest_processing_time_rule() {
    let problem = problem(&[300, 100, 200, 400], Completion::Joint);
    let found =
        Greedy::default().solve(&problem, &[], Budget::evaluations(0), &mut Rng::new(1), &mut Unobserved).unwrap();
    // 400 on the fast machine, 300 on the slow one (33 < 49), 200 fast (42 < 55), 100 slow (44 < 49).
    assert_eq!(found.best.genome, [0, 0, 1, 1]);
}

#[test]
fn without_tasks_machines_are_not_needed() {
    let none = MachineColumns { mips: &[], transfer: &[], cost: &[], transfer_cost: &[] };
    let problem = TaskSchedule::new(&[], &none, Completion::Joint).unwrap();
    assert_eq!(problem.eval(&problem.build(&[])).objectives.as_slice(), [0.0, 0.0]);
    let error = TaskSchedule::new(&[1], &none, Completion::Joint).unwrap_err();
    assert_eq!(error, TaskScheduleError::NoMachines);
}

#[test]
fn what_is_out_of_range_is_refused_by_name_and_place() {
    let refused = |lengths: &[u64], machines: MachineColumns<'_>| {
        TaskSchedule::new(lengths, &machines, Completion::Joint).unwrap_err()
    };
    let named = |error: TaskScheduleError| match error {
        TaskScheduleError::Number { column, index, .. } => (column, index),
        other => panic!("{other}"),
    };
    assert_eq!(named(refused(&[1], MachineColumns { mips: &[1.0, 0.0], ..MACHINES })), ("mips", 1));
    assert_eq!(named(refused(&[1], MachineColumns { transfer: &[f64::NAN, 1.0], ..MACHINES })), ("transfer", 0));
    assert_eq!(named(refused(&[1], MachineColumns { cost: &[1.0, -1.0], ..MACHINES })), ("cost", 1));
    assert_eq!(
        refused(&[1], MachineColumns { transfer_cost: &[1.0], ..MACHINES }),
        TaskScheduleError::Length { column: "transfer_cost", expected: 2, found: 1 }
    );
    assert_eq!(refused(&[1, 0], MACHINES), TaskScheduleError::EmptyTask { task: 1 });
    assert_eq!(refused(&[1 << 53, 1], MACHINES), TaskScheduleError::Sum);
    assert_eq!(refused(&[u64::MAX, u64::MAX], MACHINES), TaskScheduleError::Sum);
}
