//! Profiles on a real kube-scheduler: different ones place the same pods differently, and one that is edited in its file
//! takes effect without a restart and without a failed attempt.

use std::time::{Duration, Instant};

use anyhow::Result;
use gantry_tests::extender::{ExtenderSettings, OWN_POD};
use gantry_tests::metrics;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

/// Rich in cpu, and rich in memory: a pod of equal parts weighs four times as much on the one as on the other.
const NODES: [(&str, &str, &str); 2] = [("cores", "16", "16Gi"), ("memory", "4", "64Gi")];

async fn create_nodes(plane: &ControlPlane) {
    let nodes = Api::<Node>::all(plane.client());
    for (name, cpu, memory) in NODES {
        let amounts = json!({"cpu": cpu, "memory": memory, "pods": "110"});
        let node = json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "status": {
                "allocatable": amounts,
                "capacity": amounts,
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            },
        });
        nodes.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    }
}

/// A profile that balances one resource only.
fn profile(scheduler: &str, resource: &str) -> Value {
    let weight = |name: &str| u8::from(name == resource);
    json!({
        "schedulerName": scheduler,
        "weights": {
            "cpu": weight("cpu"), "memory": weight("memory"), "gantry.dev/disk-io": 0, "gantry.dev/network": 0,
        },
        "plugins": [{"name": "gantry", "component": "builtin:gantry", "limits": {"deadline": "500ms"}}],
    })
}

async fn start(profiles: Vec<Value>) -> (ControlPlane, Extender, Scheduler) {
    let plane = ControlPlane::start().await.unwrap();
    create_nodes(&plane).await;
    let scheduler_names =
        profiles.iter().map(|profile| profile["schedulerName"].as_str().unwrap().to_owned()).collect();
    let settings = ExtenderSettings { profiles, ..ExtenderSettings::default() };
    let extender = Extender::start(&plane, &settings).await.unwrap();
    let stanza = SchedulerSettings::with_extender(ExtenderStanza::new(extender.url()));
    let scheduler = Scheduler::start(&plane, &SchedulerSettings { scheduler_names, ..stanza }).await.unwrap();
    scheduler.wait_for_nodes(NODES.len()).await.unwrap();
    (plane, extender, scheduler)
}

/// Where a pod goes; it is deleted at once, so that the next one finds the cluster as this one did.
async fn node_of(plane: &ControlPlane, name: &str, scheduler: &str) -> String {
    let pods = Api::<Pod>::default_namespaced(plane.client());
    let requests = json!({"cpu": "2", "memory": "8Gi"});
    let pod = json!({
        "metadata": {"name": name},
        "spec": {
            "schedulerName": scheduler,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "none", "resources": {"requests": requests}}],
        },
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    let node = until("the pod to be bound", Duration::from_mins(1), || async {
        Ok(pods.get(name).await?.spec.and_then(|spec| spec.node_name))
    })
    .await
    .unwrap();
    pods.delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
    until("the pod to be gone", Duration::from_mins(1), || async {
        Ok(pods.get_opt(name).await?.is_none().then_some(()))
    })
    .await
    .unwrap();
    node
}

async fn reloads(extender: &Extender, outcome: &str) -> Result<f64> {
    Ok(metrics::sum_of(&extender.metrics().await?, "gantry_config_reloads_total", &[("outcome", outcome)]))
}

/// Where pods go that come one after the other from before a change of the configuration until after it: the last one is
/// created when the change is in use.
async fn nodes_over(plane: &ControlPlane, extender: &Extender, edit: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut nodes = vec![node_of(plane, "meanwhile-0", "default-scheduler").await];
    extender.rewrite(edit).unwrap();
    let start = Instant::now();
    loop {
        let is_applied = reloads(extender, "applied").await.unwrap() == 1.0;
        let name = format!("meanwhile-{}", nodes.len());
        nodes.push(node_of(plane, &name, "default-scheduler").await);
        if is_applied {
            return nodes;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "the change is not taken: {}", extender.log_end(20));
    }
}

/// Attempts of kube-scheduler that ended in an error, or found no node.
async fn failed_attempts(scheduler: &Scheduler) -> f64 {
    let text = scheduler.metrics().await.unwrap();
    let of = |result| metrics::sum_of(&text, "scheduler_schedule_attempts_total", &[("result", result)]);
    of("error") + of("unschedulable")
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_differ_an_edited_weight_takes_effect_at_once_and_a_broken_edit_changes_nothing() {
    let (plane, extender, scheduler) =
        start(vec![profile("default-scheduler", "cpu"), profile("by-memory", "memory")]).await;
    assert_eq!(node_of(&plane, "one", "by-memory").await, "memory");

    let edit = |config: &mut Value| config["profiles"][0] = profile("default-scheduler", "memory");
    let nodes = nodes_over(&plane, &extender, edit).await;
    // Each is placed by the one or by the other, the first and the last by which of them is certain.
    let after = nodes.iter().position(|node| node == "memory").unwrap();
    assert!(after > 0 && nodes[..after].iter().all(|node| node == "cores"), "{nodes:?}");
    assert!(nodes[after..].iter().all(|node| node == "memory"), "{nodes:?}");
    let digest = extender.profiles().await.unwrap()["configuration"]["digest"].clone();

    extender.rewrite(|config| config["profiles"][0]["plugins"][0]["weight"] = json!(-1)).unwrap();
    until("the refusal", Duration::from_secs(30), || async {
        Ok((reloads(&extender, "refused").await? == 1.0).then_some(()))
    })
    .await
    .unwrap();
    let page = extender.profiles().await.unwrap()["configuration"].clone();
    assert_eq!(page["digest"], digest);
    assert_eq!(page["lastError"]["problems"][0]["key"], "profiles[0].plugins[0].weight", "{page:#}");
    assert!(extender.log_end(50).contains("the one before it stays"), "{}", extender.log_end(50));
    refused_event(&plane).await;
    assert_eq!(node_of(&plane, "still", "default-scheduler").await, "memory");
    assert_eq!((extender.fallbacks().await.unwrap(), failed_attempts(&scheduler).await), (0.0, 0.0));
}

/// The Event on the extender's own pod names the key at fault.
async fn refused_event(plane: &ControlPlane) {
    let events = Api::<Event>::default_namespaced(plane.client());
    let refused = ListParams::default().fields(&format!("reason=ConfigurationRefused,involvedObject.name={OWN_POD}"));
    let event = until("an Event on the extender's pod", Duration::from_secs(30), || async {
        Ok(events.list(&refused).await?.items.into_iter().next())
    })
    .await
    .unwrap();
    assert!(event.message.as_deref().unwrap_or_default().contains("weight"), "{event:?}");
}
