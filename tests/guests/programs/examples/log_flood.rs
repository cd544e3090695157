//! Writes to the log without end.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest, log};

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        loop {
            log::log(log::Level::Info, "\u{1b}[31mlook at me\r\n");
        }
    }
}

guest!(Plugin);
