//! Never returns from `filter`; whatever else it is asked, it answers.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

struct Plugin;

impl Guest for Plugin {
    fn filter(_pod: Pod) -> Result<Vec<u8>, Error> {
        loop {
            core::hint::spin_loop();
        }
    }
}

guest!(Plugin);
