//! Every misbehaving guest: the pod is scheduled, and somebody is told why.

use axum::http::StatusCode;

use crate::harness::{Extender, full_request, json, scores};

/// The guest, the verb in which it misbehaves first, and the reason counted.
const GUESTS: [(&str, &str, &str); 14] = [
    ("deep_recursion", "/prioritize", "stack"),
    ("endless_loop", "/prioritize", "deadline"),
    ("foreign_import", "/filter", "foreign-import"),
    ("foreign_import", "/prioritize", "foreign-import"),
    ("huge_return", "/prioritize", "too-large"),
    ("log_flood", "/prioritize", "log-budget"),
    ("memory_bomb", "/prioritize", "memory"),
    ("nan_scores", "/prioritize", "not-finite"),
    ("out_of_range_scores", "/filter", "out-of-range"),
    ("out_of_range_scores", "/prioritize", "out-of-range"),
    ("plugin_error", "/filter", "plugin-error"),
    ("trap", "/prioritize", "trap"),
    ("trap_in_init", "/filter", "trap"),
    ("wrong_length", "/filter", "bad-length"),
];

#[tokio::test]
async fn every_misbehaving_guest_gets_a_neutral_answer_and_its_reason_is_counted() {
    for (guest, verb, reason) in GUESTS {
        let bytes = gantry_guests::bytes(guest);
        let (extender, _folder) = Extender::with_component(bytes, "1500ms", "server: {deadline: 4s}");
        let (status, body) = extender.post(verb, full_request("u1", "{}", &["{}", "{}", "{}"])).await;
        assert_eq!(status, StatusCode::OK, "{guest}");
        if verb == "/filter" {
            let answer = json(&body);
            assert_eq!(answer["Nodes"]["items"].as_array().unwrap().len(), 3, "{guest}");
            assert_eq!(answer["Error"], "", "{guest}");
        } else {
            assert!(scores(&body).iter().all(|(_, score)| *score == 0), "{guest}");
        }
        let line = format!("gantry_plugin_fallback_total{{plugin=\"guest\",reason=\"{reason}\"}}");
        assert_eq!(extender.metric(&line).await, Some(1.0), "{guest}: {line}");
        assert_eq!(extender.assumed().await, 0.0, "{guest}: a neutral answer places nothing");
    }
}

#[test]
fn no_guest_is_left_out() {
    // The first two behave; the third refuses settings, which stops the start; the fourth is asked for a whole snapshot;
    // the last ones fail in `plan` alone.
    let elsewhere = ["well_behaved", "score_only", "bad_configure", "wrong_generation", "trap_in_plan", "loop_in_plan"];
    for guest in gantry_guests::names().filter(|guest| !elsewhere.contains(guest)) {
        assert!(GUESTS.iter().any(|(tested, ..)| *tested == guest), "{guest}");
    }
}

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
    assert_eq!((status, json(&body)["Error"].as_str()), (StatusCode::OK, Some("")));
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

#[tokio::test]
async fn the_next_call_after_a_trap_is_answered_again() {
    let (extender, _folder) = Extender::with_guest("trap", "");
    for expected in 1..=3 {
        extender.post("/prioritize", full_request("u1", "{}", &["{}"])).await;
        let counted = extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"trap\"}").await;
        assert_eq!(counted, Some(f64::from(expected)));
    }
}
