//! The manifests, shown to the real API server, and the configuration in them, shown to the real binary.
#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

use std::process::Command;

use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::{ControlPlane, binaries};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_manifest_as_it_stands() {
    const DRY: [&str; 3] = ["apply", "--dry-run=server", "--validate=strict"];
    let plane = ControlPlane::start().await.unwrap();
    kubectl(&plane, &["apply", "-f"], &manifests().join("base/namespace.yaml")).unwrap();
    for (folder, objects) in [
        ("base", 10),
        ("overlays/second-scheduler", 19),
        ("overlays/default-scheduler", 11),
        ("overlays/forecaster", 21),
    ] {
        let applied = kubectl(&plane, &[&DRY[..], &["-k"]].concat(), &manifests().join(folder)).unwrap();
        let count = applied.lines().filter(|line| line.contains("server dry run")).count();
        assert_eq!(count, objects, "{folder}\n{applied}");
    }
    let examples = kubectl(&plane, &[&DRY[..], &["-f"]].concat(), &manifests().join("examples")).unwrap();
    assert!(examples.lines().count() >= 4, "{examples}");
}

#[test]
fn the_configuration_in_the_manifests_is_one_that_the_extender_takes() {
    let output = Command::new(binaries::extender().unwrap())
        .arg("check-config")
        .arg(manifests().join("base/gantry.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
