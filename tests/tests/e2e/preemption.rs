//! Preemption through an extender: nobody is evicted for a pod that may not run there, or that has no room there all the
//! same.
//!
//! Three full nodes; the cheapest victim (lowest priority) lies on node `cheap`. kube-scheduler's dry run does not ask
//! extenders' filters, so without Gantry's word it would evict there, in vain, where an admin forbids the node to the
//! urgent pod. It never offers a node that is full in its own eyes; one of which somebody has told it not to count a
//! resource may be.

use std::time::Duration;

use anyhow::Result;
use gantry_tests::extender::ExtenderSettings;
use gantry_tests::poll::until;
use gantry_tests::scheduler::{ExtenderStanza, SchedulerSettings};
use gantry_tests::workload::{create, node, pod, typed};
use gantry_tests::{ControlPlane, Extender, Scheduler};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

const NODES: [&str; 3] = ["cheap", "dearer", "dearest"];
const PRIORITIES: [(&str, i32); 5] =
    [("p-cheap", 1), ("p-dearer", 5), ("p-dearest", 9), ("p-urgent", 100), ("p-stays", 1000)];

/// A pod that nobody evicts for the urgent one, and that leaves it no disk I/O on node `cheap`.
const STAYS: &str = "stays";

async fn create_classes(client: &Client) -> Result<()> {
    let classes =
        PRIORITIES.map(|(name, value)| -> PriorityClass { typed(json!({"metadata": {"name": name}, "value": value})) });
    create(&Api::all(client.clone()), classes.into_iter()).await
}

/// Each node holds one pod of three quarters of its size, named after the node, with a priority of its own.
async fn fill(client: &Client, somebody_stays: bool) -> Result<()> {
    let nodes = NODES.map(|name| {
        let mut node = node(name, &[8000, 32768, 500, 2000]);
        node.metadata.labels.get_or_insert_default().insert("tier".to_owned(), name.to_owned());
        node
    });
    create(&Api::<Node>::all(client.clone()), nodes.into_iter()).await?;
    let resident = |name: &str, node: &str, mut pod: Pod| {
        let spec = pod.spec.get_or_insert_default();
        spec.node_name = Some(node.to_owned());
        spec.priority_class_name = Some(format!("p-{name}"));
        pod
    };
    let mut residents: Vec<Pod> = NODES.map(|name| resident(name, name, pod(name, &[6000, 1024, 1, 1]))).into();
    residents.extend(somebody_stays.then(|| resident(STAYS, "cheap", pod(STAYS, &[100, 64, 499, 1]))));
    create(&Api::<Pod>::default_namespaced(client.clone()), residents.into_iter()).await
}

async fn node_of(pods: &Api<Pod>, name: &str) -> Result<String> {
    until(&format!("{name} to be bound"), Duration::from_mins(1), || async {
        Ok(pods.get(name).await?.spec.and_then(|spec| spec.node_name))
    })
    .await
}

/// Creates the urgent pod and waits until it is bound, and two small ones after it: who was evicted in vain is gone by
/// then. Returns the urgent pod's node, and who is left of those that were there before.
async fn push_in(client: &Client) -> Result<(String, Vec<String>)> {
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let mut urgent = pod("urgent", &[4000, 1024, 4, 1]);
    urgent.labels_mut().insert("app".to_owned(), "db".to_owned());
    urgent.spec.get_or_insert_default().priority_class_name = Some("p-urgent".to_owned());
    create(&pods, std::iter::once(urgent)).await?;
    let node = node_of(&pods, "urgent").await?;
    for next in ["next-1", "next-2"] {
        create(&pods, std::iter::once(pod(next, &[100, 64, 1, 1]))).await?;
        node_of(&pods, next).await?;
    }
    let left =
        pods.list(&ListParams::default()).await?.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let was_there = |name: &String| NODES.contains(&name.as_str()) || name == STAYS;
    let mut left: Vec<String> = left.map(|pod| pod.name_any()).filter(was_there).collect();
    left.sort();
    Ok((node, left))
}

/// Both start when everybody is there, so that neither's view is older.
async fn evict_with(plane: &ControlPlane, dictionary: Vec<Value>, disk_is_left: bool) -> Result<(String, Vec<String>)> {
    plane.clear().await?;
    fill(&plane.client(), disk_is_left).await?;
    let extender = Extender::start(plane, &ExtenderSettings { dictionary, ..ExtenderSettings::default() }).await?;
    let left_to_it: &[&str] = if disk_is_left { &["gantry.dev/disk-io"] } else { &[] };
    let stanza = ExtenderStanza { left_to_it, ..ExtenderStanza::new(extender.url()) };
    let mut scheduler = Scheduler::start(plane, &SchedulerSettings::with_extender(stanza)).await?;
    scheduler.wait_for_nodes(NODES.len()).await?;
    let outcome = push_in(&plane.client()).await?;
    scheduler.check()?;
    anyhow::ensure!(extender.requests("preempt").await? > 0.0, "Gantry was not asked");
    Ok(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_evicts_the_cheapest_victim_where_the_dictionary_lets_it_run_and_it_has_room() {
    let plane = ControlPlane::start().await.unwrap();
    create_classes(&plane.client()).await.unwrap();
    let forbidden = json!({
        "pods": {"matchLabels": {"app": "db"}},
        "nodes": {"matchLabels": {"tier": "cheap"}},
        "type": "Forbid",
    });
    for (dictionary, disk_is_left, expected, left) in [
        (vec![], false, "cheap", &["dearer", "dearest"][..]),
        (vec![forbidden], false, "dearer", &["cheap", "dearest"]),
        (vec![], true, "dearer", &["cheap", "dearest", STAYS]),
    ] {
        let (node, stayed) = Box::pin(evict_with(&plane, dictionary, disk_is_left)).await.unwrap();
        let stayed: Vec<&str> = stayed.iter().map(String::as_str).collect();
        assert_eq!((node.as_str(), &stayed[..]), (expected, left), "disk I/O is left to Gantry: {disk_is_left}");
    }
}
