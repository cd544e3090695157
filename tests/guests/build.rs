//! Builds every guest program and lists them for `lib.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let programs = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("programs");
    let names = names(&programs.join("examples"))?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let components = gantry_component_build::build_examples(&programs, "gantry-guest-programs", "release", &names)?;

    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let mut list = String::from("&[\n");
    for (name, component) in names.iter().zip(components) {
        let path = out_dir.join(name).with_extension("component.wasm");
        fs::write(&path, component)?;
        writeln!(list, "    ({name:?}, include_bytes!({:?})),", path.to_string_lossy())?;
    }
    list.push(']');
    fs::write(out_dir.join("guests.rs"), list)?;
    Ok(())
}

/// The guests are the files in `examples`: a new one needs no list to be kept.
fn names(examples: &Path) -> Result<Vec<String>> {
    println!("cargo::rerun-if-changed={}", examples.display());
    let entries = fs::read_dir(examples).with_context(|| format!("no guests at {}", examples.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
