//! `kubectl-gantry` against a real API server: the dead man's switch, and a simulation of what is there.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use gantry_cli::Args;
use gantry_tests::binaries;
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::placement::Assignment;
use gantry_tests::poll::until;
use gantry_tests::scheduler::SchedulerSettings;
use gantry_tests::workload::{Workload, create, pod};
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Pod, PodSchedulingGate};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

const GATE: &str = "gantry.dev/plan";
const FOREIGN: &str = "other.dev/quota";

fn gated(name: &str, gates: &[&str]) -> Pod {
    let mut pod = pod(name, &[100, 64, 1, 1]);
    let gates = gates.iter().map(|name| PodSchedulingGate { name: (*name).to_owned() });
    pod.spec.as_mut().unwrap().scheduling_gates = Some(gates.collect());
    pod
}

/// Runs a command against the plane; it must succeed.
async fn run(plane: &ControlPlane, arguments: &[&str]) -> String {
    let kubeconfig = plane.kubeconfig().to_str().unwrap();
    let line = [&["kubectl-gantry"], arguments, &["--kubeconfig", kubeconfig]].concat();
    let args = Args::parse_from(line);
    let command = move || {
        let mut text = Vec::new();
        gantry_cli::run(args, &mut text).map(|()| String::from_utf8(text).unwrap()).map_err(|error| error.chain())
    };
    // The command brings its own runtime.
    tokio::task::spawn_blocking(command).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ungate_takes_our_gate_from_a_real_pod_and_leaves_the_others() {
    let plane = ControlPlane::start().await.unwrap();
    let pods = Api::<Pod>::default_namespaced(plane.client());
    let all = [gated("ours", &[GATE]), gated("both", &[FOREIGN, GATE]), gated("foreign", &[FOREIGN])];
    create(&pods, all.into_iter()).await.unwrap();

    assert!(run(&plane, &["ungate", "--older-than", "1h"]).await.starts_with("0 released"));
    let other_gates = "--with-other-gates";
    for (more, left_by_both) in [(vec![], vec![FOREIGN, GATE]), (vec![other_gates], vec![FOREIGN])] {
        let text = run(&plane, &[vec!["ungate", "--older-than", "0s"], more].concat()).await;
        assert!(text.ends_with("1 released, 0 failed\n"), "{text}");
        for (name, left) in [("ours", vec![]), ("both", left_by_both), ("foreign", vec![FOREIGN])] {
            let gates = pods.get(name).await.unwrap().spec.unwrap().scheduling_gates.unwrap_or_default();
            assert_eq!(gates.into_iter().map(|gate| gate.name).collect::<Vec<_>>(), left, "{name}");
        }
    }
    // The real server keeps what the switch relies on: a patch of an older version is refused.
    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"schedulingGates": [{"$patch": "delete", "name": FOREIGN}]}});
    let refused = pods.patch("both", &PatchParams::default(), &Patch::Strategic(stale)).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 409));
    // And it counts what happens to gates.
    for (name, generation) in [("ours", 2), ("foreign", 1)] {
        assert_eq!(pods.get(name).await.unwrap().metadata.generation, Some(generation), "{name}");
    }
}

/// What the `CronJob` of the manifests runs, as its account may, on pods of a second in place of a minute.
async fn switch(plane: &ControlPlane) -> Result<()> {
    let jobs = Api::<CronJob>::namespaced(plane.client(), "gantry-system");
    let job = jobs.get("gantry-ungate").await?.spec.job_template.spec.and_then(|spec| spec.template.spec);
    let arguments = job.and_then(|pod| pod.containers.into_iter().next()?.args).context("it has a container")?;
    ensure!(arguments == ["ungate", "--older-than=60s"], "{arguments:?}");
    let output = Command::new(binaries::cli()?)
        .args(["ungate", "--older-than=1s", "--kubeconfig"])
        .arg(plane.kubeconfig_of("system:serviceaccount:gantry-system:gantry-ungate")?)
        .output()?;
    let [text, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    ensure!(output.status.success(), "{text}{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_a_killed_gantry_left_gated_are_released_by_the_switch_and_scheduled() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client();
    let workload = Workload::light(20, 5, 1).gated();
    workload.create_nodes(&client).await.unwrap();
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::default()).await.unwrap();
    // It would gather for longer than it lives.
    let plan = json!({"nominate": true, "window": "10s"});
    let mut extender =
        Extender::start(&plane, &ExtenderSettings { plan, ..ExtenderSettings::default() }).await.unwrap();
    workload.create_pods(&client, 0..workload.pods()).await.unwrap();
    until("Gantry to see the last one", Duration::from_mins(1), || async {
        Ok(extender.page("/explain/default/pod-00019").await?.contains(GATE).then_some(()))
    })
    .await
    .unwrap();
    extender.kill();

    kubectl(&plane, &["apply", "-f"], &manifests().join("components/nominate/ungate.yaml")).unwrap();
    let pods = Api::<Pod>::default_namespaced(client.clone());
    until("the switch to release all", Duration::from_mins(1), || async {
        switch(&plane).await?;
        let pods = pods.list(&ListParams::default()).await?;
        let is_gated = |pod: &Pod| pod.spec.as_ref().is_some_and(|spec| spec.scheduling_gates.is_some());
        Ok((!pods.iter().any(is_gated)).then_some(()))
    })
    .await
    .unwrap();
    let assignment = Assignment::settled(&client, &workload, Duration::from_mins(1)).await.unwrap();
    assert_eq!((assignment.unplaced(), assignment.violations(&workload)), (0, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn simulate_lists_a_live_cluster_page_by_page_and_places_what_waits() {
    let plane = ControlPlane::start().await.unwrap();
    // More than a page of pods.
    let workload = Workload::light(550, 20, 1);
    workload.create_nodes(&plane.client()).await.unwrap();
    workload.create_pods(&plane.client(), 0..550).await.unwrap();
    let text = run(&plane, &["simulate", "--evaluations", "200000", "--output", "json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((report["nodes"].as_u64(), report["pendingPods"].as_u64()), (Some(20), Some(550)));
    let [default, plan] = [0, 3].map(|rule| &report["rules"][rule]);
    assert_eq!(plan["placed"], 550);
    assert!(plan["sigma"].as_f64().unwrap() < default["sigma"].as_f64().unwrap());
}
