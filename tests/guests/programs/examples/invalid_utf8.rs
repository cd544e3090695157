//! Says what is no text: to the log in `score`, and of any settings that it is given.

#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "no safe program has such a string")]

use gantry_guest_programs::{ConfigError, Error, Guest, Pod, guest, log};

struct Plugin;

impl Guest for Plugin {
    fn configure(settings: String) -> Result<(), ConfigError> {
        if settings.is_empty() {
            return Ok(());
        }
        Err(ConfigError { key: no_text(), value: settings, message: String::new() })
    }

    fn score(_pod: Pod) -> Result<Vec<f64>, Error> {
        log::log(log::Level::Info, &no_text());
        Ok(Vec::new())
    }
}

/// The first of two bytes, and not the second.
fn no_text() -> String {
    unsafe { String::from_utf8_unchecked(vec![0xc3, 0x28]) }
}

guest!(Plugin);
