//! Wraps a core module as a component.
//!
//! The world comes from the custom section that the guest bindings left in the module; it must not know which world.

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

/// Encodes and validates the component.
pub(crate) fn component(module: &[u8]) -> Result<Vec<u8>> {
    let encoder = ComponentEncoder::default().validate(true).module(module);
    encoder
        .and_then(|mut encoder| encoder.encode())
        .context("the module does not fit its world (an import from WASI or JavaScript has no place in it)")
}
