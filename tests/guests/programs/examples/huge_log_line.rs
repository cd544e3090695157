//! Writes one line of 16 MiB to the log.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest, log};

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        log::log(log::Level::Info, &"a".repeat(16 << 20));
        Ok(Vec::new())
    }
}

guest!(Plugin);
