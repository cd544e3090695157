//! The self-adaptive improved genetic algorithm (SAIGA).
//!
//! Promises: rates that follow fitness, one elite. Must not know: more than one fitness.
//!
//! The source on task scheduling compares with it by name and does not say what it is. So: adaptive rates as in
//! equations (13) and (14), elitism, and one fitness half of short time and half of used machines.

use gantry_solver::problem::Problem;
use gantry_solver::problems::task_schedule::{TIME, TaskSchedule};
use gantry_solver::sources::tcga::Adaptation;

use super::canonical_ga::{CanonicalGa, Rate};

/// The algorithm, with the rates that the source's own has.
#[must_use]
pub fn saiga() -> CanonicalGa {
    CanonicalGa {
        crossover: Rate::Adaptive(Adaptation { slope: 5.0, ceiling: 0.8 }),
        mutation: Rate::Adaptive(Adaptation { slope: 5.0, ceiling: 0.08 }),
        elites: 1,
        ..CanonicalGa::default()
    }
}

/// Its fitness: `T_0 / (2 T) + ulb / 2`, with `T_0` the unit of time.
pub fn fitness(problem: &TaskSchedule, unit: f64) -> impl Fn(&<TaskSchedule as Problem>::State) -> f64 + '_ {
    move |state| {
        let time = problem.eval(state).objectives.as_slice()[TIME];
        0.5 * unit / time + 0.5 * problem.utilisation(state)
    }
}
