//! Reads past the end of its memory in `filter`, and has the host read there in `score`.

#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "no safe program reads there")]

use gantry_guest_programs::{Error, Guest, Pod, guest};

/// More than any memory limit of a test, and aligned.
const BEYOND: usize = 0xffff_0000;

struct Plugin;

impl Guest for Plugin {
    fn filter(_pod: Pod) -> Result<Vec<u8>, Error> {
        Ok(vec![unsafe { core::ptr::read_volatile(BEYOND as *const u8) }])
    }

    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        Ok(unsafe { Vec::from_raw_parts(BEYOND as *mut f64, 5, 5) })
    }
}

guest!(Plugin);
