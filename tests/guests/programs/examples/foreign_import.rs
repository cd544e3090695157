//! Imports an interface that no plugin may have: a clock, from another package.

#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "generated code")]

use gantry_guest_programs::{Error, Guest, Pod, guest, state};

mod foreign {
    #![allow(missing_docs, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({
        inline: "
            package somebody:clocks@0.2.0;
            interface wall-clock { now: func() -> u64; }
            world wants-the-time { import wall-clock; }
        ",
    });
}

struct Plugin;

impl Guest for Plugin {
    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        let now = foreign::somebody::clocks::wall_clock::now();
        state::with(|snapshot| vec![(now % 101) as f64; snapshot.rows as usize])
    }
}

guest!(Plugin);
