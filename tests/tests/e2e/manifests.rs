//! The manifests, shown to the real API server, and the configurations in them, shown to the real programs.

use std::process::Command;

use gantry_tests::extender::ExtenderSettings;
use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::metrics;
use gantry_tests::workload::create;
use gantry_tests::{ControlPlane, Extender, Scheduler, binaries, shipped};
use kube::api::Api;
use serde_json::json;

use crate::nominations::{node_of, pods_of, quarter, roomy};

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

/// Only addresses and credentials are the test's own: leases, profiles, deadlines, plans and verbs are what an admin gets,
/// and each kube-scheduler has the rights of its account.
#[tokio::test(flavor = "multi_thread")]
async fn both_schedulers_place_pods_through_gantry_with_the_configurations_as_shipped() {
    const PODS: usize = 6;
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    create(&Api::all(client.clone()), ["one", "two", "three", "four"].map(roomy).into_iter()).await.unwrap();
    let profiles = shipped::configuration(shipped::GANTRY)["profiles"].as_array().unwrap().clone();
    let settings = ExtenderSettings { plan: profiles[0]["plan"].clone(), profiles, ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &settings).await.unwrap();
    kubectl(&plane, &["apply", "-f"], &manifests().join("overlays/second-scheduler/rbac.yaml")).unwrap();
    let account = "system:serviceaccount:gantry-system:gantry-scheduler";
    for (file, user, name) in [
        (shipped::DEFAULT_SCHEDULER, "system:kube-scheduler", "default-scheduler"),
        (shipped::SECOND_SCHEDULER, account, "gantry"),
    ] {
        let before = answered(&extender).await;
        let kubeconfig = plane.kubeconfig_of(user).unwrap();
        let mut configuration = shipped::configuration(file);
        configuration["clientConnection"]["kubeconfig"] = json!(kubeconfig);
        configuration["extenders"][0]["urlPrefix"] = json!(extender.url());
        let mut scheduler = Scheduler::configured(&plane, &kubeconfig, &configuration).await.unwrap();
        let pods = (0..PODS).map(|index| {
            let mut pod = quarter(&format!("{name}-{index}"), &[]);
            pod.spec.get_or_insert_default().scheduler_name = Some(name.to_owned());
            pod
        });
        create(&pods_of(&client), pods).await.unwrap();
        for index in 0..PODS {
            node_of(&client, &format!("{name}-{index}")).await.unwrap();
        }
        scheduler.check().unwrap();
        // Each is asked about twice. On a busy machine one call or another may take longer than the 100 ms as shipped.
        let (asked, answered) = (2.0 * PODS as f64, answered(&extender).await - before);
        assert!(answered >= 0.75 * asked, "{file}: {answered} of {asked}\n{}", extender.log_end(20));
    }
}

/// Requests that the component answered, of all verbs.
async fn answered(extender: &Extender) -> f64 {
    let text = extender.metrics().await.unwrap();
    metrics::sum_of(&text, "gantry_extender_request_duration_seconds_count", &[("outcome", "ok")])
}
