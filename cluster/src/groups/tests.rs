//! Rules compiled from hand-made pods on two zones: nodes a and b in the east, c in the west, d in none.

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use super::*;
use crate::index::{Index, IndexSettings};

const EAST: u32 = 0;
const WEST: u32 = 1;

fn node(name: &str, zone: &str) -> Node {
    let mut labels = json!({"host": name});
    if !zone.is_empty() {
        labels["zone"] = json!(zone);
    }
    let status = json!({"allocatable": {"cpu": "4", "pods": "10"}});
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "status": status})).unwrap()
}

fn pod(uid: &str, app: &str, mut spec: Value) -> Pod {
    spec["containers"] = json!([]);
    let metadata = json!({"uid": uid, "name": uid, "namespace": "shop", "labels": {"app": app}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn term(app: &str, topology: &str) -> Value {
    json!({"topologyKey": topology, "labelSelector": {"matchLabels": {"app": app}}})
}

fn apart(app: &str, topology: &str) -> Value {
    json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term(app, topology)]}}})
}

fn beside(app: &str) -> Value {
    json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term(app, "zone")]}}})
}

fn spread(more: &Value) -> Value {
    let mut spread = json!({"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}}});
    spread.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"topologySpreadConstraints": [spread]})
}

fn on(node: &str, mut spec: Value) -> Value {
    spec["nodeName"] = json!(node);
    spec
}

fn index() -> Index {
    let mut index = Index::new(IndexSettings::default()).unwrap();
    for (name, zone) in [("a", "east"), ("b", "east"), ("c", "west"), ("d", "")] {
        index.apply_node(&node(name, zone)).unwrap();
    }
    index
}

/// The rules between the pods that wait, in the order given.
fn groups(pods: &[Pod]) -> GroupColumns {
    let mut index = index();
    for pod in pods {
        index.apply_pod(pod).unwrap();
    }
    let snapshot = index.snapshot();
    let waiting = pods.iter().filter_map(|pod| snapshot.pod(pod.metadata.uid.as_deref()?)).cloned();
    snapshot.groups(&waiting.collect::<Vec<_>>())
}

/// Of a rule: the values by row, pods, existing, limit.
type Plain = (Vec<i64>, Vec<u32>, Vec<(u32, u32)>, GroupLimit);

fn plain(groups: &GroupColumns) -> Vec<Plain> {
    let value = |value: &u32| match *value {
        topologies::NO_VALUE => -1,
        topologies::WITHOUT => -2,
        value => i64::from(value),
    };
    let plain = |rule: &GroupRule| {
        let column = groups.topologies[rule.topology as usize].iter().map(value).collect();
        (column, rule.pods.clone(), rule.existing.clone(), rule.limit)
    };
    groups.rules.iter().map(plain).collect()
}

#[test]
fn pods_that_keep_apart_from_their_like_share_no_host_nor_with_those_that_are_there() {
    let web = |uid| pod(uid, "web", apart("web", "host"));
    let there = pod("r", "web", on("b", apart("web", "host")));
    let rules = groups(&[web("p"), web("q"), there]);
    assert_eq!(plain(&rules), [(vec![0, 1, 2, 3], vec![0, 1], vec![(1, 1)], GroupLimit::AtMost(1))]);
}

#[test]
fn a_zone_of_a_pod_that_keeps_others_away_is_closed_to_them() {
    let there = pod("r", "db", on("a", apart("web", "zone")));
    let rules = groups(&[pod("p", "web", json!({})), pod("q", "web", json!({})), pod("s", "log", json!({})), there]);
    assert_eq!(plain(&rules), [(vec![0, 0, 1, -1], vec![0, 1], vec![(EAST, 2)], GroupLimit::AtMost(2))]);
}

