//! `simulate` on the recorded cluster, and on input that is wrong.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{assert_is_file, root, run};

fn example() -> String {
    root().join("examples/cluster.json").to_string_lossy().into_owned()
}

fn report(arguments: &[&str]) -> Value {
    let example = example();
    let all: Vec<&str> = ["simulate", &example, "--output", "json"].iter().chain(arguments).copied().collect();
    serde_json::from_str(&run(&all).ok()).unwrap()
}

#[test]
fn the_recorded_cluster_gives_the_table_in_the_readme() {
    let text = run(&["simulate", &example()]).ok();
    assert_is_file(&text, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/simulate.txt"));
}

#[test]
fn the_joint_plan_is_more_even_than_kube_scheduler_and_leaves_no_more_pods() {
    let report = report(&[]);
    let [default, all, _, plan] = [0, 1, 2, 3].map(|rule| &report["rules"][rule]);
    for rival in [default, all] {
        assert!(plan["sigma"].as_f64() < rival["sigma"].as_f64());
        assert!(plan["placed"].as_u64() >= rival["placed"].as_u64());
    }
    let rules = report["rules"].as_array().unwrap();
    for rule in rules {
        let unplaced = rule["unplaced"].as_object().unwrap().len() as u64;
        assert_eq!(rule["placed"].as_u64().unwrap() + unplaced, report["pendingPods"].as_u64().unwrap());
        assert_eq!(rule["assignment"].as_object().unwrap().len() as u64, rule["placed"].as_u64().unwrap());
    }
    assert_eq!(default["moves"], 0);
}

#[test]
fn the_same_seed_gives_the_same_report_and_a_small_budget_a_short_search() {
    let small = ["--evaluations", "5000", "--seed", "7"];
    let first = report(&small);
    assert_eq!(first, report(&small));
    let evaluations = |report: &Value| report["rules"][3]["evaluations"].as_u64().unwrap();
    assert!(evaluations(&first) < evaluations(&report(&["--evaluations", "200000"])));
}

#[test]
fn a_resource_that_weighs_more_is_spread_more_evenly_and_kube_scheduler_is_as_it_was() {
    let sigma = |report: &Value, rule: usize| report["rules"][rule]["sigmaByResource"]["memory"].as_f64().unwrap();
    let (plain, weighed) = (report(&[]), report(&["--weights", "memory=50"]));
    assert_eq!(plain["rules"][0], weighed["rules"][0]);
    for rule in [2, 3] {
        assert!(sigma(&weighed, rule) < sigma(&plain, rule), "{} {}", sigma(&weighed, rule), sigma(&plain, rule));
    }
}

#[test]
fn another_scheduler_s_pods_are_left_out() {
    let report = report(&["--scheduler-name", "gantry"]);
    assert_eq!((report["pendingPods"].as_u64(), report["leftOutPods"].as_u64()), (Some(0), Some(60)));
    assert_eq!(report["rules"][3]["sigma"], report["before"]["sigma"]);
}

/// A node of so many processors.
fn node(name: &str, cpu: u32) -> Value {
    let allocatable = json!({"cpu": cpu.to_string(), "memory": "64Gi", "pods": "110"});
    json!({"kind": "Node", "metadata": {"name": name}, "status": {"allocatable": allocatable}})
}

/// A pod that waits for one processor, with more in its spec.
fn pod(name: &str, more: &Value) -> Value {
    let containers = json!([{"name": "c", "resources": {"requests": {"cpu": "1"}}}]);
    let mut spec = more.clone();
    spec["containers"] = containers;
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": spec})
}

/// The table and the document of a cluster.
fn simulated(items: &[Value]) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.json");
    fs::write(&path, json!({"items": items}).to_string()).unwrap();
    let file = path.to_str().unwrap();
    let document = run(&["simulate", file, "--output", "json"]).ok();
    (run(&["simulate", file]).ok(), serde_json::from_str(&document).unwrap())
}

#[test]
fn pods_that_no_plan_can_express_are_left_to_kube_scheduler_and_placed_all_the_same() {
    let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let selected = json!({"topologyKey": "zone", "namespaceSelector": {"matchLabels": {"team": "a"}}});
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [selected]}});
    let pods = [
        pod("web", &json!({})),
        pod("db-0", &json!({"volumes": volumes})),
        pod("db-1", &json!({"volumes": volumes})),
        pod("gpu", &json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]})),
        pod("apart", &json!({"affinity": apart})),
    ];
    let (text, report) = simulated(&[&[node("a", 4), node("b", 4)], &pods[..]].concat());
    let plan = &report["rules"][3];
    assert_eq!((&plan["placed"], &plan["unplaced"]), (&json!(5), &json!({})), "{text}");
    let left = json!({
        "shop/db-0": "persistent volume claim", "shop/db-1": "persistent volume claim", "shop/gpu": "resource claim",
        "shop/apart": "affinity or spread that no plan expresses",
    });
    assert_eq!(plan["leftToKubeScheduler"], left);
    assert_eq!(report["rules"][2]["leftToKubeScheduler"], Value::Null, "pod by pod none is left");
    let line = "4 pods are left to kube-scheduler (affinity or spread that no plan expresses: 1, \
                persistent volume claim: 2, resource claim: 1)";
    assert!(text.contains(line) && !text.contains("without a node"), "{text}");
}

