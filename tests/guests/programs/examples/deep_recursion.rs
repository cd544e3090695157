//! Calls itself without end.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

struct Plugin;

impl Guest for Plugin {
    fn score(pod: Pod) -> Result<Vec<f64>, Error> {
        Ok(vec![descend(u64::from(pod.class))])
    }
}

/// Keeps its frames on the machine's stack only: no address is taken, so that the engine's limit is met and not the
/// end of the guest's own stack in linear memory.
#[inline(never)]
fn descend(depth: u64) -> f64 {
    if core::hint::black_box(depth) == u64::MAX { 0.0 } else { 1.0 + descend(depth + 1).sqrt() }
}

guest!(Plugin);
