//! Panics before it has said what it is.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{Guest, PluginInfo, guest};

struct Plugin;

impl Guest for Plugin {
    fn describe() -> PluginInfo {
        panic!("a bug in the plugin's first call")
    }
}

guest!(Plugin);
