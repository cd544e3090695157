//! Our view of pods and nodes against what a real kube-scheduler sent.
//!
//! The requests were captured from kube-scheduler 1.36 on a cluster of five nodes. Those of node-a to node-d are in the
//! full-node captures; node-e never was sent, as it was unschedulable. kube-scheduler asks about the nodes that its own
//! filters left over, so our domain class, and room for the request, have to leave over the same ones.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gantry_cluster::{Index, IndexSettings, PodRow, Snapshot};
use k8s_openapi::api::core::v1::{Node, Pod};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    pod: Pod,
    nodes: Option<Nodes>,
    node_names: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Nodes {
    items: Vec<Node>,
}

fn captured(prefix: &str) -> Vec<(String, Request)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/kube-scheduler");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let named = files.map(|path| (name(&path), path)).filter(|(name, _)| name.starts_with(prefix));
    named.map(|(name, path)| (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())).collect()
}

fn nodes() -> Vec<Node> {
    let mut nodes: Vec<Node> = captured("filter_full").into_iter().flat_map(|(_, r)| r.nodes.unwrap().items).collect();
    let mut unschedulable = nodes[0].clone();
    unschedulable.metadata.name = Some("node-e".into());
    unschedulable.spec.as_mut().unwrap().unschedulable = Some(true);
    nodes.push(unschedulable);
    nodes
}

fn has_room(snapshot: &Snapshot, pod: &PodRow, row: u32) -> bool {
    let columns = pod.request.len();
    let start = row as usize * columns;
    let offer = &snapshot.allocatable()[start..start + columns];
    pod.request.iter().zip(offer).all(|(request, offer)| request <= offer)
}

/// The nodes where the pod's class, and its request on an empty node, let it run.
fn feasible(index: &mut Index, pod: &Pod) -> BTreeSet<String> {
    let pod = index.row_of(pod).unwrap();
    let snapshot = index.snapshot();
    let class = snapshot.class(pod.class).unwrap();
    let rows = (0..snapshot.rows() as u32).filter(|row| class.is_possible(*row) && has_room(&snapshot, &pod, *row));
    rows.map(|row| snapshot.name(row).unwrap().to_string()).collect()
}

fn index() -> Index {
    let mut index = Index::new(IndexSettings::default()).unwrap();
    assert!(index.replace_nodes(&nodes()).is_empty());
    index
}

#[test]
fn the_captured_cluster_is_read_as_it_was_made() {
    let snapshot = index().snapshot();
    let names: BTreeSet<&str> = snapshot.names().iter().flatten().map(AsRef::as_ref).collect();
    assert_eq!(names, BTreeSet::from(["node-a", "node-b", "node-c", "node-d", "node-e"]));
    let row = snapshot.row("node-c").unwrap() as usize * snapshot.resources().len();
    assert_eq!(snapshot.allocatable()[row..row + 2], [16_000.0, 67_108_864_000.0]);
    let gpu = snapshot.resources().iter().position(|name| **name == *"example.com/gpu").unwrap();
    assert_eq!(snapshot.allocatable()[row + gpu], 4.0);
}

#[test]
fn our_view_leaves_over_the_nodes_that_kube_scheduler_sent() {
    let mut compared = 0;
    for (name, request) in captured("filter_") {
        // Its extended resource was left to the extender (ignoredByScheduler), so kube-scheduler did not look for room.
        if name.contains("managed_resource") {
            continue;
        }
        let sent = request.node_names.unwrap_or_else(|| {
            let nodes = request.nodes.unwrap().items.into_iter();
            nodes.map(|node| node.metadata.name.unwrap()).collect()
        });
        assert_eq!(feasible(&mut index(), &request.pod), sent, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 13);
}

#[test]
fn captured_pods_that_differ_in_requests_only_share_a_class() {
    let mut index = index();
    for (_, request) in captured("filter_") {
        index.apply_pod(&request.pod).unwrap();
    }
    // Plain; host port; node affinity; gpu toleration.
    assert_eq!(index.snapshot().classes().len(), 4);
}

#[test]
fn init_containers_and_sidecars_of_the_captured_pod_are_counted() {
    let (_, request) = captured("filter_cached_pod_init_and_sidecar").remove(0);
    // init 2 cores, 1Gi beats main + sidecar = 400m, 192Mi.
    let row = index().row_of(&request.pod).unwrap();
    assert_eq!(row.request[..2], [2000.0, 1_073_741_824.0]);
}

#[test]
fn priorities_and_schedulers_are_read() {
    let (_, request) = captured("filter_cached_pod_priority_class").remove(0);
    let row = index().row_of(&request.pod).unwrap();
    assert_eq!((row.priority, &*row.scheduler_name, &*row.namespace), (100_000, "default-scheduler", "default"));
}
