//! What an admin sees.

use axum::http::StatusCode;

use crate::harness::{Extender, full_request, json};

#[tokio::test]
async fn the_feed_of_plans_is_held_back_from_who_has_it() {
    let extender = Extender::new("");
    let (status, text) = extender.admin("/plan/feed").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, r#"{"profiles":[]}"#));
    let tag = extender.context.board.tag();
    let start = std::time::Instant::now();
    assert_eq!(extender.admin_if_none_match("/plan/feed", &tag).await, StatusCode::NOT_MODIFIED);
    assert!(start.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(extender.admin_if_none_match("/plan/feed", "\"another\"").await, StatusCode::OK);
}

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

#[tokio::test]
async fn the_last_pods_are_recorded_with_all_that_led_to_their_answers() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    for pod in ["u0"].into_iter().chain(["u1"; 32]) {
        extender.post("/filter", full_request(pod, "{}", &["{}", "{}"])).await;
    }
    let (status, record) = extender.admin("/record/default/p-u1").await;
    assert_eq!(status, StatusCode::OK, "{record}");
    let record = json(record.as_bytes());
    let asked = &record["questions"][0];
    assert_eq!(asked["answer"]["verdicts"].as_array().unwrap().len(), 2);
    assert_eq!(asked["snapshot"]["nodes"][1], "n1");
    assert!(asked["plugin"]["digest"].as_str().unwrap().starts_with("sha256:"));
    let (status, hint) = extender.admin("/record/default/p-u0").await;
    assert!(status == StatusCode::NOT_FOUND && hint.contains("only the last answers"), "{hint}");
    assert_eq!(extender.admin("/plan/record").await.0, StatusCode::NOT_FOUND);
}
