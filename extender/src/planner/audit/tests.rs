//! A plan beside a cluster that changes under it.

use std::time::{Duration, Instant};

use gantry_cluster::{Dictionary, Index, IndexSettings, NodeForecast, Use, UseUnit, WorkloadForecast};
use gantry_host::types;
use gantry_host::types::TerminationReason;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use super::*;
use crate::planner::plan::Basis;
use crate::planner::reserved::Reservation;

const OURS: &str = "default-scheduler";

fn node(name: &str, zone: &str, cpu: &str) -> Node {
    let amounts = json!({"cpu": cpu, "memory": "32Gi", "pods": "10"});
    let metadata = json!({"name": name, "labels": {"zone": zone}});
    serde_json::from_value(json!({"metadata": metadata, "status": {"allocatable": amounts}})).unwrap()
}

/// A pod of one core; what `spec` and `status` say comes on top.
fn pod(name: &str, spec: &Value, status: &Value) -> Pod {
    let containers = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
    let metadata = json!({"name": name, "namespace": "default", "uid": name, "labels": {"app": "a"}});
    let mut pod = json!({"metadata": metadata, "spec": {"containers": containers, "schedulerName": OURS}});
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    pod["status"] = status.clone();
    serde_json::from_value(pod).unwrap()
}

fn waits(name: &str) -> Pod {
    pod(name, &json!({}), &json!({}))
}

/// It came there after all data of any forecast here.
fn bound(name: &str, node: &str) -> Pod {
    let scheduled = json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    pod(name, &json!({"nodeName": node}), &json!({"conditions": [scheduled]}))
}

/// Two nodes of eight cores, and the pods `p0`, `p1` and `p2`.
fn cluster(spec: &Value) -> SharedIndex {
    let index = SharedIndex::new(Index::new(IndexSettings::default()).unwrap());
    for (name, zone) in [("n0", "a"), ("n1", "b")] {
        index.lock().apply_node(&node(name, zone, "8")).unwrap();
    }
    for name in ["p0", "p1", "p2"] {
        index.lock().apply_pod(&pod(name, spec, &json!({}))).unwrap();
    }
    index
}

/// The plan that has the waiting pods on these rows.
fn plan(index: &SharedIndex, rows: [i32; 3]) -> Plan {
    let snapshot = index.snapshot(Instant::now());
    let Agenda { open: pods, reserved, .. } = Agenda::of(&snapshot, OURS, false);
    let groups = snapshot.groups(&pods);
    let search = types::Plan {
        rows: rows.into(),
        objective: Vec::new(),
        violation: 0.0,
        evaluations: 0,
        generations: 0,
        reason: TerminationReason::Trivial,
    };
    Plan::new(1, Basis { snapshot, pods, left: Vec::new(), groups, reserved }, search, Duration::ZERO)
}

/// What contradicts the plan `p0` to `n0` and `p1` to `n1`, without room for `p2`, after a change.
fn after(change: impl FnOnce(&mut Index)) -> Option<Deviation> {
    after_in(&cluster(&json!({})), change)
}

fn after_in(index: &SharedIndex, change: impl FnOnce(&mut Index)) -> Option<Deviation> {
    let plan = plan(index, [0, 1, -1]);
    assert_eq!(contradiction(&plan, index), None);
    change(&mut index.lock());
    contradiction(&plan, index)
}

fn apply(index: &mut Index, pod: &Pod) {
    assert!(index.apply_pod(pod).unwrap());
}

#[test]
fn a_plan_holds_while_its_pods_go_where_it_has_them() {
    assert_eq!(after(|index| apply(index, &bound("p0", "n0"))), None);
    let answered = |index: &mut Index| {
        let row = index.row_of(&waits("p1")).unwrap();
        assert!(index.assume(&row, "n1", Instant::now(), Duration::from_mins(1)));
    };
    assert_eq!(after(answered), None);
}

#[test]
fn a_plan_holds_while_pods_without_a_place_in_it_go() {
    assert_eq!(after(|index| assert!(index.delete_pod("p2"))), None);
}

#[test]
fn pods_that_are_elsewhere_or_from_outside_contradict_it() {
    assert_eq!(after(|index| apply(index, &bound("p0", "n1"))), Some(Deviation::Load));
    assert_eq!(after(|index| apply(index, &bound("p2", "n1"))), Some(Deviation::Load));
    assert_eq!(after(|index| apply(index, &bound("outsider", "n0"))), Some(Deviation::Load));
}

#[test]
fn a_planned_pod_that_is_there_no_longer_leaves_room_for_others() {
    assert_eq!(after(|index| assert!(index.delete_pod("p0"))), Some(Deviation::Gone));
    let has_run = |index: &mut Index| {
        apply(index, &bound("p0", "n0"));
        assert!(index.delete_pod("p0"));
    };
    assert_eq!(after(has_run), Some(Deviation::Gone));
}

#[test]
fn nodes_that_come_go_or_change_contradict_it() {
    let comes = |index: &mut Index| assert!(index.apply_node(&node("n2", "a", "8")).unwrap());
    let shrinks = |index: &mut Index| assert!(index.apply_node(&node("n1", "b", "4")).unwrap());
    assert_eq!(after(comes), Some(Deviation::Nodes));
    assert_eq!(after(|index| assert!(index.delete_node("n1"))), Some(Deviation::Nodes));
    assert_eq!(after(shrinks), Some(Deviation::Nodes));
    let is_cordoned = |index: &mut Index| {
        let mut node = node("n1", "b", "8");
        node.spec.get_or_insert_default().unschedulable = Some(true);
        assert!(index.apply_node(&node).unwrap());
    };
    assert_eq!(after(is_cordoned), Some(Deviation::Domains));
}

