//! The problem on examples small enough to do by hand.

use super::*;

const COLUMNS: EnergyColumns<'_> = EnergyColumns {
    energy: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    time: &[6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
    caps: &[4.0, f64::INFINITY],
};

fn example(objective: TimeObjective) -> EnergyAssignment {
    EnergyAssignment::new(&COLUMNS, objective).unwrap()
}

fn scored(objective: TimeObjective, genome: &[u32]) -> (f64, Vec<f64>) {
    let problem = example(objective);
    let score = problem.eval(&problem.build(genome));
    (score.violation, score.objectives.as_slice().to_vec())
}

#[test]
fn energy_and_time_are_summed_over_the_tasks() {
    assert_eq!(scored(TimeObjective::Sum, &[0, 0, 1]), (0.0, vec![1.0 + 3.0 + 6.0, 6.0 + 4.0 + 1.0]));
}

#[test]
fn the_makespan_is_the_time_of_the_longest_server() {
    assert_eq!(scored(TimeObjective::Makespan, &[0, 0, 1]).1, [10.0, 10.0]);
    assert_eq!(scored(TimeObjective::Makespan, &[0, 1, 1]).1, [11.0, 6.0]);
}

#[test]
fn energy_above_a_cap_counts_in_mean_tasks() {
    let (violation, _) = scored(TimeObjective::Sum, &[0, 0, 0]);
    assert!((violation - 5.0 / 3.5).abs() < 1e-9, "{violation}");
    assert_eq!(scored(TimeObjective::Sum, &[1, 1, 1]).0, 0.0, "no cap, no violation");
}

#[test]
fn a_task_that_is_nowhere_takes_nothing() {
    assert_eq!(scored(TimeObjective::Sum, &[UNASSIGNED; 3]), (0.0, vec![0.0, 0.0]));
    assert_eq!(scored(TimeObjective::Makespan, &[0, UNASSIGNED, UNASSIGNED]).1, [1.0, 6.0]);
}

#[test]
fn repair_moves_tasks_off_a_server_above_its_cap() {
    let problem = example(TimeObjective::Sum);
    for seed in 0..20 {
        let mut state = problem.build(&[0, 0, 0]);
        problem.repair(&mut state, &mut Rng::new(seed));
        assert!(problem.eval(&state).is_feasible(), "seed {seed}");
        assert_eq!(problem.build(problem.genome(&state)), state);
    }
}

#[test]
fn faulty_numbers_are_refused_by_name() {
    let refuse = |columns: EnergyColumns<'_>| EnergyAssignment::new(&columns, TimeObjective::Sum).unwrap_err();
    assert_eq!(
        refuse(EnergyColumns { energy: &COLUMNS.energy[..5], ..COLUMNS }),
        EnergyError::Length { column: "energy", expected: 4, found: 5 }
    );
    assert_eq!(
        refuse(EnergyColumns { time: &[], ..COLUMNS }),
        EnergyError::Length { column: "time", expected: 6, found: 0 }
    );
    assert_eq!(
        refuse(EnergyColumns { caps: &[], ..COLUMNS }),
        EnergyError::Length { column: "energy", expected: 0, found: 6 }
    );
    for value in [f64::NAN, -1.0, f64::INFINITY] {
        let energy = [1.0, value, 1.0, 1.0, 1.0, 1.0];
        let error = refuse(EnergyColumns { energy: &energy, ..COLUMNS });
        assert!(matches!(error, EnergyError::Number { column: "energy", index: 1, .. }), "{error}");
    }
    let error = refuse(EnergyColumns { caps: &[1.0, -0.5], ..COLUMNS });
    assert_eq!(error, EnergyError::Number { column: "caps", index: 1, value: -0.5 });
}
