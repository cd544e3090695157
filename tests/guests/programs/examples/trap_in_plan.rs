//! Panics when it is asked to plan more than one pod; whatever else it is asked, it answers.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Budget, Error, Guest, Plan, Pods, guest, honest_plan};

struct Plugin;

impl Guest for Plugin {
    fn plan(pods: Pods, _budget: Budget, _seed: u64) -> Result<Plan, Error> {
        assert!(pods.classes.len() <= 1, "a bug in the planner");
        honest_plan(&pods)
    }
}

guest!(Plugin);
