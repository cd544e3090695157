//! Effective requests, checked against the rules of the KEPs by hand-made pods.

use serde_json::{Value, json};

use super::*;

fn request(pod: Value) -> Vec<f64> {
    let mut resources = Resources::new(&["cpu".into(), "memory".into()]).unwrap();
    Tenant::read(&serde_json::from_value(pod).unwrap(), &mut resources).unwrap().request.into()
}

fn pod(spec: &Value) -> Value {
    json!({"metadata": {"namespace": "default", "name": "web", "uid": "u"}, "spec": spec})
}

fn container(name: &str, cpu: &str, memory: &str) -> Value {
    json!({"name": name, "resources": {"requests": {"cpu": cpu, "memory": memory}}})
}

fn sidecar(name: &str, cpu: &str, memory: &str) -> Value {
    let mut sidecar = container(name, cpu, memory);
    sidecar["restartPolicy"] = json!("Always");
    sidecar
}

#[test]
fn a_pod_without_requests_counts_as_one_pod() {
    assert_eq!(request(pod(&json!({"containers": [{"name": "main"}]}))), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(request(pod(&json!({"containers": []}))), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(request(json!({"metadata": {"uid": "u"}})), [0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_pod_that_names_no_scheduler_is_the_default_ones() {
    for (name, scheduler) in [(json!(null), "default-scheduler"), (json!(""), "default-scheduler"), (json!("b"), "b")] {
        let pod: Pod = serde_json::from_value(pod(&json!({"containers": [], "schedulerName": name}))).unwrap();
        assert_eq!(scheduler_name(&pod), scheduler);
    }
}

#[test]
fn containers_add_up() {
    let spec = json!({"containers": [container("a", "100m", "1Ki"), container("b", "1", "1k")]});
    assert_eq!(request(pod(&spec))[..2], [1100.0, 2024.0]);
}

#[test]
fn a_large_init_container_is_the_request_and_a_small_one_is_not() {
    let spec = json!({"initContainers": [container("i", "2", "10")], "containers": [container("a", "1", "100")]});
    assert_eq!(request(pod(&spec))[..2], [2000.0, 100.0]);
}

#[test]
fn an_init_container_runs_beside_the_sidecars_started_before_it() {
    let spec = json!({
        "initContainers": [
            container("first", "900m", "1"),
            sidecar("s1", "200m", "10"),
            container("second", "800m", "1"),
            sidecar("s2", "100m", "10"),
        ],
        "containers": [container("main", "300m", "5")],
    });
    // second + s1 = 1000 beats main + s1 + s2 = 600 and first = 900; memory 5 + 10 + 10 beats all.
    assert_eq!(request(pod(&spec))[..2], [1000.0, 25.0]);
}

#[test]
fn overhead_comes_on_top_of_everything() {
    let spec = json!({"containers": [container("a", "1", "1")], "overhead": {"cpu": "250m", "memory": "9"}});
    assert_eq!(request(pod(&spec))[..2], [1250.0, 10.0]);
}

#[test]
fn pod_level_requests_replace_sums_but_not_extended_resources() {
    let spec = json!({
        "containers": [{"name": "a", "resources": {"requests": {"cpu": "1", "memory": "5", "example.com/gpu": "2"}}}],
        "resources": {"requests": {"cpu": "3", "example.com/gpu": "7"}},
        "overhead": {"cpu": "1"},
    });
    assert_eq!(request(pod(&spec)), [4000.0, 5.0, 1.0, 0.0, 2.0]);
}

fn resized(condition: &Value) -> Value {
    let mut pod = pod(&json!({"containers": [container("a", "1", "100")]}));
    pod["status"] = json!({
        "conditions": [condition],
        "containerStatuses": [{"name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "allocatedResources": {"cpu": "500m", "memory": "300"},
            "resources": {"requests": {"cpu": "700m", "memory": "200"}}}],
    });
    pod
}

#[test]
fn a_resized_container_counts_as_the_largest_of_spec_allocated_and_actual() {
    let deferred = json!({"type": "PodResizePending", "status": "True", "reason": "Deferred"});
    assert_eq!(request(resized(&deferred))[..2], [1000.0, 300.0]);
}

#[test]
fn an_infeasible_resize_does_not_count() {
    let infeasible = json!({"type": "PodResizePending", "status": "True", "reason": "Infeasible"});
    assert_eq!(request(resized(&infeasible))[..2], [700.0, 300.0]);
}

#[test]
fn a_bad_quantity_is_refused_with_its_path() {
    let spec = json!({"containers": [container("a", "1", "1"), container("b", "-5", "1")]});
    let mut resources = Resources::new(&["cpu".into()]).unwrap();
    let error = Tenant::read(&serde_json::from_value(pod(&spec)).unwrap(), &mut resources).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pod default/web: spec.containers[1].resources.requests[cpu]: quantity \"-5\" is negative"
    );
}

#[test]
fn stages_follow_phase_binding_and_deletion() {
    let stage = |pod: Value| format!("{:?}", Stage::of(&serde_json::from_value(pod).unwrap()));
    let gone = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    assert_eq!(stage(json!({"spec": {"containers": []}})), "Pending");
    assert_eq!(stage(json!({"spec": {"containers": [], "nodeName": "a"}})), "Bound(\"a\")");
    assert_eq!(stage(json!({"metadata": gone, "spec": {"containers": [], "nodeName": "a"}})), "Bound(\"a\")");
    assert_eq!(stage(json!({"metadata": gone, "spec": {"containers": []}})), "Over");
    for phase in ["Succeeded", "Failed"] {
        assert_eq!(stage(json!({"spec": {"containers": [], "nodeName": "a"}, "status": {"phase": phase}})), "Over");
    }
}
