//! Panics when it is asked for scores.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        panic!("a bug in the plugin")
    }
}

guest!(Plugin);
