//! Gantry's own plugin as a Wasm component.
//!
//! Whoever depends on this crate has the component built by cargo and linked in as bytes, so that a scheduler host
//! without any file works. It must not link the plugin's code: what decides runs in the sandbox or not at all.

/// The component of `gantry-plugin`, world `gantry:scheduling/plugin`.
pub const BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gantry.wasm"));

/// The name under which a configuration asks for it: `builtin:gantry`.
pub const NAME: &str = "gantry";
