//! The limit against trying everything.

use gantry_solver::instances::energy::EnergyInstance;
use gantry_solver::problem::Genome;
use gantry_solver::problems::energy_assignment::EnergyColumns;
use gantry_solver::score::{Objectives, Score};

use super::*;

/// Energy and time of every feasible assignment.
fn feasible(problem: &EnergyAssignment) -> Vec<[f64; 2]> {
    let servers = problem.servers() as u32;
    let count = servers.pow(problem.items() as u32);
    let genome = |number: u32| -> Genome {
        (0..problem.items() as u32).map(|task| number / servers.pow(task) % servers).collect()
    };
    let scores = (0..count).map(|number| problem.eval(&problem.build(&genome(number))));
    let point = |f: &[f64]| [f[0], f[1]];
    scores.filter(Score::is_feasible).map(|score| point(score.objectives.as_slice())).collect()
}

fn least(half_plane: &HalfPlane, points: &[[f64; 2]]) -> f64 {
    points.iter().map(|[e, c]| half_plane.energy * e + half_plane.time * c).fold(f64::INFINITY, f64::min)
}

#[test]
fn every_feasible_assignment_lies_inside_and_the_limit_is_close() {
    for seed in 1..=12 {
        let problem = EnergyInstance::generate(7, 3, seed).problem(TimeObjective::Sum).unwrap();
        let points = feasible(&problem);
        assert!(!points.is_empty(), "seed {seed}");
        let bound = outer_bound(&problem, 11).unwrap();
        assert!(points.iter().all(|&point| bound.contains(point)), "seed {seed}");
        for half_plane in &bound.half_planes {
            let gap = least(half_plane, &points) / half_plane.least - 1.0;
            assert!((-1e-9..0.15).contains(&gap), "seed {seed}: {half_plane:?} is {gap} off");
        }
    }
}

#[test]
fn without_caps_the_limit_is_the_optimum() {
    let mut instance = EnergyInstance::generate(6, 3, 5);
    instance.caps = vec![f64::INFINITY; 3];
    let problem = instance.problem(TimeObjective::Sum).unwrap();
    let points = feasible(&problem);
    for half_plane in outer_bound(&problem, 9).unwrap().half_planes {
        let gap = least(&half_plane, &points) / half_plane.least - 1.0;
        assert!(gap.abs() < 1e-6, "{half_plane:?} is {gap} off");
    }
}

#[test]
fn no_front_has_a_larger_hypervolume() {
    let problem = EnergyInstance::generate(7, 3, 2).problem(TimeObjective::Sum).unwrap();
    let points = feasible(&problem);
    let reference = points.iter().fold([0.0_f64; 2], |worst, point| [worst[0].max(point[0]), worst[1].max(point[1])]);
    let objectives: Vec<_> = points.iter().map(|point| Objectives::new(point)).collect();
    let reached = gantry_solver::archive::hypervolume(&objectives, reference);
    let limit = outer_bound(&problem, 41).unwrap().hypervolume(reference);
    assert!(reached <= limit && reached > 0.6 * limit, "{reached} of {limit}");
}

#[test]
fn the_area_between_two_axes_and_a_line_is_known() {
    let half_plane = |energy, time, least| HalfPlane { energy, time, least };
    let bound = OuterBound { half_planes: vec![half_plane(1.0, 0.0, 1.0), half_plane(0.0, 1.0, 1.0)] };
    assert_eq!(bound.hypervolume([3.0, 2.0]), 2.0);
    let cut = OuterBound { half_planes: [bound.half_planes, vec![half_plane(1.0, 1.0, 3.0)]].concat() };
    assert_eq!(cut.hypervolume([3.0, 2.0]), 1.5);
    assert_eq!(cut.front([3.0, 2.0]), [[1.0, 2.0], [2.0, 1.0], [3.0, 1.0]]);
    assert_eq!(cut.hypervolume([1.0, 1.0]), 0.0, "nothing is left");
    assert!(cut.contains([2.0, 1.0]) && !cut.contains([1.9, 1.0]));
}

#[test]
fn a_makespan_has_no_such_limit() {
    let problem = EnergyInstance::generate(3, 2, 1).problem(TimeObjective::Makespan).unwrap();
    assert!(matches!(outer_bound(&problem, 3), Err(BoundError::Makespan)));
}

#[test]
fn a_problem_without_tasks_has_a_limit_of_nothing() {
    let columns = EnergyColumns { energy: &[], time: &[], caps: &[1.0, 1.0] };
    let problem = EnergyAssignment::new(&columns, TimeObjective::Sum).unwrap();
    let bound = outer_bound(&problem, 2).unwrap();
    assert!(bound.contains([0.0, 0.0]), "{bound:?}");
    assert_eq!(bound.hypervolume([2.0, 3.0]), 6.0);
}
