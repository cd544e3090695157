//! Runs cargo inside a build script and finds what it made.
//!
//! It promises that the inner cargo never waits for the outer one, and that no flag of the outer build (lints, native
//! CPU features, a lint driver) reaches the component. It must not know what a component is.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::toolchain::{self, StandardLibrary, TRIPLE};

/// What to build of the package.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// The package's library, a `cdylib`.
    Library,
    /// An example with `crate-type = ["cdylib"]`.
    Example(&'a str),
}

/// One package, compiled with one profile.
pub(crate) struct Compilation<'a> {
    manifest_dir: &'a Path,
    package: &'a str,
    profile: &'a str,
    target_dir: PathBuf,
    standard_library: StandardLibrary,
}

impl<'a> Compilation<'a> {
    /// Looks for the toolchain and settles the target directory.
    pub(crate) fn new(manifest_dir: &'a Path, package: &'a str, profile: &'a str) -> Result<Self> {
        let standard_library = toolchain::standard_library()?;
        let target_dir =
            target_dir(Path::new(&env::var("OUT_DIR").context("not run from a build script: no OUT_DIR")?));
        Ok(Self { manifest_dir, package, profile, target_dir, standard_library })
    }

    /// Compiles all `targets` in one run of cargo.
    pub(crate) fn run(&self, targets: &[Target<'_>]) -> Result<()> {
        let mut command = self.command()?;
        for target in targets {
            match target {
                Target::Library => command.arg("--lib"),
                Target::Example(name) => command.args(["--example", name]),
            };
        }
        let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
        if !status.success() {
            bail!("compiling `{}` for {TRIPLE} failed ({status}); the compiler's words are above", self.package);
        }
        Ok(())
    }

    /// The core module of a compiled target.
    pub(crate) fn module(&self, target: Target<'_>) -> Result<Vec<u8>> {
        let path = self.artefact(target, "wasm");
        fs::read(&path).with_context(|| format!("cargo left no module at {}", path.display()))
    }

    /// Has the build script run again when a source file of `target` changes, those of path dependencies included.
    pub(crate) fn watch_sources(&self, target: Target<'_>) -> Result<()> {
        let path = self.artefact(target, "d");
        let rules = fs::read_to_string(&path).with_context(|| format!("no list of sources at {}", path.display()))?;
        println_to_cargo(&format!("rerun-if-changed={}", self.manifest_dir.join("Cargo.toml").display()));
        for source in sources(&rules) {
            println_to_cargo(&format!("rerun-if-changed={source}"));
        }
        Ok(())
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        command
            .current_dir(self.manifest_dir)
            .args(["build", "--target", TRIPLE, "--profile", self.profile, "--package", self.package])
            .arg("--target-dir")
            .arg(&self.target_dir);
        for outer in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "RUSTFLAGS"] {
            command.env_remove(outer);
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", self.rustflags()?);
        if self.standard_library == StandardLibrary::FromSource {
            // The one unstable option used; a distribution's stable compiler takes it with this variable only.
            command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(linker) = toolchain::linker()? {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        Ok(command)
    }

    /// SIMD doubled the speed of scoring (RATIONALE.md); the path prefixes are cut so that the bytes, and with them the
    /// component's digest, do not depend on where the sources lie.
    fn rustflags(&self) -> Result<String> {
        let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
        let root = workspace_root(self.manifest_dir)?;
        flags.push(format!("--remap-path-prefix={}=", root.display()));
        if let Some(home) = env::var_os("CARGO_HOME") {
            flags.push(format!("--remap-path-prefix={}=cargo", Path::new(&home).display()));
        }
        Ok(flags.join("\u{1f}"))
    }

    fn artefact(&self, target: Target<'_>, extension: &str) -> PathBuf {
        let folder = self.target_dir.join(TRIPLE).join(self.profile);
        let stem = match target {
            Target::Library => folder.join(self.package.replace('-', "_")),
            Target::Example(name) => folder.join("examples").join(name),
        };
        stem.with_extension(extension)
    }
}

/// `components` beside the profiles of the outer build, so that all build scripts share what they compile.
///
/// A build script's `OUT_DIR` is `<target>/<profile>/build/<package>/out`.
fn target_dir(out_dir: &Path) -> PathBuf {
    out_dir.ancestors().nth(4).unwrap_or(out_dir).join("components")
}

/// The nearest folder upwards that holds a lock file.
fn workspace_root(manifest_dir: &Path) -> Result<PathBuf> {
    let dir = manifest_dir.canonicalize().with_context(|| format!("no such folder: {}", manifest_dir.display()))?;
    let root = dir.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    Ok(root.unwrap_or(&dir).to_owned())
}

/// The prerequisites of every rule of a dep-info file; a space in a path is written `\ `.
fn sources(rules: &str) -> Vec<String> {
    let prerequisites = rules.lines().filter_map(|rule| rule.split_once(": ").map(|(_, files)| files));
    prerequisites
        .flat_map(|files| files.replace("\\ ", "\0").split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter(|file| !file.is_empty())
        .map(|file| file.replace('\0', " "))
        .collect()
}

/// Build scripts speak to cargo through their standard output.
#[expect(clippy::print_stdout, reason = "the build script protocol")]
pub(crate) fn println_to_cargo(instruction: &str) {
    println!("cargo::{instruction}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_a_dep_info_file_keep_their_spaces() {
        let rules = "/t/a.wasm: /s/lib.rs /s/my\\ file.rs\n";
        assert_eq!(sources(rules), ["/s/lib.rs", "/s/my file.rs"]);
    }

    #[test]
    fn the_inner_target_directory_lies_outside_the_profile_that_the_outer_build_locks() {
        let out_dir = Path::new("/target/debug/build/gantry-1/out");
        assert_eq!(target_dir(out_dir), Path::new("/target/components"));
    }
}
