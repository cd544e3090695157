//! Does nothing wrong: what the others are compared with.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Guest, guest};

struct Plugin;

impl Guest for Plugin {}

guest!(Plugin);
