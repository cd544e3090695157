//! The index, event by event.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use super::*;

const TTL: Duration = Duration::from_secs(30);

fn index() -> Index {
    Index::new(IndexSettings::default()).unwrap()
}

fn node(name: &str) -> Node {
    node_from(
        json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "4", "memory": "1Gi", "pods": "10"}}}),
    )
}

fn node_from(node: Value) -> Node {
    serde_json::from_value(node).unwrap()
}

/// A pod asking for one core.
fn pod(uid: &str, spec: Value) -> Pod {
    let mut spec = spec;
    spec["containers"] = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
    pod_from(json!({"metadata": {"uid": uid, "name": uid, "namespace": "default"}, "spec": spec}))
}

fn pod_from(pod: Value) -> Pod {
    serde_json::from_value(pod).unwrap()
}

fn bound(uid: &str, node: &str) -> Pod {
    pod(uid, json!({"nodeName": node}))
}

fn cpu_requested(index: &mut Index, node: &str) -> f64 {
    let snapshot = index.snapshot();
    snapshot.requested()[snapshot.row(node).unwrap() as usize * snapshot.resources().len()]
}

fn index_of(nodes: &[&str]) -> Index {
    let mut index = index();
    for name in nodes {
        index.apply_node(&node(name)).unwrap();
    }
    index
}