#[test]
fn constraints_between_pods_are_told_as_kept_by_the_plan_or_as_not_looked_at() {
    let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let own = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}});
    let foreign = json!({"topologyKey": "zone", "namespaceSelector": {"matchLabels": {"team": "a"}}});
    let apart = |term: &Value| json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    let left = [
        pod("db", &json!({"affinity": apart(&own), "volumes": volumes})),
        pod("apart", &json!({"affinity": apart(&foreign)})),
        pod("log", &json!({"volumes": volumes})),
    ];
    let nodes = [node("a", 4), node("b", 4)];
    let kept = "of them have affinity or spread constraints between pods, which only the joint plan keeps here";
    let unseen = "after the others; the constraints between pods that 2 of these have are not looked at\n";

    let (text, report) = simulated(&[&nodes[..], &left[..]].concat());
    assert!(text.contains("3 pods are left") && text.contains(unseen) && !text.contains(kept), "{text}");
    assert_eq!(report["podsWithConstraintsBetweenPods"], 2);

    let planned = pod("web", &json!({"affinity": apart(&own)}));
    let (text, report) = simulated(&[&nodes[..], &left[..], &[planned]].concat());
    assert!(text.contains("3 pods are left") && text.contains(unseen), "{text}");
    assert!(text.contains(&format!("\n1 {kept}\n")), "{text}");
    assert_eq!(report["podsWithConstraintsBetweenPods"], 3);

    let (text, _) = simulated(&[&nodes[..], &[pod("log", &json!({"volumes": volumes}))]].concat());
    assert!(text.contains("1 pods are left") && text.contains("after the others\n") && !text.contains(kept), "{text}");
}

#[test]
fn who_is_left_to_kube_scheduler_takes_no_room_from_the_plan() {
    let volumes = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let urgent = json!({"volumes": volumes, "priority": 1000});
    let (_, report) = simulated(&[node("only", 1), pod("db", &urgent), pod("web", &json!({}))]);
    let assignment = |rule: usize| &report["rules"][rule]["assignment"];
    assert_eq!(assignment(0), &json!({"shop/db": "only"}));
    assert_eq!(assignment(3), &json!({"shop/web": "only"}));
}

#[test]
fn the_chart_has_a_bar_for_each_node_and_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.svg");
    run(&["simulate", &example(), "--svg", path.to_str().unwrap()]).ok();
    let svg = fs::read_to_string(path).unwrap();
    // A background and three keys of the legend beside 12 nodes of three bars.
    assert_eq!(svg.matches("<rect").count(), 1 + 3 + 3 * 12);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("compute-2"));
}

#[test]
fn forecasts_change_what_gantry_does_and_not_what_kube_scheduler_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecasts.json");
    let forecast = |p50: f64| json!({"unit": "share", "values": [[p50, p50]], "dataUntil": "2026-11-20T12:00:00Z"});
    let entry = |name: &str, p50: f64| json!({"kind": "Node", "name": name, "resources": {"cpu": forecast(p50)}});
    let document = json!({
        "apiVersion": "gantry.dev/v1alpha1", "kind": "ForecastSnapshot", "generation": "1", "quantiles": [0.5, 0.9],
        "entries": [entry("general-1", 0.85), entry("compute-1", 0.85)],
    });
    fs::write(&path, document.to_string()).unwrap();
    let (without, with) = (report(&[]), report(&["--forecasts", path.to_str().unwrap()]));
    assert_eq!(without["rules"][0], with["rules"][0]);
    assert_ne!(without["rules"][2]["assignment"], with["rules"][2]["assignment"]);
}

#[test]
fn bad_input_is_refused_with_key_value_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let broken = file("broken.json", "{\"items\": [");
    let nobody = file("nobody.json", "{\"items\": []}");
    let negative = file(
        "negative.json",
        r#"{"items": [{"kind": "Node", "metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "-5"}}}]}"#,
    );
    let example = example();
    let cases: [(&[&str], &[&str]); 9] = [
        (&["/no/such/file"], &["FILE", "/no/such/file", "check the path"]),
        (&[&broken], &["broken.json", "kubectl get nodes,pods"]),
        (&[&nobody], &["FILE", "nobody.json", "record both"]),
        (&[&negative], &["node a", "\"-5\" is negative"]),
        (&[&example, "--settings", "{\"objectiv\": 1}"], &["objectiv", "expected one of"]),
        (&[&example, "--resources", "cpu,cpu"], &["--resources", "cpu"]),
        (&[&example, "--plugin", "builtin:other"], &["PLUGIN", "builtin:other", "builtin:gantry"]),
        (&[&example, "--forecasts", &broken], &["--forecasts", "unreadable"]),
        (&[&example, "--svg", "/no/such/folder/a.svg"], &["--svg", "/no/such/folder/a.svg"]),
    ];
    for (arguments, named) in cases {
        let (code, message) = run(&[&["simulate"], arguments].concat()).failed();
        assert_eq!(code, 2, "{message}");
        for word in named {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    }
}
