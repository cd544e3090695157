//! Takes no delta: it always claims to hold another generation.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Delta, Error, Guest, guest};

struct Plugin;

impl Guest for Plugin {
    fn apply_delta(_delta: Delta) -> Result<(), Error> {
        Err(Error::WrongGeneration)
    }
}

guest!(Plugin);
