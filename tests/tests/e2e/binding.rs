//! Gantry binding pods itself, in kube-scheduler's place: only with the right to; without it kube-scheduler does.

use std::time::Duration;

use gantry_tests::extender::ExtenderSettings;
use gantry_tests::kubectl::{kubectl, manifests};
use gantry_tests::metrics;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::workload::Workload;
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};

#[tokio::test(flavor = "multi_thread")]
async fn gantry_binds_pods_once_it_may_and_kube_scheduler_does_until_then() {
    let plane = ControlPlane::start().await.unwrap();
    let workload = Workload::light(40, 5, 1);
    workload.create_nodes(&plane.client()).await.unwrap();
    let settings = ExtenderSettings { bind: true, ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &settings).await.unwrap();
    let stanza = ExtenderStanza { binds: true, ..ExtenderStanza::new(extender.url()) };
    let _scheduler = Scheduler::start(&plane, &SchedulerSettings::with_extender(stanza)).await.unwrap();

    workload.create_pods(&plane.client(), 0..20).await.unwrap();
    wait_for_bound(&plane, 20).await;
    assert_eq!(bindings(&extender).await, [("ok", 0.0), ("refused", 20.0)]);

    kubectl(&plane, &["apply", "-f"], &manifests().join("examples/bind-rbac.yaml")).unwrap();
    workload.create_pods(&plane.client(), 20..40).await.unwrap();
    wait_for_bound(&plane, 40).await;
    assert_eq!(bindings(&extender).await, [("ok", 20.0), ("refused", 20.0)]);
}

async fn wait_for_bound(plane: &ControlPlane, count: usize) {
    let pods = Api::<Pod>::default_namespaced(plane.client());
    let has_node = |pod: &&Pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some());
    until("the pods to be bound", Duration::from_mins(1), || async {
        let bound = pods.list(&ListParams::default()).await?.iter().filter(has_node).count();
        Ok((bound == count).then_some(()))
    })
    .await
    .unwrap();
}

/// How many requests to bind ended how.
async fn bindings(extender: &Extender) -> [(&'static str, f64); 2] {
    let text = extender.metrics().await.unwrap();
    let name = "gantry_extender_request_duration_seconds_count";
    ["ok", "refused"].map(|outcome| (outcome, metrics::sum_of(&text, name, &[("verb", "bind"), ("outcome", outcome)])))
}
