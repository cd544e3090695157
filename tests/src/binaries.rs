//! Where the programs under test lie: the control plane's, the extender's, the forecaster's and the admin's.
//!
//! They are built when they are missing, by the one script that knows the control plane's pins and by cargo. Nothing is
//! ever skipped for want of a binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/build.sh");

/// The folder of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and kwok.
///
/// The first call on a machine builds them, which takes minutes; a built folder is found in milliseconds, and one that
/// `GANTRY_CONTROL_PLANE` names is taken as it is.
///
/// # Errors
/// The build failed, or a program is missing where the variable points: the message has the script's own words and the command to run by hand.
pub fn control_plane() -> Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOLDER, build_control_plane)
}

/// The `gantry-extender` binary, built by cargo from this workspace in the tests' own target folder and profile.
///
/// # Errors
/// It does not build.
pub fn extender() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BINARY, || build("gantry-extender", "system"))
}

/// The `gantry-forecaster` binary, built in the same way.
///
/// # Errors
/// It does not build.
pub fn forecaster() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BINARY, || build("gantry-forecaster", "real"))
}

/// The `kubectl-gantry` binary, built in the same way.
///
/// # Errors
/// It does not build.
pub fn cli() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BINARY, || build("kubectl-gantry", "all"))
}

fn once(
    cell: &'static OnceLock<Result<PathBuf, String>>,
    find: impl FnOnce() -> Result<PathBuf>,
) -> Result<&'static Path> {
    match cell.get_or_init(|| find().map_err(|failure| format!("{failure:#}"))) {
        Ok(path) => Ok(path),
        Err(message) => bail!("{message}"),
    }
}

fn build_control_plane() -> Result<PathBuf> {
    let output = Command::new("bash").arg(SCRIPT).output().context("cannot run bash")?;
    ensure!(
        output.status.success(),
        "the control plane's binaries are missing and could not be built; run tests/e2e/build.sh and see:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    Ok(PathBuf::from(text.lines().last().context("tests/e2e/build.sh printed no path")?))
}

/// Builds the package `name`, whose binary has its name and which `test` is an integration test of.
fn build(name: &str, test: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What the outer cargo tells this test of its package; some build scripts would take it for a change of their own.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_a_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    let output = command
        .args(build_arguments(&std::env::current_exe()?, name, test))
        .args(["--message-format", "json", "--target-dir"])
        .arg(target_folder()?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "{name} does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    executable(&String::from_utf8(output.stdout)?, name)
        .with_context(|| format!("cargo named no executable for {name}"))
}

fn is_of_a_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

/// How to build a binary as the running test (its path is `running`) was built. Features of dependencies follow the
/// packages selected: another selection than the one that `make test` (or `make bench`) takes would build them all again.
fn build_arguments<'a>(running: &Path, name: &'a str, test: &'a str) -> Vec<&'a str> {
    match running.ancestors().nth(2).and_then(Path::file_name) {
        Some(profile) if profile == "release" => {
            vec!["build", "--release", "--package", "gantry-tests", "--package", name, "--bin", name]
        }
        // An integration test uses the binary of its package, so cargo builds that with it.
        _ => vec!["test", "--no-run", "--workspace", "--test", test],
    }
}

/// The executable `name` in cargo's messages, among those of tests.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let binary = |message: &serde_json::Value| message["target"]["name"] == name && message["profile"]["test"] == false;
    messages.filter(binary).find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The target folder this very test was built into: `<target>/debug/deps/<test>`.
fn target_folder() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    test.ancestors().nth(3).map(Path::to_owned).with_context(|| format!("{} lies in no target folder", test.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_gets_the_release_build() {
        let is_release = |test: &str| build_arguments(Path::new(test), "gantry-x", "system").contains(&"--release");
        assert!(is_release("/t/release/deps/bench") && !is_release("/t/debug/deps/test"));
    }

    #[test]
    fn the_executable_is_the_binary_itself_and_no_test_of_it() {
        let message = |name: &str, is_test: bool, path: Option<&str>| {
            serde_json::json!({"target": {"name": name}, "profile": {"test": is_test}, "executable": path}).to_string()
        };
        let messages = [
            message("gantry-extender", true, Some("/t/debug/deps/gantry_extender-1")),
            "not json".to_owned(),
            message("system", true, Some("/t/debug/deps/system-1")),
            message("gantry-extender", false, Some("/t/debug/gantry-extender")),
        ];
        assert_eq!(
            executable(&messages.join("\n"), "gantry-extender"),
            Some(PathBuf::from("/t/debug/gantry-extender"))
        );
        assert_eq!(executable(&messages[..3].join("\n"), "gantry-extender"), None);
    }
}
