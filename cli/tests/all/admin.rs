//! `explain`, `plan` and `nodes` before an extender, and before an API server that leads to several.

use serde_json::{Value, json};

use crate::api_server::{Answer, Request, Server, pod_list, status};
use crate::run;

/// What a replica wrote about a pod at a time, in the form asked for.
fn record(request: &Request, time: &str) -> Answer {
    match &*request.query {
        "format=json" => (200, json!({"time": time, "node": "a"}).to_string()),
        "format=text" => (200, format!("written at {time}\n")),
        other => (400, format!("the query is {other}")),
    }
}

#[test]
fn an_extender_is_asked_straight_away_where_its_address_is_given() {
    let server = Server::start(|_, request| match &*request.path {
        "/explain/default/web-1" | "/plan" | "/nodes" => record(request, "2026-11-22T08:00:00Z"),
        _ => (404, "no record\n".to_owned()),
    });
    for command in [&["explain", "pod/web-1"][..], &["plan"], &["nodes"]] {
        let arguments = [command, &["--server", &server.url]].concat();
        assert_eq!(run(&arguments).ok(), "written at 2026-11-22T08:00:00Z\n");
        let text = run(&[&arguments[..], &["--output", "json"]].concat()).ok();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["node"], "a");
    }
}

/// Two replicas that run, the admin port under another number in one, and one that does not.
fn replicas() -> Vec<Value> {
    let replica = |name: &str, phase: &str, ports: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "gantry-system"},
            "spec": {"containers": [{"name": "extender", "ports": ports}]}, "status": {"phase": phase},
        })
    };
    let ports = json!([{"name": "extender", "containerPort": 8888}, {"name": "admin", "containerPort": 9889}]);
    vec![replica("one", "Running", json!([])), replica("two", "Running", ports), replica("three", "Pending", json!([]))]
}

fn proxied(request: &Request, known: &[(&str, &str)]) -> Answer {
    if request.path == "/api/v1/namespaces/gantry-system/pods" {
        let is_labelled = request.query.contains("labelSelector=app.kubernetes.io%2Fname%3Dgantry-extender");
        return if is_labelled { pod_list(&replicas(), "") } else { status(400, &request.query) };
    }
    let path = request.path.strip_prefix("/api/v1/namespaces/gantry-system/pods/").unwrap();
    match known.iter().find(|(replica, _)| path == format!("{replica}/proxy/explain/shop/web-1")) {
        Some((_, time)) => record(request, time),
        None => (404, "no record\n".to_owned()),
    }
}

#[test]
fn the_newest_record_of_all_replicas_is_shown() {
    const TIMES: [(&str, &str); 2] = [("one:8889", "2026-11-22T08:00:00Z"), ("two:9889", "2026-11-22T08:00:00.5Z")];
    for (known, newest) in [(&TIMES[..], TIMES[1].1), (&TIMES[..1], TIMES[0].1), (&TIMES[1..], TIMES[1].1)] {
        let known = known.to_vec();
        let server = Server::start(move |_, request| proxied(request, &known));
        // The namespace is the context's.
        let text = run(&["explain", "web-1", "--kubeconfig", &server.kubeconfig()]).ok();
        assert_eq!(text, format!("written at {newest}\n"));
    }
}

/// Two replicas with a document each at this path. A text tells who wrote it, and what was asked for.
fn two_replicas(path: &'static str, documents: [Value; 2]) -> Server {
    Server::start(move |_, request| {
        let proxied = request.path.strip_prefix("/api/v1/namespaces/gantry-system/pods/");
        let mut known = ["one:8889", "two:9889"].into_iter().zip(&documents);
        let asked = known.find(|(replica, _)| proxied == Some(&*format!("{replica}/proxy{path}")));
        match asked {
            None => pod_list(&replicas(), ""),
            Some((_, document)) if request.query == "format=json" => (200, document.to_string()),
            Some((replica, _)) => (200, format!("{replica} {}\n", request.query)),
        }
    })
}

#[test]
fn of_two_replicas_the_leader_s_plans_are_shown() {
    let plans = |leads: bool, made: &str| json!([{"schedulerName": "ours", "leads": leads, "made": made}]);
    let follower = plans(false, "2026-11-22T08:00:01Z");
    let server = two_replicas("/plan", [follower, plans(true, "2026-11-22T08:00:00Z")]);
    let kubeconfig = server.kubeconfig();
    assert_eq!(run(&["plan", "--kubeconfig", &kubeconfig]).ok(), "two:9889 format=text\n");
    let text = run(&["plan", "--kubeconfig", &kubeconfig, "--output", "json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()[0]["leads"], true);
}

#[test]
fn a_pod_s_fate_is_shown_by_the_leader_and_what_was_answered_by_the_replica_that_was_asked() {
    let asked = json!({
        "uid": "u", "state": "bound", "leads": false, "plan": {"stands": false}, "time": "2026-11-22T08:00:01Z",
        "decisions": [{"verb": "filter"}],
    });
    let leader = json!({
        "uid": "u", "state": "bound", "leads": true, "landed": {"landing": "planned"}, "time": null, "decisions": [],
    });
    let server = two_replicas("/explain/shop/web-1", [asked, leader]);
    let kubeconfig = server.kubeconfig();
    let text = run(&["explain", "web-1", "--kubeconfig", &kubeconfig]).ok();
    assert_eq!(text, "two:9889 format=text&part=standing\none:8889 format=text&part=decisions\n");
    let text = run(&["explain", "web-1", "--kubeconfig", &kubeconfig, "--output", "json"]).ok();
    let both: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&both["landed"]["landing"], &both["leads"]), (&json!("planned"), &json!(true)));
    assert_eq!((&both["decisions"][0]["verb"], &both["time"]), (&json!("filter"), &json!("2026-11-22T08:00:01Z")));
}

