//! When planners plan anew and when they do not, and what several of them leave each other.

use std::collections::BTreeSet;

use gantry_cluster::{Index, NodeForecast, Use, UseUnit};
use k8s_openapi::api::core::v1::Pod;

use super::*;

/// Something that a watch tells of.
type Change = fn(&mut Index);

const PLUGIN: &str = "{name: gantry, component: builtin:gantry}";

/// A pod of so many cores, labelled with its name's first letter; what `spec` says comes on top.
fn pod(name: &str, scheduler: &str, cores: usize, spec: Value) -> Pod {
    let requests = json!({"requests": {"cpu": cores.to_string()}});
    let metadata = json!({"name": name, "namespace": "default", "uid": name, "labels": {"app": &name[..1]}});
    let containers = json!([{"name": "c", "resources": requests}]);
    let mut pod = json!({"metadata": metadata, "spec": {"schedulerName": scheduler, "containers": containers}});
    let Value::Object(spec) = spec else { panic!("a pod's spec is an object") };
    pod["spec"].as_object_mut().unwrap().extend(spec);
    serde_json::from_value(pod).unwrap()
}

fn ours(name: &str, spec: Value) -> Pod {
    pod(name, "default-scheduler", 1, spec)
}

impl Trial {
    /// What the cluster's watch would tell, all at once.
    fn tell(&self, change: impl FnOnce(&mut Index)) {
        change(&mut self.app.index().lock());
    }

    /// How many plans were made for this reason.
    async fn plans(&self, cause: &str) -> f64 {
        self.metric("gantry_plans_total", "outcome", cause).await
    }

    /// The pods of a profile's plan, the first being 0, with their nodes.
    async fn nodes(&self, profile: usize) -> Vec<(String, Option<String>)> {
        let plans = parsed(self.extender.admin("/plan").await.1.as_bytes());
        let pods = plans[profile]["pods"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        pods.iter().map(|pod| (text(&pod["pod"]).unwrap(), text(&pod["node"]))).collect()
    }
}

fn cordon(index: &mut Index) {
    let mut node = node(6);
    node.spec.get_or_insert_default().unschedulable = Some(true);
    index.apply_node(&node).unwrap();
}

fn forecast(index: &mut Index) {
    let expected = Use { unit: UseUnit::Share, p50: 0.5, p90: 0.6 };
    index.set_forecasts([NodeForecast { node: "n1".into(), uses: vec![("cpu".into(), expected)], data_until: 0 }]);
}

#[tokio::test]
async fn whatever_contradicts_a_plan_makes_another_and_is_counted_as_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::of_profiles(folder.path(), &[profile("default-scheduler", &[PLUGIN], "{}")]);
    let changes: [(&str, Change); 6] = [
        ("new-pods", |index| {
            for name in ["stays", "goes"] {
                assert!(index.apply_pod(&ours(name, json!({}))).unwrap());
            }
        }),
        ("gone", |index| assert!(index.delete_pod("goes"))),
        ("nodes", |index| assert!(index.delete_node("n7"))),
        ("domains", cordon),
        ("load", |index| assert!(index.apply_pod(&ours("outsider", json!({"nodeName": "n5"}))).unwrap())),
        ("forecasts", forecast),
    ];
    for (cause, change) in changes {
        assert_eq!(trial.plans(cause).await, 0.0, "{cause} is the cause of nothing yet");
        trial.tell(change);
        until(cause, async || trial.plans(cause).await >= 1.0).await;
    }
    assert_eq!(trial.plans("expired").await, 0.0);
}

