//! Makes sure that the compiler can build for the component's target.
//!
//! It promises either a way to build or a message that says what to do. It must not know what is built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The one target without any system interface, hence without WASI imports.
pub(crate) const TRIPLE: &str = "wasm32-unknown-unknown";

/// Where the target's standard library comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandardLibrary {
    /// It is installed beside the compiler.
    Installed,
    /// Its source is, and is compiled along.
    FromSource,
}

/// Finds the standard library: installed, else fetched by rustup, else as source.
pub(crate) fn standard_library() -> Result<StandardLibrary> {
    let libraries = PathBuf::from(rustc(&["--print", "target-libdir", "--target", TRIPLE])?);
    if has_core(&libraries) || (add_by_rustup() && has_core(&libraries)) {
        return Ok(StandardLibrary::Installed);
    }
    let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?);
    if sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").exists() {
        return Ok(StandardLibrary::FromSource);
    }
    bail!(
        "the standard library for {TRIPLE} is missing and could not be fetched.\n\
         With rustup:            rustup target add {TRIPLE}\n\
         With a distribution's:  install the compiler's library source (Debian: rust-src, or rust-web-src beside rustc-web) into {}/lib/rustlib/src",
        sysroot.display()
    )
}

fn has_core(libraries: &Path) -> bool {
    let files = libraries.read_dir().into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libcore-"))
}

/// True when rustup is there and says that it succeeded. The toolchain is the one that the outer cargo runs with.
fn add_by_rustup() -> bool {
    Command::new("rustup").args(["target", "add", TRIPLE]).status().is_ok_and(|status| status.success())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let program = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(&program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
