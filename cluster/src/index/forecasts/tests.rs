//! Forecasts among nodes and pods.

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::json;

use super::*;
use crate::{IndexSettings, Snapshot};

fn node(name: &str) -> Node {
    let allocatable = json!({"cpu": "4", "memory": "1000", "pods": "10"});
    serde_json::from_value(json!({"metadata": {"name": name}, "status": {"allocatable": allocatable}})).unwrap()
}

/// A pod of one core that was bound `second` seconds after 2026 began.
fn bound(uid: &str, node: &str, second: i64) -> Pod {
    let time = format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
    let containers = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
    let condition = json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": time}]);
    serde_json::from_value(json!({
        "metadata": {"uid": uid, "name": uid, "namespace": "default"},
        "spec": {"nodeName": node, "containers": containers},
        "status": {"conditions": condition},
    }))
    .unwrap()
}

/// 2026-01-01T00:00:00Z.
const YEAR: i64 = 1_767_225_600;

fn forecast(node: &str, unit: UseUnit, p50: f64, p90: f64) -> NodeForecast {
    NodeForecast { node: node.into(), uses: vec![("cpu".into(), Use { unit, p50, p90 })], data_until: YEAR + 600 }
}

fn index(nodes: &[&str]) -> Index {
    let mut index = Index::new(IndexSettings::default()).unwrap();
    for name in nodes {
        index.apply_node(&node(name)).unwrap();
    }
    index
}

/// The two quantiles of cpu on a node.
fn cpu(snapshot: &Snapshot, node: &str) -> (f64, f64) {
    let cell = snapshot.row(node).unwrap() as usize * snapshot.resources().len();
    (snapshot.used_p50()[cell], snapshot.used_p90()[cell])
}

#[test]
fn without_forecasts_there_are_no_columns_of_use() {
    let snapshot = index(&["a"]).snapshot();
    assert!(snapshot.used_p50().is_empty() && snapshot.used_p90().is_empty());
}

#[test]
fn shares_count_of_what_is_offered_and_cores_as_millicores() {
    let mut index = index(&["a", "b"]);
    let both = [forecast("a", UseUnit::Share, 0.25, 0.5), forecast("b", UseUnit::Base, 1.5, 2.0)];
    let before = index.snapshot().generation();
    assert!(index.set_forecasts(both.clone()));
    assert!(!index.set_forecasts(both), "the same again is no change");
    let snapshot = index.snapshot();
    assert!(snapshot.has_forecasts_since(before) && !snapshot.has_forecasts_since(snapshot.generation()));
    assert_eq!((cpu(&snapshot, "a"), cpu(&snapshot, "b")), ((1_000.0, 2_000.0), (1_500.0, 2_000.0)));
}

#[test]
fn what_has_no_forecast_is_expected_to_use_what_its_pods_ask_for() {
    let mut index = index(&["a", "b"]);
    index.apply_pod(&bound("p", "b", 0)).unwrap();
    index.set_forecasts([forecast("a", UseUnit::Share, 0.25, 0.5)]);
    let snapshot = index.snapshot();
    assert_eq!(cpu(&snapshot, "b"), (1_000.0, 0.0));
    let memory = snapshot.row("a").unwrap() as usize * snapshot.resources().len() + 1;
    assert_eq!((snapshot.used_p50()[memory], snapshot.used_p90()[memory]), (0.0, 0.0));
}

#[test]
fn pods_that_came_after_the_data_count_on_top_and_older_ones_do_not() {
    let mut index = index(&["a"]);
    index.set_forecasts([forecast("a", UseUnit::Share, 0.25, 0.5)]);
    index.apply_pod(&bound("old", "a", 500)).unwrap();
    assert_eq!(cpu(&index.snapshot(), "a"), (1_000.0, 2_000.0));
    index.apply_pod(&bound("new", "a", 570)).unwrap();
    assert_eq!(cpu(&index.snapshot(), "a"), (2_000.0, 3_000.0));
    let later = NodeForecast { data_until: YEAR + 700, ..forecast("a", UseUnit::Share, 0.5, 0.75) };
    index.set_forecasts([later]);
    assert_eq!(cpu(&index.snapshot(), "a"), (2_000.0, 3_000.0), "now the data knows it");
}

#[test]
fn an_assumed_pod_counts_at_once() {
    let mut index = index(&["a"]);
    index.set_forecasts([forecast("a", UseUnit::Share, 0.25, 0.5)]);
    let mut waiting = bound("p", "", 0);
    waiting.status = None;
    index.apply_pod(&waiting).unwrap();
    let row = Arc::clone(index.snapshot().pod("p").unwrap());
    let now = std::time::Instant::now();
    assert!(index.assume(&row, "a", now, std::time::Duration::from_secs(30)));
    assert_eq!(cpu(&index.snapshot(), "a"), (2_000.0, 3_000.0));
}

#[test]
fn only_rows_whose_forecast_changed_are_told_and_appearing_columns_reshape() {
    let mut index = index(&["a", "b"]);
    let before = index.snapshot().generation();
    index.set_forecasts([forecast("a", UseUnit::Share, 0.25, 0.5), forecast("b", UseUnit::Share, 0.25, 0.5)]);
    let shown = index.snapshot();
    assert_eq!(shown.changed_since(before), None, "columns came");
    index.set_forecasts([forecast("a", UseUnit::Share, 0.25, 0.5), forecast("b", UseUnit::Share, 0.25, 0.6)]);
    assert_eq!(index.snapshot().changed_since(shown.generation()), Some(vec![shown.row("b").unwrap()]));
    index.set_forecasts([]);
    assert_eq!(index.snapshot().changed_since(shown.generation()), None, "columns went");
    assert!(index.snapshot().used_p50().is_empty());
}