#[test]
fn pods_that_keep_apart_from_others_are_bound_pair_by_pair() {
    let rules = groups(&[
        pod("p", "web", apart("db", "host")),
        pod("q", "db", json!({})),
        pod("r", "db", json!({})),
        pod("s", "db", on("c", json!({}))),
    ]);
    let hosts = || vec![0, 1, 2, 3];
    assert_eq!(
        plain(&rules),
        [
            (hosts(), vec![0], vec![(2, 1)], GroupLimit::AtMost(1)),
            (hosts(), vec![0, 1], vec![], GroupLimit::AtMost(1)),
            (hosts(), vec![0, 2], vec![], GroupLimit::AtMost(1)),
        ]
    );
}

#[test]
fn pods_of_another_namespace_are_not_meant() {
    let mut foreign = pod("q", "web", on("a", json!({})));
    foreign.metadata.namespace = Some("bank".into());
    let rules = groups(&[pod("p", "web", apart("web", "host")), foreign]);
    assert_eq!(plain(&rules), [(vec![0, 1, 2, 3], vec![0], vec![], GroupLimit::AtMost(1))]);
}

#[test]
fn a_spread_counts_who_is_there_and_stays_and_closes_nodes_without_the_label() {
    let web = |uid| pod(uid, "web", spread(&json!({})));
    let mut going = pod("g", "web", on("c", json!({})));
    going.metadata.deletion_timestamp = Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap());
    let rules = groups(&[web("p"), web("q"), pod("r", "web", on("b", json!({}))), going]);
    assert_eq!(
        plain(&rules),
        [
            (vec![0, 0, 1, -2], vec![0, 1], vec![(topologies::WITHOUT, 2)], GroupLimit::AtMost(2)),
            (vec![0, 0, 1, -1], vec![0, 1], vec![(EAST, 1)], GroupLimit::Skew(1)),
        ]
    );
}

#[test]
fn with_fewer_zones_than_demanded_the_fewest_count_as_none() {
    let rules = groups(&[pod("p", "web", spread(&json!({"minDomains": 3})))]);
    assert_eq!(rules.rules[1].limit, GroupLimit::AtMost(1));
}

#[test]
fn nodes_that_the_pod_may_not_go_to_take_no_part_in_its_spread_unless_it_says_so() {
    let selected = |policy: Value| {
        let mut spec = spread(&policy);
        spec["nodeSelector"] = json!({"host": "a"});
        plain(&groups(&[pod("p", "web", spec)])).remove(1).0
    };
    assert_eq!(selected(json!({})), [0, -1, -1, -1]);
    assert_eq!(selected(json!({"nodeAffinityPolicy": "Ignore"})), [0, 0, 1, -1]);
}

#[test]
fn a_spread_of_others_closes_the_zones_that_have_too_many() {
    let there = ["r", "s"].map(|uid| pod(uid, "web", on("c", json!({}))));
    let [r, s] = there;
    let rules = groups(&[pod("p", "log", spread(&json!({}))), r, s]);
    assert_eq!(plain(&rules)[1], (vec![0, 0, 1, -1], vec![0], vec![(WEST, 1)], GroupLimit::AtMost(1)));
}

#[test]
fn a_spread_that_may_be_broken_costs_and_closes_nothing() {
    let rules = groups(&[pod("p", "web", spread(&json!({"whenUnsatisfiable": "ScheduleAnyway"})))]);
    assert_eq!(rules.rules.len(), 1);
    assert_eq!((rules.rules[0].limit, rules.rules[0].force), (GroupLimit::Skew(1), GroupForce::Soft(1.0)));
}

#[test]
fn who_wants_to_be_beside_others_goes_where_they_are() {
    let rules = groups(&[pod("p", "web", beside("db")), pod("r", "db", on("c", json!({})))]);
    let closed = vec![(EAST, 1), (topologies::WITHOUT, 1)];
    assert_eq!(plain(&rules), [(vec![0, 0, 1, -2], vec![0], closed, GroupLimit::AtMost(1))]);
}

