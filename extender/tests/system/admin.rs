//! What an admin sees.

use axum::http::StatusCode;

use crate::harness::{Extender, full_request};

#[tokio::test]
async fn without_a_cluster_the_extender_is_ready_at_once() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    assert_eq!(extender.admin("/livez").await, (StatusCode::OK, "ok\n".to_owned()));
    assert_eq!(extender.admin("/readyz").await, (StatusCode::OK, "ok\n".to_owned()));
}

#[tokio::test]
async fn the_status_tells_whether_kube_scheduler_calls_at_all() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let (_, before) = extender.admin("/status").await;
    assert!(before.contains("\"filter\": \"never\""), "{before}");
    extender.post("/filter", full_request("u1", "{}", &["{}", "{}"])).await;
    let (_, after) = extender.admin("/status").await;
    assert!(after.contains("\"filter\": \"0 s ago\"") && after.contains("\"preempt\": \"never\""), "{after}");
    assert!(after.contains("\"nodes\": 2"), "{after}");
}

#[tokio::test]
async fn requests_and_calls_are_measured_by_verb_and_outcome() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    extender.post("/filter", full_request("u1", "{}", &["{}"])).await;
    extender.post("/filter", "{").await;
    for line in [
        "gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"ok\"}",
        "gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"refused\"}",
        "gantry_plugin_call_duration_seconds_count{plugin=\"guest\",extension_point=\"filter\",outcome=\"ok\"}",
    ] {
        assert_eq!(extender.metric(line).await, Some(1.0), "{line}");
    }
}

#[tokio::test]
async fn version_and_wrong_paths_answer() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let (_, version) = extender.admin("/version").await;
    assert!(version.contains("\"wit\": \"0.1.0\""), "{version}");
    let (status, hint) = extender.admin("/healthz").await;
    assert!(status == StatusCode::NOT_FOUND && hint.contains("/readyz"));
}