#[test]
fn columns_are_row_major_with_weights_where_something_is_offered() {
    let mut index = index_of(&["a", "b"]);
    let snapshot = index.snapshot();
    assert_eq!(snapshot.resources().len(), 6);
    assert_eq!(snapshot.allocatable()[6..], [4000.0, 1_073_741_824.0, 0.0, 0.0, 10.0, 0.0]);
    assert_eq!(snapshot.weights()[6..], [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_label_s_column_follows_the_label_and_weighs_nothing() {
    let resources = ["cpu", "label:speed"].map(str::to_owned).to_vec();
    let mut index = Index::new(IndexSettings { resources, ..IndexSettings::default() }).unwrap();
    let mut labelled = node("a");
    for (value, amount) in [(None, 0.0), (Some("7"), 7.0), (Some("fast"), 0.0)] {
        let labels = value.map(|value| [("speed".to_owned(), value.to_owned())].into());
        labelled.metadata.labels = labels;
        index.apply_node(&labelled).unwrap();
        let snapshot = index.snapshot();
        assert_eq!((snapshot.objective_resources(), snapshot.allocatable()[1]), (1, amount), "{value:?}");
        assert_eq!(snapshot.weights()[..2], [1.0, 0.0]);
    }
}

#[test]
fn an_event_that_changes_nothing_keeps_the_snapshot() {
    let mut index = index_of(&["a"]);
    index.apply_pod(&pod("p", json!({}))).unwrap();
    index.apply_pod(&bound("q", "a")).unwrap();
    let before = index.snapshot();
    assert!(!index.apply_node(&node("a")).unwrap());
    assert!(!index.apply_pod(&pod("p", json!({}))).unwrap());
    assert!(!index.apply_pod(&bound("q", "a")).unwrap());
    assert!(!index.delete_node("gone") && !index.delete_pod("gone") && !index.forget("p"));
    assert!(Arc::ptr_eq(&before, &index.snapshot()));
}

#[test]
fn the_row_of_a_deleted_node_is_empty_and_then_reused() {
    let mut index = index_of(&["a", "b"]);
    index.apply_pod(&bound("p", "a")).unwrap();
    index.delete_node("a");
    let without = index.snapshot();
    assert_eq!((without.rows(), without.node_count(), without.name(0)), (2, 1, None));
    for column in [without.allocatable(), without.requested(), without.weights()] {
        assert_eq!(column[..6], [0.0; 6]);
    }
    index.apply_node(&node("c")).unwrap();
    assert_eq!((index.snapshot().row("c"), index.snapshot().row("b")), (Some(0), Some(1)));
}

#[test]
fn bound_pods_are_counted_once_each_wherever_they_are() {
    let mut index = index_of(&["a"]);
    for (name, node) in [("p", "a"), ("p", "a"), ("q", "unseen"), ("q", "a")] {
        index.apply_pod(&bound(name, node)).unwrap();
    }
    index.apply_pod(&pod("waiting", json!({}))).unwrap();
    assert_eq!(index.snapshot().bound(), 2);
    index.delete_pod("p");
    assert_eq!(index.snapshot().bound(), 1);
}

#[test]
fn pods_of_an_unseen_node_count_when_it_appears() {
    let mut index = index();
    index.apply_pod(&bound("p", "a")).unwrap();
    index.apply_node(&node("a")).unwrap();
    assert_eq!(cpu_requested(&mut index, "a"), 1000.0);
    index.delete_node("a");
    index.apply_node(&node("a")).unwrap();
    assert_eq!(cpu_requested(&mut index, "a"), 1000.0);
}

#[test]
fn completed_pods_free_and_terminating_pods_hold_their_resources() {
    let mut index = index_of(&["a"]);
    let mut pod = bound("p", "a");
    pod.metadata.deletion_timestamp = Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap());
    index.apply_pod(&pod).unwrap();
    assert_eq!(cpu_requested(&mut index, "a"), 1000.0);
    pod.status = Some(serde_json::from_value(json!({"phase": "Succeeded"})).unwrap());
    index.apply_pod(&pod).unwrap();
    assert_eq!(cpu_requested(&mut index, "a"), 0.0);
}

#[test]
fn a_relist_drops_what_it_does_not_name() {
    let mut index = index_of(&["a", "b"]);
    index.apply_pod(&bound("p", "b")).unwrap();
    index.apply_pod(&pod("q", json!({}))).unwrap();
    index.replace_nodes([&node("b")]);
    index.replace_pods([&pod("r", json!({}))]);
    let snapshot = index.snapshot();
    assert!(snapshot.has_synced());
    assert_eq!((snapshot.row("a"), snapshot.pod("q")), (None, None));
    assert!(snapshot.pod("r").is_some());
    assert_eq!(cpu_requested(&mut index, "b"), 0.0);
}

#[test]
fn an_assumed_pod_counts_at_once_and_until_it_is_forgotten() {
    let mut index = index_of(&["a", "b"]);
    let now = Instant::now();
    index.apply_pod(&pod("p", json!({}))).unwrap();
    let row = Arc::clone(index.snapshot().pod("p").unwrap());
    assert!(index.assume(&row, "a", now, TTL));
    assert_eq!((cpu_requested(&mut index, "a"), index.snapshot().assumed()), (1000.0, 1));
    assert_eq!(index.snapshot().pending().count(), 0);
    assert!(index.assume(&row, "b", now, TTL), "a second answer moves it");
    assert_eq!((cpu_requested(&mut index, "a"), cpu_requested(&mut index, "b")), (0.0, 1000.0));
    assert_eq!(index.snapshot().assumed_node("p").map(AsRef::as_ref), Some("b"));
    assert!(index.forget("p"));
    assert_eq!((cpu_requested(&mut index, "b"), index.snapshot().pending().count()), (0.0, 1));
}

#[test]
fn the_watch_supersedes_an_assumption_wherever_the_pod_was_bound() {
    let mut index = index_of(&["a", "b"]);
    let now = Instant::now();
    let row = index.row_of(&pod("p", json!({}))).unwrap();
    index.assume(&row, "a", now, TTL);
    index.apply_pod(&bound("p", "b")).unwrap();
    assert_eq!((cpu_requested(&mut index, "a"), cpu_requested(&mut index, "b")), (0.0, 1000.0));
    assert_eq!((index.expire(now + TTL), index.snapshot().assumed()), (0, 0));
    assert!(!index.assume(&row, "a", now, TTL), "it is bound");
    assert_eq!(cpu_requested(&mut index, "b"), 1000.0);
}

#[test]
fn a_pod_that_is_bound_where_it_was_assumed_changes_no_row() {
    let mut index = index_of(&["a", "b"]);
    index.apply_pod(&pod("p", json!({}))).unwrap();
    let row = Arc::clone(index.snapshot().pod("p").unwrap());
    index.assume(&row, "a", Instant::now(), TTL);
    let assumed = index.snapshot();
    assert!(index.apply_pod(&bound("p", "a")).unwrap());
    let bound = index.snapshot();
    assert_eq!(bound.changed_since(assumed.generation()), Some(Vec::new()));
    assert_eq!((cpu_requested(&mut index, "a"), bound.assumed(), bound.bound()), (1000.0, 0, 1));
    assert_eq!((bound.pod("p"), index.expire(Instant::now() + TTL)), (None, 0));
}

#[test]
fn an_assumption_ends_with_its_time() {
    let mut index = index_of(&["a"]);
    let now = Instant::now();
    let row = index.row_of(&pod("p", json!({}))).unwrap();
    index.assume(&row, "a", now, TTL);
    assert_eq!(index.expire(now + Duration::from_nanos(29_999_999_999)), 0);
    assert_eq!((index.expire(now + TTL), cpu_requested(&mut index, "a")), (1, 0.0));
    assert_eq!(index.snapshot().pod("p"), None, "it came with a request only");
}

#[test]
fn an_assumption_survives_events_of_the_unbound_pod_and_lists_older_than_it() {
    let mut index = index_of(&["a"]);
    let now = Instant::now();
    let row = index.row_of(&pod("p", json!({}))).unwrap();
    index.assume(&row, "a", now, TTL);
    index.replace_pods([]);
    index.apply_pod(&pod("p", json!({"priority": 7}))).unwrap();
    assert_eq!(cpu_requested(&mut index, "a"), 1000.0);
    assert_eq!(index.snapshot().pod("p").unwrap().priority, 7);
    index.delete_pod("p");
    assert_eq!((cpu_requested(&mut index, "a"), index.snapshot().assumed()), (0.0, 0));
}

#[test]
fn nothing_is_assumed_on_an_unknown_node() {
    let mut index = index();
    let row = index.row_of(&pod("p", json!({}))).unwrap();
    assert!(!index.assume(&row, "nowhere", Instant::now(), TTL));
    assert_eq!(index.snapshot().assumed(), 0);
}

#[test]
fn victims_are_left_out_of_a_row() {
    let mut index = index_of(&["a"]);
    for uid in ["p", "q", "r"] {
        index.apply_pod(&bound(uid, "a")).unwrap();
    }
    let without = index.staying_without("a", &HashSet::from(["p", "q"])).unwrap();
    assert_eq!((without[0], without[4]), (1000.0, 1.0));
    assert_eq!(index.staying_without("a", &HashSet::from(["p", "unknown"])), None);
    assert_eq!(index.staying_without("b", &HashSet::new()), None);
}

#[test]
fn only_bound_pods_that_were_not_told_to_go_surely_stay() {
    let mut index = index_of(&["a"]);
    index.apply_pod(&bound("stays", "a")).unwrap();
    let mut leaving = bound("leaves", "a");
    leaving.metadata.deletion_timestamp = long_ago();
    index.apply_pod(&leaving).unwrap();
    let row = index.row_of(&pod("assumed", json!({}))).unwrap();
    assert!(index.assume(&row, "a", Instant::now(), TTL));
    assert_eq!(cpu_requested(&mut index, "a"), 3000.0);
    assert_eq!(index.staying_without("a", &HashSet::new()).unwrap()[0], 1000.0);
    assert_eq!(index.staying_without("a", &HashSet::from(["assumed", "leaves"])).unwrap()[0], 1000.0);
}

fn long_ago() -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time> {
    serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap()
}

#[test]
fn a_new_resource_gets_a_column_everywhere() {
    let mut index = index_of(&["a"]);
    index.apply_pod(&bound("p", "a")).unwrap();
    index.apply_pod(&pod("q", json!({}))).unwrap();
    let before = index.snapshot();
    let gpu = json!({"metadata": {"name": "b"}, "status": {"allocatable": {"example.com/gpu": "2"}}});
    index.apply_node(&node_from(gpu)).unwrap();
    let after = index.snapshot();
    assert_eq!((before.resources().len(), after.resources().len()), (6, 7));
    assert_eq!(after.allocatable()[7..], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    assert_eq!(after.requested()[..7], [1000.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!((before.pod("q").unwrap().request.len(), after.pod("q").unwrap().request.len()), (6, 7));
    assert_eq!(after.changed_since(before.generation()), None);
}

#[test]
fn changed_rows_are_told_since_a_generation() {
    let mut index = index_of(&["a", "b", "c"]);
    let before = index.snapshot();
    index.apply_pod(&bound("p", "c")).unwrap();
    index.apply_pod(&bound("q", "a")).unwrap();
    let after = index.snapshot();
    assert_eq!(after.changed_since(before.generation()), Some(vec![0, 2]));
    assert_eq!(after.changed_since(after.generation()), Some(vec![]));
    assert_eq!(after.changed_since(after.generation() + 1), None);
    assert_eq!(after.changed_since(0), None, "rows were added since");
    assert_eq!(before.requested()[0], 0.0, "an earlier snapshot stays as it was");
}

#[test]
fn pods_with_equal_constraints_share_a_class_that_follows_the_nodes() {
    let mut index = index_of(&["a", "b"]);
    for uid in ["p", "q"] {
        index.apply_pod(&pod(uid, json!({"nodeSelector": {"disk": "ssd"}}))).unwrap();
    }
    let before = index.snapshot();
    let class = before.pod("p").unwrap().class;
    assert_eq!((before.classes().len(), before.pod("q").unwrap().class), (1, class));
    assert_eq!(before.class(class).unwrap().possible, [0]);
    let ssd = json!({"metadata": {"name": "b", "labels": {"disk": "ssd"}}});
    index.apply_node(&node_from(ssd)).unwrap();
    let after = index.snapshot();
    assert_eq!(after.class(class).unwrap().possible, [0b10]);
    assert_eq!(after.classes_changed_since(before.generation()).count(), 1);
    assert_eq!(before.class(class).unwrap().possible, [0], "an earlier snapshot stays as it was");
}

#[test]
fn a_taken_host_port_closes_a_row_until_it_is_free() {
    let mut index = index_of(&["a", "b"]);
    let with_port = |uid: &str, node: &str| {
        let mut pod = bound(uid, node);
        let ports = serde_json::from_value(json!([{"containerPort": 80, "hostPort": 80}])).unwrap();
        pod.spec.as_mut().unwrap().containers[0].ports = Some(ports);
        pod
    };
    index.apply_pod(&with_port("p", "")).unwrap();
    let class = index.snapshot().pod("p").unwrap().class;
    index.apply_pod(&with_port("q", "a")).unwrap();
    assert_eq!(index.snapshot().class(class).unwrap().possible, [0b10]);
    index.delete_pod("q");
    assert_eq!(index.snapshot().class(class).unwrap().possible, [0b11]);
}

#[test]
fn reluctant_taints_lower_the_preference_only() {
    let mut index = index_of(&["a", "b"]);
    index.apply_pod(&pod("p", json!({}))).unwrap();
    let class = index.snapshot().pod("p").unwrap().class;
    assert!(index.snapshot().class(class).unwrap().preference.is_empty());
    let tainted = json!({"metadata": {"name": "b"}, "spec": {"taints": [{"key": "x", "effect": "PreferNoSchedule"}]}});
    index.apply_node(&node_from(tainted)).unwrap();
    let reluctant = index.snapshot();
    assert_eq!(reluctant.class(class).unwrap().preference, [1.0, 0.25]);
    assert_eq!(reluctant.class(class).unwrap().possible, [0b11]);
    index.apply_node(&node("b")).unwrap();
    assert!(index.snapshot().class(class).unwrap().preference.is_empty());
}

#[test]
fn a_full_table_drops_old_classes_whose_pods_are_read_anew() {
    let mut index = Index::new(IndexSettings { max_classes: 4, ..IndexSettings::default() }).unwrap();
    index.apply_node(&node("a")).unwrap();
    let picky = |number: usize| pod(&number.to_string(), json!({"nodeSelector": {"n": number.to_string()}}));
    for number in 0..4 {
        index.apply_pod(&picky(number)).unwrap();
    }
    let before = index.snapshot();
    index.apply_pod(&picky(4)).unwrap();
    let full = index.snapshot();
    assert_eq!(full.classes().len(), 4);
    assert_eq!(full.changed_since(before.generation()), None, "whoever holds the classes has to drop one");
    assert!(full.pod("0").is_none());
    let row = index.row_of(&picky(0)).unwrap();
    assert_eq!(row.class, 5, "ids are never used again");
    assert_eq!(index.snapshot().pod("0"), Some(&row));
}

#[test]
fn classes_that_pods_wait_with_stay_while_others_can_make_room() {
    let mut index = Index::new(IndexSettings { max_classes: 8, ..IndexSettings::default() }).unwrap();
    index.apply_node(&node("a")).unwrap();
    let picky = |number: usize| pod(&number.to_string(), json!({"nodeSelector": {"n": number.to_string()}}));
    for number in 0..3 {
        index.apply_pod(&picky(number)).unwrap();
    }
    for number in 3..40 {
        index.row_of(&picky(number)).unwrap();
    }
    let snapshot = index.snapshot();
    assert!(snapshot.classes().len() <= 8);
    assert!((0..3).all(|number| snapshot.pod(&number.to_string()).is_some()));
}

#[test]
fn labels_and_taints_are_compared_and_nothing_else_of_nodes() {
    let mut index = index_of(&["a", "b"]);
    let before = index.snapshot();
    let mut changed = node("b");
    changed.status.as_mut().unwrap().allocatable = None;
    index.apply_node(&changed).unwrap();
    let poorer = index.snapshot();
    assert!(poorer.generation() > before.generation() && poorer.has_same_marks(&before));
    changed.metadata.labels.get_or_insert_default().insert("zone".to_owned(), "z".to_owned());
    index.apply_node(&changed).unwrap();
    let zoned = index.snapshot();
    assert!(!zoned.has_same_marks(&before));
    index.delete_node("a");
    assert!(!index.snapshot().has_same_marks(&zoned));
}

#[test]
fn a_refused_object_changes_nothing() {
    let mut index = index_of(&["a"]);
    index.apply_pod(&pod("p", json!({}))).unwrap();
    let before = index.snapshot();
    let mut bad = pod("p", json!({"nodeSelector": {"new": "class"}}));
    let requests = json!({"requests": {"cpu": "1.2.3Gi"}});
    bad.spec.as_mut().unwrap().containers[0].resources = Some(serde_json::from_value(requests).unwrap());
    assert!(index.apply_pod(&bad).is_err() && index.row_of(&bad).is_err());
    assert!(index.apply_pod(&pod_from(json!({"metadata": {"name": "anonymous"}}))).is_err());
    let refused = node_from(json!({"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "-5"}}}));
    assert!(index.apply_node(&refused).is_err());
    assert!(Arc::ptr_eq(&before, &index.snapshot()));
}

fn forbidding(tier: &str) -> Dictionary {
    let entry =
        json!([{"pods": {"matchLabels": {"app": "db"}}, "nodes": {"matchLabels": {"tier": tier}}, "type": "Forbid"}]);
    let mut dictionary = Dictionary::default();
    dictionary.add_profile("default-scheduler", &serde_json::from_value::<Vec<_>>(entry).unwrap()).unwrap();
    dictionary
}

fn told_of_tiers(index: &mut Index) {
    for tier in ["edge", "core"] {
        let mut node = node(tier);
        node.metadata.labels = Some([("tier".to_owned(), tier.to_owned())].into());
        index.apply_node(&node).unwrap();
    }
    for (uid, app) in [("u1", "db"), ("u2", "web")] {
        let mut pod = pod(uid, json!({}));
        pod.metadata.labels = Some([("app".to_owned(), app.to_owned())].into());
        index.apply_pod(&pod).unwrap();
    }
}

/// Where each pod may go as far as the dictionary is concerned.
fn permitted(index: &mut Index) -> Vec<[bool; 2]> {
    let snapshot = index.snapshot();
    let of = |uid: &str| {
        let class = snapshot.class(snapshot.pod(uid).unwrap().class).unwrap();
        ["edge", "core"].map(|node| class.is_permitted(snapshot.row(node).unwrap()))
    };
    vec![of("u1"), of("u2")]
}

#[test]
fn another_dictionary_judges_as_if_it_had_been_there_from_the_start() {
    let mut changed = Index::new(IndexSettings { dictionary: forbidding("edge"), ..IndexSettings::default() }).unwrap();
    told_of_tiers(&mut changed);
    assert_eq!(permitted(&mut changed), [[false, true], [true, true]]);
    let before = changed.snapshot();
    assert!(changed.set_dictionary(forbidding("core")));
    assert_eq!(permitted(&mut changed), [[true, false], [true, true]]);
    let after = changed.snapshot();
    assert_eq!(after.changed_since(before.generation()), None, "whoever holds classes is told everything again");
    assert_eq!(before.class(before.pod("u1").unwrap().class).map(|class| class.is_permitted(0)), Some(false));

    let mut fresh = Index::new(IndexSettings { dictionary: forbidding("core"), ..IndexSettings::default() }).unwrap();
    told_of_tiers(&mut fresh);
    assert_eq!(permitted(&mut changed), permitted(&mut fresh));
    assert!(!changed.set_dictionary(forbidding("core")), "the same again changes nothing");
}
