//! Compiles a crate to a Wasm component from within a build script.
//!
//! ```text
//!  build.rs ─► toolchain (has rustc the target?) ─► compile (cargo in cargo)
//!                                                        │ core module
//!              bytes ◄── encode (wit-component) ◄── optimise (wasm-opt, if there)
//! ```
//!
//! The target is `wasm32-unknown-unknown`, so that the component imports no WASI interface at all: what is not imported
//! need not be taken away. Nothing has to be installed beyond that target's standard library, which is fetched through
//! rustup or built from the library's source when it is missing.
//!
//! The inner build has a target directory of its own, because the outer cargo holds the lock of the usual one while it
//! waits for the build script. The build script is run again when any source file of the component changes.
//!
//! It must not know what the components do, nor the host that runs them.

mod compile;
mod encode;
mod optimise;
mod toolchain;

use std::path::Path;

use anyhow::Result;

use crate::compile::{Compilation, Target};

/// Builds one component and returns its bytes: the `cdylib` of `package`, or its `example`.
///
/// `manifest_dir` is the folder of the package's `Cargo.toml`; `profile` is a cargo profile of its workspace.
///
/// # Errors
/// When the target's standard library is missing and cannot be had, when cargo fails, or when the module's imports and
/// exports are not those of the world in it. The message says what to do.
pub fn build_component(manifest_dir: &Path, package: &str, profile: &str, example: Option<&str>) -> Result<Vec<u8>> {
    let target = example.map_or(Target::Library, Target::Example);
    let compilation = Compilation::new(manifest_dir, package, profile)?;
    compilation.run(&[target])?;
    component(&compilation, target)
}

/// Builds several examples of one package in one run of cargo; their bytes come in the order of `examples`.
///
/// # Errors
/// As [`build_component`].
pub fn build_examples(manifest_dir: &Path, package: &str, profile: &str, examples: &[&str]) -> Result<Vec<Vec<u8>>> {
    let targets: Vec<_> = examples.iter().map(|name| Target::Example(name)).collect();
    let compilation = Compilation::new(manifest_dir, package, profile)?;
    compilation.run(&targets)?;
    targets.iter().map(|target| component(&compilation, *target)).collect()
}

fn component(compilation: &Compilation<'_>, target: Target<'_>) -> Result<Vec<u8>> {
    compilation.watch_sources(target)?;
    let module = optimise::optimise(compilation.module(target)?)?;
    encode::component(&module)
}