#[test]
fn a_group_that_wants_to_be_beside_itself_begins_anywhere_together() {
    let rules = groups(&[pod("p", "web", beside("web")), pod("q", "web", beside("web"))]);
    assert!(rules.unplannable.is_empty());
    assert_eq!(plain(&rules)[0], (vec![0, 0, 1, -2], vec![0, 1], vec![], GroupLimit::Together));
    assert_eq!(plain(&rules)[1].2, [(topologies::WITHOUT, 2)]);
}

#[test]
fn who_waits_for_somebody_that_waits_too_can_not_be_planned() {
    let rules = groups(&[pod("p", "db", json!({})), pod("q", "web", beside("db")), pod("r", "log", json!({}))]);
    assert_eq!(rules.unplannable, [1]);
    assert!(rules.rules.is_empty());
}

#[test]
fn numbers_of_plannable_pods_close_up() {
    let claim = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]});
    let web = |uid| pod(uid, "web", apart("web", "host"));
    let groups = groups(&[pod("x", "db", claim), web("p"), pod("y", "log", beside("db")), web("q")]);
    assert_eq!((groups.unplannable.clone(), groups.rules[0].pods.clone()), (vec![0, 2], vec![1, 3]));
    let (plannable, groups) = groups.renumbered(4);
    assert_eq!((plannable, groups.rules[0].pods.clone()), (vec![1, 3], vec![0, 1]));
}

#[test]
fn preferred_anti_affinity_costs_by_its_weight() {
    let wish = json!([{"weight": 50, "podAffinityTerm": term("web", "host")}]);
    let wish = json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": wish}}});
    let rules = groups(&[pod("p", "web", wish), pod("r", "web", on("a", json!({})))]);
    assert_eq!((rules.rules[0].limit, rules.rules[0].force), (GroupLimit::AtMost(1), GroupForce::Soft(0.5)));
    assert_eq!(rules.rules[0].existing, [(0, 1)]);
}

fn listens(uid: &str, address: &str, port: u16) -> Pod {
    let ports = json!([{"containerPort": port, "hostPort": port, "hostIP": address}]);
    pod(uid, "web", json!({"initContainers": [{"name": "s", "restartPolicy": "Always", "ports": ports}]}))
}

#[test]
fn pods_that_want_the_same_port_of_the_host_share_no_node() {
    let everywhere = "";
    let rules = groups(&[listens("p", everywhere, 80), listens("q", everywhere, 80), listens("r", everywhere, 81)]);
    assert_eq!(plain(&rules), [(vec![0, 1, 2, 3], vec![0, 1], vec![], GroupLimit::AtMost(1))]);

    let [one, other] = ["10.0.0.1", "10.0.0.2"];
    let rules = groups(&[listens("p", one, 80), listens("q", other, 80), listens("r", everywhere, 80)]);
    let bound: Vec<Vec<u32>> = rules.rules.into_iter().map(|rule| rule.pods).collect();
    assert_eq!(bound, [[0, 2], [1, 2]], "two addresses do not exclude each other, all of them exclude each");
}

#[test]
fn pods_that_are_promised_a_node_count_there_for_rules_and_ports() {
    let mut index = index();
    let apart = |uid| pod(uid, "db", apart("db", "host"));
    for pod in [apart("p"), listens("q", "", 80), apart("nominated"), listens("planned", "", 80)] {
        index.apply_pod(&pod).unwrap();
    }
    let snapshot = index.snapshot();
    let [p, q, nominated, planned] = ["p", "q", "nominated", "planned"].map(|uid| snapshot.pod(uid).unwrap().clone());
    let rules = snapshot.groups_beside(&[p, q], &[(1, nominated), (2, planned)]);
    let rows = vec![0, 1, 2, 3];
    let alone = |pod: u32, row: u32| (rows.clone(), vec![pod], vec![(row, 1)], GroupLimit::AtMost(1));
    assert_eq!(plain(&rules), [alone(0, 1), alone(1, 2)]);
}
