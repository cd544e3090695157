//! Describes itself with the same 16 MiB of text three times over: the host would copy what the guest has but once.
//!
//! It is the most that can be made of one string: no answer of the contract is a list of them.

#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code, reason = "no safe program owns a string three times")]

use gantry_guest_programs::{ExtensionPoints, Guest, PluginInfo, guest};

struct Plugin;

impl Guest for Plugin {
    fn describe() -> PluginInfo {
        let text = "a".repeat(16 << 20).leak();
        let alias = || unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), text.len(), text.len()) };
        PluginInfo {
            name: alias(),
            version: alias(),
            extension_points: ExtensionPoints::SCORE,
            settings_schema: alias(),
        }
    }
}

guest!(Plugin);
