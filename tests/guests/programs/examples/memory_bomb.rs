//! Takes all the memory that it can get.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        let mut hoard: Vec<Vec<f64>> = Vec::new();
        loop {
            hoard.push(core::hint::black_box(vec![1.0; 1 << 17]));
        }
    }
}

guest!(Plugin);