#[tokio::test]
async fn a_pod_that_is_left_to_kube_scheduler_is_told_from_one_without_room() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::of_profiles(folder.path(), &[profile("default-scheduler", &[PLUGIN], "{}")]);
    trial.tell(|index| {
        let claim = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]});
        let giant = pod("giant", "default-scheduler", 99, json!({}));
        for pod in [ours("claims", claim), giant, ours("placed", json!({}))] {
            assert!(index.apply_pod(&pod).unwrap());
        }
    });
    until("the plan", async || trial.nodes(0).await.len() == 2).await;
    let plan = trial.plan().await;
    let left = plan["left"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["pod"], &left[0]["state"]), (1, &json!("claims"), &json!("waiting")), "{plan:#}");
    let (_, text) = trial.extender.admin("/plan?format=text").await;
    let rows = ["  default/claims - (left to kube-scheduler)\n", "  default/giant - (no room)\n"];
    for part in rows.into_iter().chain([": 1 of 2 pods placed, 1 left to kube-scheduler, objective "]) {
        assert!(text.contains(part), "{text}");
    }
    let [claims, giant] = [trial.explanation("claims").await, trial.explanation("giant").await];
    assert!(claims["plan"]["left"].as_str().unwrap_or_default().contains("volumes"), "{claims:#}");
    assert_eq!((&giant["plan"]["stands"], &giant["plan"]["left"]), (&json!(true), &Value::Null), "{giant:#}");
    let (_, text) = trial.extender.admin("/explain/default/claims?format=text").await;
    assert!(text.contains("\n  left to kube-scheduler: ") && !text.contains("planned: no room"), "{text}");
}

#[tokio::test]
async fn a_plan_of_a_profile_that_was_changed_is_made_again_by_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::of_profiles(folder.path(), &[profile("default-scheduler", &[PLUGIN], "{}")]);
    trial.tell(|index| assert!(index.apply_pod(&ours("waits", json!({}))).unwrap()));
    until("the first plan", async || trial.plans("new-pods").await == 1.0).await;
    let weighted = profile("default-scheduler", &[PLUGIN], "{}, weights: {cpu: 5}");
    let profiles = loaded(&configuration(folder.path(), &[weighted]));
    trial.app.context.cycles.replace(profiles, || {});
    until("another plan", async || trial.plans("configuration").await == 1.0).await;
    assert_eq!(trial.nodes(0).await.len(), 1);
}

#[tokio::test]
async fn a_plan_whose_time_is_up_is_made_again_and_says_the_same_while_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::of_profiles(folder.path(), &[profile("default-scheduler", &[PLUGIN], "{ttl: 1s}")]);
    let selector = json!({"matchLabels": {"app": "s"}});
    let spread =
        json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]);
    trial.tell(|index| {
        for number in 0..24 {
            let bound = json!({"topologySpreadConstraints": spread, "priority": number % 3});
            index.apply_pod(&ours(&format!("s{number}"), bound)).unwrap();
            let free = json!({"priority": number % 2});
            index.apply_pod(&pod(&format!("l{number}"), "default-scheduler", 2 + number % 3, free)).unwrap();
        }
    });
    until("the first plan", async || trial.plans("new-pods").await == 1.0).await;
    let first = trial.nodes(0).await;
    assert!(first.len() == 48 && first.iter().any(|(_, node)| node.is_none()), "more than the nodes hold");
    for renewals in 1..=2 {
        until("another plan", async || trial.plans("expired").await >= f64::from(renewals)).await;
        assert_eq!(trial.nodes(0).await, first, "renewal {renewals}");
    }
    assert_eq!(trial.plans("new-pods").await, 1.0);
}

#[tokio::test]
async fn two_profiles_do_not_give_the_same_room_away() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = ["one", "two"].map(|scheduler| profile(scheduler, &[PLUGIN], "{}"));
    let trial = Trial::of_profiles(folder.path(), &profiles);
    trial.tell(|index| {
        for number in 0..NODES / 2 {
            for scheduler in ["one", "two"] {
                // Of more than half a node: no two of them fit on one.
                let pod = pod(&format!("{scheduler}-{number}"), scheduler, 5, json!({}));
                index.apply_pod(&pod).unwrap();
            }
        }
    });
    let both = async || [trial.nodes(0).await, trial.nodes(1).await].concat();
    until("two plans", async || both().await.len() == NODES).await;
    let planned = both().await;
    let nodes: BTreeSet<&String> = planned.iter().filter_map(|(_, node)| node.as_ref()).collect();
    assert_eq!(nodes.len(), NODES, "{planned:?}");
}
