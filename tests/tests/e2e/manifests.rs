//! The manifests, shown to the real API server, and the configurations in them, shown to the real programs.

use std::path::Path;
use std::process::Command;

use gantry_tests::extender::ExtenderSettings;
use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::metrics;
use gantry_tests::workload::create;
use gantry_tests::{ControlPlane, Extender, Scheduler, binaries, shipped};
use kube::api::Api;
use serde_json::{Value, json};

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
        ("overlays/plugins", 22),
    ] {
        let applied = kubectl(&plane, &[&DRY[..], &["-k"]].concat(), &manifests().join(folder)).unwrap();
        let count = applied.lines().filter(|line| line.contains("server dry run")).count();
        assert_eq!(count, objects, "{folder}\n{applied}");
    }
    let examples = kubectl(&plane, &[&DRY[..], &["-f"]].concat(), &manifests().join("examples")).unwrap();
    assert!(examples.lines().count() >= 5, "{examples}");
}

/// A folder as kubectl puts it together.
fn rendered(folder: &str) -> String {
    let mut kubectl = Command::new(binaries::control_plane().unwrap().join("kubectl"));
    let output = kubectl.arg("kustomize").arg(manifests().join(folder)).output().unwrap();
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The same, object by object.
fn objects(folder: &str) -> Vec<Value> {
    rendered(folder).split("---\n").map(|object| serde_saphyr::from_str(object).unwrap()).collect()
}

/// What lies under a key of the one `ConfigMap` that has it.
fn document(objects: &[Value], key: &str) -> Option<Value> {
    let text = objects.iter().find_map(|object| object["data"][key].as_str())?;
    Some(serde_saphyr::from_str(text).unwrap())
}

/// The schedulers of kube-scheduler's configuration that calls Gantry in an overlay; none where nobody does.
fn callers(folder: &Path, objects: &[Value]) -> Vec<String> {
    let of_the_cluster = folder.join("kube-scheduler-config.yaml");
    let of_the_cluster = of_the_cluster.exists().then(|| shipped::configuration(&of_the_cluster));
    let Some(scheduler) = document(objects, "scheduler.yaml").or(of_the_cluster) else { return Vec::new() };
    let name = |profile: &Value| profile["schedulerName"].as_str().unwrap().to_owned();
    let profiles = scheduler["profiles"].as_array();
    profiles.map_or_else(|| vec!["default-scheduler".to_owned()], |profiles| profiles.iter().map(name).collect())
}

/// A plan for the pods of a scheduler that does not ask keeps room that nobody takes, and tells in Events of pods that did
/// not opt in.
#[test]
fn overlays_plan_for_the_schedulers_that_call_gantry_and_for_no_other() {
    for folder in std::fs::read_dir(manifests().join("overlays")).unwrap() {
        let folder = folder.unwrap().path();
        let objects = objects(folder.to_str().unwrap());
        let configuration = document(&objects, "gantry.yaml").unwrap();
        let profiles = configuration["profiles"].as_array().unwrap().iter();
        let plans = profiles.filter(|profile| !profile["plan"].is_null());
        // What nominates needs no caller.
        let (nominating, following): (Vec<_>, Vec<_>) = plans.partition(|profile| profile["plan"]["nominate"] == true);
        let planned: Vec<&str> =
            following.into_iter().map(|profile| profile["schedulerName"].as_str().unwrap()).collect();
        assert_eq!(planned, callers(&folder, &objects), "{}", folder.display());
        assert!(!planned.is_empty() || !nominating.is_empty(), "{}", folder.display());
    }
}

#[test]
fn the_plugins_component_has_volumes_where_the_configurations_look() {
    let objects = objects("overlays/plugins");
    let mut containers = objects.iter().map(|object| &object["spec"]["template"]["spec"]["containers"][0]);
    let extender = containers.find(|container| container["name"] == "extender").unwrap();
    let mounts = extender["volumeMounts"].as_array().unwrap();
    let is_mounted = |path: &str| mounts.iter().any(|mount| mount["mountPath"] == path);
    let cached = [document(&objects, "gantry.yaml").unwrap(), shipped::configuration("examples/profiles/gantry.yaml")];
    for configuration in cached {
        let (volume, folder) = configuration["cache"]["dir"].as_str().unwrap().rsplit_once('/').unwrap();
        assert!(is_mounted(volume) && !folder.is_empty(), "{mounts:?}");
    }
    assert!(is_mounted("/etc/gantry/plugins"), "{mounts:?}");
}

#[test]
fn the_forecaster_component_tells_the_extender_where_the_sidecar_serves() {
    let rendered = rendered("overlays/forecaster");
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
    // The one with a cache would make its folder on this machine.
    let files = shipped::CONFIGURATIONS.iter().filter(|file| shipped::configuration(file)["cache"].is_null());
    for file in files {
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
    let profiles_of = |file: &str| shipped::configuration(file)["profiles"].as_array().unwrap().clone();
    let profiles = [shipped::GANTRY, shipped::GANTRY_BESIDE].map(profiles_of).concat();
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