#[test]
fn a_replica_that_has_heard_of_a_former_namesake_only_does_not_speak_of_the_pod() {
    let gone = json!({"uid": "old", "state": "unknown", "leads": true, "time": "2026-11-22T08:00:01Z"});
    let new = json!({"uid": "new", "state": "bound", "landed": {"time": "2026-11-22T08:00:00Z"}});
    let server = two_replicas("/explain/shop/web-1", [gone, new]);
    let text = run(&["explain", "web-1", "--kubeconfig", &server.kubeconfig()]).ok();
    assert_eq!(text, "two:9889 format=text\n");
}

/// What `explain` says where no replica remembers the pod, and the API server answers like this when it is asked for it.
fn of_a_pod_that_nobody_remembers(answer: Answer, is_by_address: bool) -> String {
    let server = Server::start(move |_, request| match &*request.path {
        "/api/v1/namespaces/shop/pods/web-1" => answer.clone(),
        path if path.starts_with("/explain/") => (404, "no record\n".to_owned()),
        _ => proxied(request, &[]),
    });
    let kubeconfig = server.kubeconfig();
    let asked = ["explain", "web-1", "--kubeconfig", &*kubeconfig];
    // Which leads to the extender and not to the API server, so that the namespace has to be said.
    let by_address = ["--server", &*server.url, "--namespace", "shop"];
    let by_address = if is_by_address { &by_address[..] } else { &by_address[..0] };
    let ran = run(&[&asked[..], by_address].concat());
    let (code, message) = ran.failed();
    assert_eq!((code, &*ran.text), (1, ""));
    assert!(message.contains("no replica") && message.contains("shop/web-1"), "{message}");
    message
}

#[test]
fn of_a_pod_that_nobody_remembers_it_is_said_where_it_is_since_when_and_what_it_was_nominated_for() {
    let at = |second: u32| format!("2026-11-22T08:00:0{second}Z");
    let bound = json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": at(3)});
    let pod = |spec: Value, status: Value| {
        let metadata = json!({"name": "web-1", "namespace": "shop", "creationTimestamp": at(1)});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status});
        (200, pod.to_string())
    };
    let spec = json!({"containers": [], "nodeName": "n7"});
    let on_a_node = pod(spec, json!({"conditions": [bound], "nominatedNodeName": "n9"}));
    for is_by_address in [false, true] {
        let message = of_a_pod_that_nobody_remembers(on_a_node.clone(), is_by_address);
        assert!(message.ends_with("is on n7 since 2026-11-22T08:00:03Z, nominated for n9"), "{message}");
        assert!(message.contains("before it started"), "{message}");
    }
    let waits = pod(json!({"containers": [], "schedulerName": "another"}), json!({}));
    let message = of_a_pod_that_nobody_remembers(waits, false);
    assert!(message.contains("waits since 2026-11-22T08:00:01Z, for the scheduler another"), "{message}");
}

#[test]
fn a_pod_that_is_not_there_and_one_that_may_not_be_read_are_told_apart() {
    let message = of_a_pod_that_nobody_remembers(status(404, "not found"), false);
    assert!(message.contains("there is no pod shop/web-1"), "{message}");
    let message = of_a_pod_that_nobody_remembers(status(403, "pods is forbidden"), false);
    assert!(message.contains("cannot be read") && message.contains("pods is forbidden"), "{message}");
}

#[test]
fn whoever_may_not_list_pods_is_led_through_the_service() {
    let server = Server::start(|_, request| match &*request.path {
        "/api/v1/namespaces/gantry-system/services/gantry-extender:admin/proxy/plan" => {
            record(request, "2026-11-22T08:00:00Z")
        }
        _ => status(403, "pods is forbidden"),
    });
    assert!(run(&["plan", "--kubeconfig", &server.kubeconfig()]).ok().starts_with("written at"));
}

#[test]
fn a_refusal_is_told_in_the_words_of_whoever_refused() {
    let server = Server::start(|_, _| status(503, "no endpoints available"));
    let (code, message) = run(&["plan", "--server", &server.url]).failed();
    assert_eq!(code, 1);
    assert!(message.contains("503") && message.contains("no endpoints available"), "{message}");
}

#[test]
fn bad_input_is_refused_with_key_value_and_remedy() {
    for (arguments, named) in [
        (&["explain", "deploy/web"][..], "write pod/NAME"),
        (&["explain", "web", "-n", "a/b", "--server", "http://127.0.0.1:1"], "--namespace"),
        (&["plan", "--server", "127.0.0.1:8889"], "http://HOST:PORT"),
        (&["plan", "--server", "https://127.0.0.1:8889"], "http://HOST:PORT"),
    ] {
        let (code, message) = run(arguments).failed();
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(named), "{message}");
    }
}
