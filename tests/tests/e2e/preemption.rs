//! Preemption through a filtering extender: nobody is evicted for a pod that may not run there.
//!
//! Three full nodes; the cheapest victim (lowest priority) lies on node `cheap`, which an admin forbids to the urgent pod.
//! kube-scheduler's dry run does not ask extenders' filters, so without Gantry's word it would evict there, in vain.

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
use serde_json::json;

const NODES: [&str; 3] = ["cheap", "dearer", "dearest"];
const PRIORITIES: [(&str, i32); 4] = [("p-cheap", 1), ("p-dearer", 5), ("p-dearest", 9), ("p-urgent", 100)];

/// Each node holds one pod of three quarters of its size, named after the node, with a priority of its own.
async fn fill(client: &Client) -> Result<()> {
    let classes =
        PRIORITIES.map(|(name, value)| -> PriorityClass { typed(json!({"metadata": {"name": name}, "value": value})) });
    create(&Api::all(client.clone()), classes.into_iter()).await?;
    let nodes = NODES.map(|name| {
        let mut node = node(name, &[8000, 32768, 500, 2000]);
        node.metadata.labels.get_or_insert_default().insert("tier".to_owned(), name.to_owned());
        node
    });
    create(&Api::<Node>::all(client.clone()), nodes.into_iter()).await?;
    let victims = NODES.map(|name| {
        let mut victim = pod(name, &[6000, 1024, 1, 1]);
        let spec = victim.spec.get_or_insert_default();
        spec.node_name = Some(name.to_owned());
        spec.priority_class_name = Some(format!("p-{name}"));
        victim
    });
    create(&Api::<Pod>::default_namespaced(client.clone()), victims.into_iter()).await
}

/// Creates the urgent pod and waits until it is bound; returns its node and the victims that are left.
async fn push_in(client: &Client) -> Result<(String, Vec<String>)> {
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let mut urgent = pod("urgent", &[4000, 1024, 1, 1]);
    urgent.labels_mut().insert("app".to_owned(), "db".to_owned());
    urgent.spec.get_or_insert_default().priority_class_name = Some("p-urgent".to_owned());
    create(&pods, std::iter::once(urgent)).await?;
    let node = until("the urgent pod to be bound", Duration::from_mins(1), || async {
        Ok(pods.get("urgent").await?.spec.and_then(|spec| spec.node_name))
    })
    .await?;
    let left =
        pods.list(&ListParams::default()).await?.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let mut left: Vec<String> = left.map(|pod| pod.name_any()).filter(|name| name != "urgent").collect();
    left.sort();
    Ok((node, left))
}

async fn evict_with(dictionary: Vec<serde_json::Value>) -> Result<(String, Vec<String>)> {
    let plane = ControlPlane::start().await?;
    fill(&plane.client()).await?;
    let extender = Extender::start(&plane, &ExtenderSettings { dictionary, ..ExtenderSettings::default() }).await?;
    let stanza = ExtenderStanza::new(extender.url());
    let mut scheduler = Scheduler::start(&plane, &SchedulerSettings::with_extender(stanza)).await?;
    scheduler.wait_for_nodes(NODES.len()).await?;
    let outcome = push_in(&plane.client()).await?;
    scheduler.check()?;
    anyhow::ensure!(extender.requests("preempt").await? > 0.0, "Gantry was not asked");
    Ok(outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_evicts_only_where_the_dictionary_lets_it_run() {
    let forbidden = json!({
        "pods": {"matchLabels": {"app": "db"}},
        "nodes": {"matchLabels": {"tier": "cheap"}},
        "type": "Forbid",
    });
    let (node, left) = Box::pin(evict_with(vec![forbidden])).await.unwrap();
    assert_eq!((node.as_str(), left), ("dearer", vec!["cheap".to_owned(), "dearest".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_entry_the_cheapest_victim_is_evicted() {
    let (node, left) = Box::pin(evict_with(Vec::new())).await.unwrap();
    assert_eq!((node.as_str(), left), ("cheap", vec!["dearer".to_owned(), "dearest".to_owned()]));
}
