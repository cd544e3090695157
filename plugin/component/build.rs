//! Builds `gantry-plugin` for the sandbox and leaves the component in `OUT_DIR`.

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result};
use gantry_component_build::build_component;

fn main() -> Result<()> {
    let here = env::var("CARGO_MANIFEST_DIR").context("cargo sets CARGO_MANIFEST_DIR")?;
    let out = env::var("OUT_DIR").context("cargo sets OUT_DIR")?;
    let component = build_component(&Path::new(&here).join(".."), "gantry-plugin", "component", None)?;
    fs::write(Path::new(&out).join("gantry.wasm"), component).context("the component could not be written")
}
