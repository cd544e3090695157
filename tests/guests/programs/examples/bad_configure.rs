//! Refuses all settings, whatever they are.

#![cfg(target_arch = "wasm32")]

use gantry_guest_programs::{ConfigError, Guest, guest};

struct Plugin;

impl Guest for Plugin {
    fn configure(settings: String) -> Result<(), ConfigError> {
        Err(ConfigError { key: "objective".into(), value: settings, message: "nothing is good enough".into() })
    }
}

guest!(Plugin);
