//! The manifests, shown to the real API server, and the configuration in them, shown to the real binary.

use std::process::Command;

use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::{ControlPlane, binaries};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_manifest_as_it_stands() {
    const DRY: [&str; 3] = ["apply", "--dry-run=server", "--validate=strict"];
    let plane = ControlPlane::start().await.unwrap();
    kubectl(&plane, &["apply", "-f"], &manifests().join("base/namespace.yaml")).unwrap();
    for (folder, objects) in [
        ("base", 12),
        ("overlays/second-scheduler", 21),
        ("overlays/default-scheduler", 13),
        ("overlays/forecaster", 23),
        ("overlays/nominate", 20),
    ] {
        let applied = kubectl(&plane, &[&DRY[..], &["-k"]].concat(), &manifests().join(folder)).unwrap();
        let count = applied.lines().filter(|line| line.contains("server dry run")).count();
        assert_eq!(count, objects, "{folder}\n{applied}");
    }
    let examples = kubectl(&plane, &[&DRY[..], &["-f"]].concat(), &manifests().join("examples")).unwrap();
    assert!(examples.lines().count() >= 4, "{examples}");
}

#[test]
fn the_forecaster_component_tells_the_extender_where_the_sidecar_serves() {
    let render = Command::new(binaries::control_plane().unwrap().join("kubectl"))
        .arg("kustomize")
        .arg(manifests().join("overlays/forecaster"))
        .output()
        .unwrap();
    let rendered = String::from_utf8(render.stdout).unwrap();
    let deployments = rendered.split("---\n").filter(|object| object.contains("kind: Deployment"));
    let extender: Vec<&str> =
        deployments.filter(|object| object.contains("--config=/etc/gantry/gantry.yaml")).collect();
    let [extender] = extender[..] else { panic!("{rendered}") };
    let container =
        |name: &str| extender.split("      - args:\n").find(|text| text.contains(&format!("\n        name: {name}\n")));
    let (ours, sidecar) = (container("extender").unwrap(), container("forecaster").unwrap());
    let configuration = std::fs::read_to_string(manifests().join("components/forecaster/forecaster.yaml")).unwrap();
    assert!(
        configuration.contains("listen: unix:/run/gantry/forecasts.sock")
            && configuration.contains("folder: /run/gantry\n")
    );
    for line in ["--forecasts-from=unix:/run/gantry/forecasts.sock", "--forecasts-file=/run/gantry/forecasts.json"] {
        assert!(ours.contains(line) && !sidecar.contains(line), "{extender}");
    }
    assert!(sidecar.contains("--config=/etc/gantry-forecaster/forecaster.yaml"), "{extender}");
}

#[test]
fn the_configuration_in_the_manifests_is_one_that_the_extender_takes() {
    for file in ["base/gantry.yaml", "components/nominate/gantry.yaml"] {
        let output = Command::new(binaries::extender().unwrap())
            .arg("check-config")
            .arg(manifests().join(file))
            .output()
            .unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
