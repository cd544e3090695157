//! The release's kubectl, for what admins do by hand: applying the manifests.
//!
//! Runs with all rights on the control plane of the test. It must not know what the manifests hold.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::binaries;
use crate::control_plane::ControlPlane;

/// The folder of the manifests.
#[must_use]
pub fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

/// Runs kubectl with `arguments` and, last, the path `target`; returns what it printed.
///
/// # Errors
/// It fails; the message is what it said.
pub fn kubectl(plane: &ControlPlane, arguments: &[&str], target: &Path) -> Result<String> {
    let output = Command::new(binaries::control_plane()?.join("kubectl"))
        .arg("--kubeconfig")
        .arg(plane.kubeconfig())
        // kubectl would keep its discovery cache in its user's home folder.
        .env("HOME", plane.folder())
        .args(arguments)
        .arg(target)
        .output()?;
    let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    ensure!(output.status.success(), "kubectl {arguments:?} {}:\n{error}", target.display());
    Ok(out)
}

/// Applies a file of the manifests, unless that was done on this control plane before: kubectl takes half a second of a
/// core, and tests start many extenders.
///
/// # Errors
/// As [`kubectl`].
pub fn apply_once(plane: &ControlPlane, file: &'static str) -> Result<()> {
    if plane.is_first(file) {
        kubectl(plane, &["apply", "-f"], &manifests().join(file))?;
    }
    Ok(())
}
