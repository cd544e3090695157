//! Scores the second row with something that is not a number.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest, state};

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        state::with(|snapshot| (0..snapshot.rows).map(|row| if row == 1 { f64::NAN } else { 50.0 }).collect())
    }
}

guest!(Plugin);
