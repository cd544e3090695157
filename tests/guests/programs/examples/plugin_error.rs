//! Answers every question with an error of its own.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

struct Plugin;

impl Guest for Plugin {
    fn filter(_pod: Pod) -> Result<Vec<u8>, Error> {
        Err(Error::UnknownClass)
    }

    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        Err(Error::BadNumber)
    }
}

guest!(Plugin);
