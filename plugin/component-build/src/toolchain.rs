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
         With a distribution's:  install the compiler's library source and a linker for WebAssembly; the source goes to\n\
         \u{20}                        {}/lib/rustlib/src (Debian: rust-web-src and lld beside rustc-web)",
        sysroot.display()
    )
}

/// The linker to name to the compiler; `None` where the compiler brings its own.
///
/// rustup's compilers do. A distribution's asks for `rust-lld`, which it does not ship; LLVM's `wasm-ld` does as well,
/// and its name tells the compiler how to speak to it.
pub(crate) fn linker() -> Result<Option<PathBuf>> {
    let libraries = PathBuf::from(rustc(&["--print", "target-libdir"])?);
    let beside = libraries.parent().map(|host| host.join("bin/rust-lld"));
    let folders: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    if beside.is_some_and(|path| path.exists()) || folders.iter().any(|folder| folder.join("rust-lld").exists()) {
        return Ok(None);
    }
    let newest = folders.iter().filter_map(|folder| newest_wasm_ld(folder)).max_by_key(|(version, _)| *version);
    let Some((_, path)) = newest else {
        bail!("no linker for {TRIPLE}: neither rust-lld nor wasm-ld is there. Install LLVM's lld (Debian: lld)");
    };
    Ok(Some(path))
}

/// `wasm-ld`, or the highest `wasm-ld-22` of a folder, with that number.
fn newest_wasm_ld(folder: &Path) -> Option<(u32, PathBuf)> {
    let version = |name: &str| match name.strip_prefix("wasm-ld")? {
        "" => Some(0),
        suffix => suffix.strip_prefix('-')?.parse().ok(),
    };
    let files = folder.read_dir().ok()?.flatten();
    files.filter_map(|file| Some((version(file.file_name().to_str()?)?, file.path()))).max()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_linkers_the_newest_is_taken() {
        let folder = env::temp_dir().join(format!("gantry-linkers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["wasm-ld", "wasm-ld-9", "wasm-ld-22", "wasm-ld-old", "ld.lld"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let found = newest_wasm_ld(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, Some((22, folder.join("wasm-ld-22"))));
        assert_eq!(newest_wasm_ld(&folder), None);
    }
}