#[test]
fn a_node_that_comes_later_gets_its_forecast() {
    let mut index = index(&["a"]);
    index.set_forecasts([forecast("b", UseUnit::Share, 0.25, 0.5)]);
    assert_eq!(cpu(&index.snapshot(), "a"), (0.0, 0.0));
    index.apply_node(&node("b")).unwrap();
    assert_eq!(cpu(&index.snapshot(), "b"), (1_000.0, 2_000.0));
}

/// A pod of one core that a Deployment made, bound as [`bound`] has it.
fn replica(deployment: &str, uid: &str, node: &str, second: i64) -> Pod {
    let mut pod = bound(uid, node, second);
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{deployment}-abc"), "uid": "1",
        "controller": true}]);
    pod.metadata.owner_references = serde_json::from_value(owner).unwrap();
    pod.metadata.labels = Some([("pod-template-hash".to_owned(), "abc".to_owned())].into());
    pod
}

fn waiting(mut pod: Pod) -> Pod {
    pod.spec.as_mut().unwrap().node_name = None;
    pod.status = None;
    pod
}

/// All of a Deployment's pods together use so many cores.
fn workload(name: &str, cores: f64) -> WorkloadForecast {
    let expected = Use { unit: UseUnit::Base, p50: cores, p90: 2.0 * cores };
    let uses = vec![("cpu".into(), expected), ("memory".into(), Use { unit: UseUnit::Share, ..expected })];
    WorkloadForecast { namespace: "default".into(), name: name.into(), uses, data_until: YEAR + 600 }
}

#[test]
fn a_factor_lets_pods_count_with_a_part_of_what_they_ask_for_and_fills_no_node_further() {
    let estimates = Some(crate::EstimateSettings { factor: 0.5, ..crate::EstimateSettings::default() });
    let mut index = Index::new(IndexSettings { estimates, ..IndexSettings::default() }).unwrap();
    index.apply_node(&node("a")).unwrap();
    index.apply_pod(&bound("p", "a", 0)).unwrap();
    let row = index.row_of(&waiting(bound("q", "a", 0))).unwrap();
    let snapshot = index.snapshot();
    assert_eq!((cpu(&snapshot, "a"), snapshot.requested()[0]), ((500.0, 0.0), 1_000.0));
    assert_eq!((snapshot.estimate(&row)[0], row.request[0]), (500.0, 1_000.0));
}

#[test]
fn a_pod_is_expected_to_use_its_part_of_what_its_workload_does() {
    let mut index = index(&["a", "b"]);
    for (uid, node, second) in [("w-1", "a", 0), ("w-2", "b", 0), ("w-3", "b", 590)] {
        index.apply_pod(&replica("web", uid, node, second)).unwrap();
    }
    index.apply_pod(&bound("other", "b", 0)).unwrap();
    let row = index.row_of(&waiting(replica("web", "w-4", "a", 0))).unwrap();
    let before = index.snapshot();
    assert!(before.estimate(&row).is_empty() && before.used_p50().is_empty());
    // The third one came when the data was complete already: three cores are those of two pods.
    assert!(index.set_workloads([workload("web", 3.0), workload("gone", 9.0)]));
    assert!(!index.set_workloads([workload("web", 3.0)]), "of a workload without pods nothing is known");
    let after = index.snapshot();
    assert_eq!((cpu(&after, "a"), cpu(&after, "b")), ((1_500.0, 0.0), (4_000.0, 0.0)));
    assert_eq!(after.estimate(&row)[..2], [1_500.0, 209_715_200.0], "by forecast, and as one that does not say");
    assert_eq!(after.requested(), before.requested());
    assert_eq!(after.changed_since(before.generation()), None, "columns that come are told whole");
    assert!(index.set_workloads([]));
    assert!(index.snapshot().used_p50().is_empty());
}

#[test]
fn what_came_after_a_nodes_forecast_counts_on_top_with_what_it_is_expected_to_use() {
    let mut index = index(&["a"]);
    index.apply_pod(&replica("web", "w-1", "a", 0)).unwrap();
    index.set_workloads([workload("web", 0.25)]);
    index.set_forecasts([forecast("a", UseUnit::Base, 1.5, 2.0)]);
    assert_eq!(cpu(&index.snapshot(), "a"), (1_500.0, 2_000.0));
    index.apply_pod(&replica("web", "w-2", "a", 599)).unwrap();
    assert_eq!(cpu(&index.snapshot(), "a"), (1_750.0, 2_250.0));
}

#[test]
fn a_pod_that_is_told_to_go_counts_until_it_is_gone() {
    let mut index = index(&["a"]);
    let mut pod = replica("web", "w-1", "a", 0);
    index.apply_pod(&pod).unwrap();
    index.set_workloads([workload("web", 0.5)]);
    pod.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:09:00Z")).unwrap();
    index.apply_pod(&pod).unwrap();
    assert_eq!(cpu(&index.snapshot(), "a").0, 500.0);
    index.delete_pod("w-1");
    assert_eq!(cpu(&index.snapshot(), "a").0, 0.0);
}
