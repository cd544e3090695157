//! Where a plugin gives no answer, the pod is scheduled all the same, and somebody is told why.
//!
//! What each misbehaving guest does to requests is in `attacks`.

use std::time::Instant;

use axum::http::StatusCode;
use gantry_extender::cycle::Assumption;
use serde_json::{from_value, json};

use crate::harness::{Extender, full_request, json as parsed, scores};

#[tokio::test]
async fn a_guest_that_takes_no_deltas_is_given_everything() {
    let (extender, _folder) = Extender::with_guest("wrong_generation", "");
    for pod in ["u1", "u2", "u3"] {
        let (_, body) = extender.post("/prioritize", full_request(pod, "{}", &["{}", "{}"])).await;
        assert!(scores(&body).iter().any(|(_, score)| *score == 10));
    }
}

#[tokio::test]
async fn a_file_that_is_no_component_leaves_the_extender_up_and_neutral() {
    let (extender, _folder) = Extender::with_component(gantry_guests::garbage(), "100ms", "");
    let (status, body) = extender.post("/filter", full_request("u1", "{}", &["{}"])).await;
    assert_eq!((status, parsed(&body)["Error"].as_str()), (StatusCode::OK, Some("")));
    let (_, status) = extender.admin("/status").await;
    assert!(status.contains("\"reason\": \"invalid-component\""), "{status}");
}

#[tokio::test]
async fn a_request_that_misses_its_own_deadline_is_answered_neutrally_and_places_nothing() {
    let (extender, _folder) =
        Extender::with_component(gantry_guests::bytes("endless_loop"), "50ms", "server: {deadline: 50ms}");
    let (status, body) = extender.post("/prioritize", full_request("u1", "{}", &["{}"])).await;
    assert_eq!((status, scores(&body)), (StatusCode::OK, vec![("n0".to_owned(), 0)]));
    assert_eq!(extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"deadline\"}").await, Some(1.0));
    assert_eq!(extender.assumed().await, 0.0);
}

/// Counts a pod on a node that nothing was known of.
fn assume(extender: &Extender, uid: &str, node: &str) -> bool {
    let shown = json!({"metadata": {"name": node}});
    let pod = json!({"metadata": {"name": "p", "uid": uid}, "spec": {"containers": []}});
    let mut index = extender.index.lock();
    index.apply_node(&from_value(shown).unwrap()).unwrap();
    let pod = index.row_of(&from_value(pod).unwrap()).unwrap();
    drop(index);
    extender.context.cluster.assume(&Assumption::new(&pod, node), Instant::now())
}

#[tokio::test]
async fn a_request_that_takes_too_long_to_read_is_answered_neutrally_and_takes_nothing_back() {
    let guest = gantry_guests::bytes("well_behaved");
    let (extender, _folder) = Extender::with_component(guest, "20ms", "server: {deadline: 20ms}");
    // What another request for the pod assumes meanwhile.
    assert!(assume(&extender, "u1", "n0"));
    let many = vec![r#"{"of": "many labels, and many of them"}"#; 100_000];
    let (status, body) = extender.post("/filter", full_request("u1", "{}", &many)).await;
    assert_eq!((status, parsed(&body)["Nodes"]["items"].as_array().unwrap().len()), (StatusCode::OK, many.len()));
    assert_eq!(extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"deadline\"}").await, Some(1.0));
    assert_eq!(extender.assumed().await, 1.0);
}

#[tokio::test]
async fn the_next_call_after_a_trap_is_answered_again() {
    let (extender, _folder) = Extender::with_guest("trap", "");
    for expected in 1..=3 {
        extender.post("/prioritize", full_request("u1", "{}", &["{}"])).await;
        let counted = extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"trap\"}").await;
        assert_eq!(counted, Some(f64::from(expected)));
    }
}
