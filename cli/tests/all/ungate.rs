//! `ungate` before a server that pages, conflicts and refuses.

use serde_json::{Value, json};

use crate::api_server::{Answer, Request, Server, pod_list, status};
use crate::run;

const GATE: &str = "gantry.dev/plan";

fn pod(name: &str, created: &str, gates: &[&str]) -> Value {
    let gates: Vec<Value> = gates.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "7", "creationTimestamp": created},
        "spec": {"containers": [], "schedulingGates": gates},
    })
}

const OLD: &str = "2020-01-01T00:00:00Z";
const FUTURE: &str = "2999-01-01T00:00:00Z";

/// Two pages: an old one of ours, a young one, a foreign one; then one with both gates, one without any, one of ours.
fn cluster(_: &[Request], request: &Request) -> Answer {
    let young = pod("young", FUTURE, &[GATE]);
    match (&*request.method, &*request.path) {
        ("GET", "/api/v1/pods") if request.query.contains("continue=next") => {
            let both = pod("both", OLD, &["other.dev/gate", GATE]);
            pod_list(&[both, pod("free", OLD, &[]), pod("last", OLD, &[GATE])], "")
        }
        ("GET", "/api/v1/pods") => {
            pod_list(&[pod("old", OLD, &[GATE]), young, pod("foreign", OLD, &["other.dev/gate"])], "next")
        }
        ("PATCH", _) => (200, pod("any", OLD, &[]).to_string()),
        _ => status(404, "not found"),
    }
}

fn patches(server: &Server) -> Vec<Request> {
    server.requests().into_iter().filter(|request| request.method == "PATCH").collect()
}

#[test]
fn only_our_gate_is_taken_and_only_from_pods_that_are_old_and_wait_for_nothing_else() {
    let server = Server::start(cluster);
    let text = run(&["ungate", "--kubeconfig", &server.kubeconfig()]).ok();
    let patches = patches(&server);
    let paths: Vec<&str> = patches.iter().map(|patch| &*patch.path).collect();
    assert_eq!(paths, ["/api/v1/namespaces/shop/pods/old", "/api/v1/namespaces/shop/pods/last"]);
    let gates = json!([{"$patch": "delete", "name": GATE}]);
    for patch in &patches {
        assert_eq!(patch.content_type, "application/strategic-merge-patch+json");
        assert_eq!(patch.body, json!({"metadata": {"resourceVersion": "7"}, "spec": {"schedulingGates": gates}}));
    }
    assert!(text.contains("released pod/old -n shop after") && text.ends_with("2 released, 0 failed\n"), "{text}");
    assert!(text.contains("left 1 that another gate holds as well"), "{text}");
    let lists: Vec<Request> = server.requests().into_iter().filter(|request| request.method == "GET").collect();
    assert!(lists.len() == 2 && lists.iter().all(|list| list.query.contains("limit=500")), "{lists:?}");
}

#[test]
fn when_gantry_is_removed_its_gate_is_taken_from_pods_with_others_too() {
    let server = Server::start(cluster);
    let text = run(&["ungate", "--with-other-gates", "--kubeconfig", &server.kubeconfig()]).ok();
    assert!(text.contains("released pod/both -n shop") && text.ends_with("3 released, 0 failed\n"), "{text}");
    let gates = json!([{"$patch": "delete", "name": GATE}]);
    assert!(patches(&server).iter().all(|patch| patch.body["spec"]["schedulingGates"] == gates));
}

#[test]
fn a_clock_that_jumped_does_not_hold_pods_back_from_a_hand_that_releases_all() {
    let server = Server::start(cluster);
    let text = run(&["ungate", "--older-than", "0s", "--kubeconfig", &server.kubeconfig()]).ok();
    assert!(
        text.contains("released pod/young -n shop after 0 s") && text.ends_with("3 released, 0 failed\n"),
        "{text}"
    );
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let server = Server::start(cluster);
    let text = run(&["ungate", "--dry-run", "--kubeconfig", &server.kubeconfig()]).ok();
    assert!(text.contains("would release pod/old -n shop"), "{text}");
    assert_eq!(patches(&server), []);
}

#[test]
fn one_failure_does_not_stop_the_others_and_ends_in_exit_code_1() {
    let server = Server::start(|before, request| match (&*request.method, &*request.path) {
        ("PATCH", "/api/v1/namespaces/shop/pods/old") => status(403, "pods \"old\" is forbidden"),
        _ => cluster(before, request),
    });
    let ran = run(&["ungate", "--kubeconfig", &server.kubeconfig()]);
    let (code, message) = ran.failed();
    assert_eq!(code, 1);
    assert!(message.contains("1 pods keep the gate gantry.dev/plan"), "{message}");
    assert!(ran.text.contains("failed pod/old -n shop") && ran.text.contains("is forbidden"), "{}", ran.text);
    assert!(ran.text.contains("released pod/last"), "{}", ran.text);
}

