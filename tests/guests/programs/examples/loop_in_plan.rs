//! Never returns from `plan`; whatever else it is asked, it answers.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Budget, Error, Guest, Plan, Pods, guest};

struct Plugin;

impl Guest for Plugin {
    fn plan(_pods: Pods, _budget: Budget, _seed: u64) -> Result<Plan, Error> {
        loop {
            core::hint::spin_loop();
        }
    }
}

guest!(Plugin);