#[test]
fn a_planned_pod_that_asks_for_another_amount_contradicts_it() {
    let more = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "2"}}}]});
    assert_eq!(after(|index| apply(index, &pod("p0", &more, &json!({})))), Some(Deviation::Domains));
}

#[test]
fn another_dictionary_contradicts_it() {
    let told = |index: &mut Index| {
        let entry =
            json!([{"pods": {"matchLabels": {"app": "a"}}, "nodes": {"matchLabels": {"zone": "a"}}, "type": "Forbid"}]);
        let mut dictionary = Dictionary::default();
        dictionary.add_profile(OURS, &serde_json::from_value::<Vec<_>>(entry).unwrap()).unwrap();
        assert!(index.set_dictionary(dictionary));
    };
    assert_eq!(after(told), Some(Deviation::Domains));
}

#[test]
fn labels_matter_to_plans_that_rules_between_pods_bind() {
    let moves = |index: &mut Index| assert!(index.apply_node(&node("n1", "a", "8")).unwrap());
    assert_eq!(after(moves), None);
    let selector = json!({"matchLabels": {"app": "a"}});
    let spread =
        json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector});
    let index = cluster(&json!({"topologySpreadConstraints": [spread]}));
    assert_eq!(after_in(&index, moves), Some(Deviation::Domains));
}

#[test]
fn what_others_were_promised_is_no_surprise_when_they_take_it() {
    let nominated = pod("other", &json!({"schedulerName": "another"}), &json!({"nominatedNodeName": "n0"}));
    let index = cluster(&json!({}));
    apply(&mut index.lock(), &nominated);
    assert_eq!(after_in(&index, |index| apply(index, &bound("other", "n0"))), None);
    apply(&mut index.lock(), &nominated);
    assert_eq!(after_in(&index, |index| apply(index, &bound("other", "n1"))), Some(Deviation::Load));
    apply(&mut index.lock(), &nominated);
    assert_eq!(after_in(&index, |index| assert!(index.delete_pod("other"))), Some(Deviation::Gone));
}

#[test]
fn pods_that_other_profiles_plan_hold_their_room_once() {
    let index = cluster(&json!({}));
    let planned = pod("planned", &json!({"schedulerName": "another"}), &json!({}));
    let both = pod("both", &json!({"schedulerName": "another"}), &json!({"nominatedNodeName": "n0"}));
    for pod in [&planned, &both] {
        apply(&mut index.lock(), pod);
    }
    let places = [("planned", "n1"), ("both", "n0"), ("p0", "n0")];
    index.lock().set_plan(places.map(|(pod, node)| (pod.into(), node.into())));
    let now = index.snapshot(Instant::now());
    let nominated = Agenda::of(&now, OURS, false).reserved;
    let claims = Reservation::with_plans(nominated, &now, &now, OURS);
    let claims: Vec<(&str, u32)> = claims.iter().map(|claim| (&*claim.pod.name, claim.row)).collect();
    assert_eq!(claims, [("both", 0), ("planned", 1)]);
}

/// A node's share of cpu that is expected to be used.
fn forecast(node: &str, p50: f64, p90: f64) -> NodeForecast {
    let expected = Use { unit: UseUnit::Share, p50, p90 };
    NodeForecast { node: node.into(), uses: vec![("cpu".into(), expected)], data_until: 0 }
}

#[test]
fn forecasts_contradict_it_where_somebody_would_feel_the_difference() {
    let then = [forecast("n0", 0.3, 0.5), forecast("n1", 0.3, 0.5)];
    for (p50, p90, felt) in
        [(0.305, 0.495, None), (0.35, 0.5, Some(Deviation::Forecasts)), (0.3, 0.9, Some(Deviation::Forecasts))]
    {
        let index = cluster(&json!({}));
        index.lock().set_forecasts(then.clone());
        let change = |index: &mut Index| {
            // On its planned node, where it counts in both quantiles until a forecast has seen it.
            apply(index, &bound("p0", "n0"));
            assert!(index.set_forecasts([forecast("n0", 0.3, 0.5), forecast("n1", p50, p90)]));
        };
        assert_eq!(after_in(&index, change), felt, "{p50} {p90}");
    }
    assert_eq!(after(|index| assert!(index.set_forecasts(then))), Some(Deviation::Forecasts), "the first ones");
}

#[test]
fn what_waiting_pods_are_expected_to_use_matters_like_what_nodes_are() {
    let index = cluster(&json!({}));
    let told = |cores: f64| {
        let expected = Use { unit: UseUnit::Base, p50: cores, p90: cores };
        let uses = vec![("cpu".into(), expected)];
        [WorkloadForecast { namespace: "default".into(), name: "p0".into(), uses, data_until: i64::MAX }]
    };
    // A workload's use is that of one of its pods times their number: somebody has to run it.
    let mut runs = bound("twin", "n1");
    runs.status = None;
    let owner = json!([{"apiVersion": "v1", "kind": "Job", "name": "p0", "uid": "j", "controller": true}]);
    runs.metadata.owner_references = serde_json::from_value(owner).unwrap();
    apply(&mut index.lock(), &runs);
    index.lock().set_workloads(told(0.5));
    index.lock().set_forecasts([forecast("n0", 0.3, 0.5), forecast("n1", 0.3, 0.5)]);
    let change = |cores| move |index: &mut Index| assert!(index.set_workloads(told(cores)));
    assert_eq!(after_in(&index, change(0.51)), None);
    assert_eq!(after_in(&index, change(2.0)), Some(Deviation::Forecasts));
}
