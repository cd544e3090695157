//! Scores above 100, verdicts past the last one, and plans with rows that do not exist.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Budget, Error, Guest, Plan, Pod, Pods, TerminationReason, guest, state};

struct Plugin;

impl Guest for Plugin {
    fn filter(_pod: Pod) -> Result<Vec<u8>, Error> {
        state::with(|snapshot| vec![5; snapshot.rows as usize])
    }

    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        state::with(|snapshot| vec![100.5; snapshot.rows as usize])
    }

    fn plan(pods: Pods, _budget: Budget, _seed: u64) -> Result<Plan, Error> {
        state::with(|snapshot| Plan {
            rows: vec![snapshot.rows.cast_signed(); pods.classes.len()],
            objective: vec![0.0],
            violation: 0.0,
            evaluations: 0,
            generations: 0,
            reason: TerminationReason::Trivial,
        })
    }
}

guest!(Plugin);