#[test]
fn a_pod_that_was_changed_meanwhile_is_read_again() {
    let server = Server::start(|before, request| {
        let tried = before.iter().filter(|request| request.method == "PATCH").count();
        match (&*request.method, &*request.path) {
            ("GET", "/api/v1/namespaces/shop/pods") => pod_list(&[pod("old", OLD, &[GATE])], ""),
            ("GET", _) => {
                let mut newer = pod("old", OLD, &[GATE]);
                newer["metadata"]["resourceVersion"] = json!("8");
                (200, newer.to_string())
            }
            ("PATCH", _) if tried == 0 => status(409, "the object has been modified"),
            _ => (200, pod("old", OLD, &[]).to_string()),
        }
    });
    let arguments = ["ungate", "-n", "shop", "--kubeconfig", &server.kubeconfig()];
    assert!(run(&arguments).ok().contains("1 released"));
    let versions: Vec<Value> =
        patches(&server).iter().map(|patch| patch.body["metadata"]["resourceVersion"].clone()).collect();
    assert_eq!(versions, ["7", "8"]);
}

/// Another gate of both went at some time, perhaps a moment ago: Gantry takes one of them meanwhile.
#[test]
fn a_pod_that_was_changed_since_it_was_created_has_the_time_for_a_plan_once_more() {
    let changed = |name: &str| {
        let mut pod = pod(name, OLD, &[GATE]);
        pod["metadata"]["generation"] = json!(2);
        pod
    };
    let server = Server::start(move |_, request| match (&*request.method, &*request.path) {
        ("GET", "/api/v1/pods") => pod_list(&[changed("planned"), changed("forgotten"), pod("old", OLD, &[GATE])], ""),
        ("GET", _) => (200, pod("planned", OLD, &[]).to_string()),
        ("PATCH", "/api/v1/namespaces/shop/pods/planned") => status(409, "the object has been modified"),
        _ => (200, pod("any", OLD, &[]).to_string()),
    });
    let text = run(&["ungate", "--older-than", "1s", "--kubeconfig", &server.kubeconfig()]).ok();
    let paths: Vec<String> = patches(&server).into_iter().map(|patch| patch.path).collect();
    let in_order = ["old", "planned", "forgotten"].map(|name| format!("/api/v1/namespaces/shop/pods/{name}"));
    assert_eq!(paths, in_order, "{text}");
    assert!(text.contains("pod/planned -n shop is gone, or was released by somebody else"), "{text}");
    assert!(text.ends_with("2 released, 0 failed\n"), "{text}");
    // Who releases all does not wait.
    let text = run(&["ungate", "--older-than", "0s", "--kubeconfig", &server.kubeconfig()]).ok();
    assert!(!text.contains("more"), "{text}");
}

#[test]
fn another_pod_of_the_same_name_is_left_alone() {
    let server = Server::start(|_, request| match &*request.method {
        "PATCH" => status(409, "the object has been modified"),
        "GET" if request.path == "/api/v1/namespaces/shop/pods" => pod_list(&[pod("old", OLD, &[GATE])], ""),
        _ => {
            let mut namesake = pod("old", OLD, &[GATE]);
            namesake["metadata"]["uid"] = json!("another");
            (200, namesake.to_string())
        }
    });
    let text = run(&["ungate", "-n", "shop", "--kubeconfig", &server.kubeconfig()]).ok();
    assert!(text.contains("pod/old -n shop is gone"), "{text}");
    assert_eq!(patches(&server).len(), 1);
}

#[test]
fn a_pod_that_is_gone_is_no_failure() {
    let server = Server::start(|before, request| match &*request.method {
        "PATCH" => status(404, "not found"),
        _ => cluster(before, request),
    });
    let text = run(&["ungate", "--kubeconfig", &server.kubeconfig()]).ok();
    assert!(text.contains("pod/old -n shop is gone") && text.ends_with("0 released, 0 failed\n"), "{text}");
}

#[test]
fn a_kubeconfig_that_is_not_there_is_bad_input() {
    let (code, message) = run(&["ungate", "--kubeconfig", "/no/such/file"]).failed();
    assert_eq!(code, 2);
    assert!(message.contains("--kubeconfig") && message.contains("/no/such/file"), "{message}");
}
