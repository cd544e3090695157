//! Returns far more scores than there are rows: 32 MiB of them.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        Ok(vec![50.0; 4 << 20])
    }
}

guest!(Plugin);
