//! Nothing that comes in harms the process, and every answer is clear.

use axum::http::StatusCode;

use crate::harness::{Extender, full_request, json, log_to, pod};

fn error_of(body: &[u8]) -> String {
    json(body)["Error"].as_str().unwrap().to_owned()
}

/// The answer to a preempt request that names no victims.
const NOBODY: (StatusCode, &str) = (StatusCode::OK, r#"{"NodeNameToMetaVictims":{}}"#);

/// Where a prioritize or preempt request has no place for an error.
fn bad(text: &str) -> (StatusCode, &str) {
    (StatusCode::BAD_REQUEST, text)
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_the_words_that_kube_scheduler_understands() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let pod = pod("u", "{}", "1");
    let eof = "malformed request at .: EOF while parsing a value";
    let html = "malformed request at .: expected value at line 1 column 1";
    let sequence = "malformed request at .: invalid type: sequence";
    let missing = "malformed request at Pod: a pod is required";
    let cases: [(Vec<u8>, &str, (StatusCode, &str)); 10] = [
        (b"".to_vec(), eof, bad(eof)),
        (b"{".to_vec(), "malformed request at", bad("malformed request at")),
        (b"<html>".to_vec(), html, bad(html)),
        (b"[]".to_vec(), sequence, bad(sequence)),
        (b"\xff\xfe".to_vec(), html, bad(html)),
        (b"{}".to_vec(), missing, bad(missing)),
        (br#"{"Pod":7,"NodeNames":[]}"#.to_vec(), "at Pod: invalid type", bad("at Pod: invalid type")),
        // A preempt request without victims lacks nothing: nobody is to go.
        (format!(r#"{{"Pod":{pod}}}"#).into(), "malformed request at NodeNames: neither NodeNames nor Nodes", NOBODY),
        (
            format!(r#"{{"Pod":{pod},"NodeNames":[1]}}"#).into(),
            "malformed request at NodeNames[0]: invalid type",
            NOBODY,
        ),
        (
            format!(r#"{{"Pod":{pod},"Nodes":{{"items":[{{}}]}}}}"#).into(),
            "malformed request at Nodes.items[0]: missing",
            NOBODY,
        ),
    ];
    for (body, expected, preempted) in cases {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let (status, answer) = extender.post("/filter", body.clone()).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
        assert!(error_of(&answer).contains(expected), "{shown}: {}", error_of(&answer));
        for (verb, (status, text)) in [("/prioritize", bad(expected)), ("/preempt", preempted)] {
            let answer = extender.post(verb, body.clone()).await;
            let answered = String::from_utf8(answer.1).unwrap();
            assert_eq!(answer.0, status, "{verb} {shown}: {answered}");
            assert!(answered.contains(text), "{verb} {shown}: {answered}");
        }
    }
    assert_eq!(extender.post("/filter", full_request("u1", "{}", &["{}"])).await.0, StatusCode::OK);
}

#[tokio::test]
async fn victims_that_cannot_be_read_are_refused_by_their_path() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    for (victims, path) in [
        (r#""NodeNameToMetaVictims":[]"#, "NodeNameToMetaVictims: invalid type: sequence"),
        (
            r#""NodeNameToMetaVictims":{"n0":{"Pods":[{"UID":7}]}}"#,
            "NodeNameToMetaVictims.n0.Pods[0].UID: invalid type",
        ),
        (r#""NodeNameToVictims":{"n0":{"Pods":[7]}}"#, "NodeNameToVictims.n0.Pods[0]: invalid type"),
    ] {
        let (status, body) = extender.post("/preempt", format!(r#"{{"Pod":{},{victims}}}"#, pod("u", "{}", "1"))).await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.contains(&format!("malformed request at {path}")), "{text}");
    }
}

#[tokio::test]
async fn what_is_refused_is_logged_with_the_path_of_the_field_and_never_at_length() {
    let (extender, folder) = Extender::with_guest("well_behaved", "");
    let log = folder.path().join("log");
    let guard = log_to(&log);
    let long = "x".repeat(1 << 20);
    let request = format!(r#"{{"Pod":{},"NodeNames":["a",{{"{long}":1}}]}}"#, pod("u", "{}", "1"));
    extender.post("/filter", request).await;
    let (_, answer) = extender.post("/filter", format!(r#"{{"Pod":"{long}","NodeNames":[]}}"#)).await;
    drop(guard);
    assert!(answer.len() < 2000, "{}", answer.len());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("request refused verb=\"filter\""), "{log}");
    assert!(log.contains("malformed request at NodeNames[1]: invalid type: map"), "{log}");
    assert!(log.contains("malformed request at Pod: invalid type: string") && log.len() < 4000, "{}", log.len());
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_and_nothing_of_it_is_kept() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let request = full_request(&"u".repeat(254), "{}", &["{}"]);
    let (status, body) = extender.post("/filter", request).await;
    let expected = "gantry: malformed request at Pod.metadata.name: 256 bytes, and names have 253 at most";
    assert_eq!((status, error_of(&body).as_str()), (StatusCode::OK, expected));
    let (_, explained) = extender.admin(&format!("/explain/default/p-{}", "u".repeat(254))).await;
    assert!(explained.starts_with("nothing is known of pod"), "{explained}");
}

#[tokio::test]
async fn absurd_pods_and_nodes_pass_without_harm() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let good = full_request("u1", "{}", &["{}", "{}"]);
    let no_containers = good.replace(r#""containers":[{"#, r#""containers":[],"x":[{"#);
    assert_ne!(no_containers, good);
    let mut cases = vec![no_containers, good.replace(r#""cpu":"8""#, r#""cpu":"-8""#)];
    for quantity in ["1e30", "-5", "0.0000001", "", "1Zi", "NaN", "1e-400", "9".repeat(5000).as_str()] {
        cases.push(good.replace(r#""cpu":"500m""#, &format!(r#""cpu":"{quantity}""#)));
        cases.push(good.replace(r#""memory":"32Gi""#, &format!(r#""memory":"{quantity}""#)));
    }
    for body in cases {
        let (status, answer) = extender.post("/filter", body.clone()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(error_of(&answer), "");
        assert_eq!(json(&answer)["Nodes"]["items"].as_array().unwrap().len(), 2, "{body}");
        assert_eq!(extender.post("/prioritize", body).await.0, StatusCode::OK);
    }
    let refused = extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"bad-pod\"}").await;
    assert!(refused.unwrap() > 0.0);
}

#[tokio::test]
async fn ten_thousand_nodes_are_answered() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "server: {deadline: 4s}");
    let request = full_request("u1", "{}", &vec!["{}"; 10_000]);
    let (status, body) = extender.post("/filter", request).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(json(&body)["Nodes"]["items"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_the_limit() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "server: {bodyLimit: 64Ki}");
    let (status, body) = extender.post("/filter", vec![b' '; 65 << 10]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(error_of(&body).contains("server.bodyLimit (65536 bytes)"), "{}", error_of(&body));
    assert_eq!(extender.post("/prioritize", vec![b' '; 65 << 10]).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_hundred_megabytes_of_nothing_are_refused() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let (status, body) = extender.post("/filter", vec![b' '; 100 << 20]).await;
    assert_eq!((status, error_of(&body).contains("malformed")), (StatusCode::OK, true));
}

#[tokio::test]
async fn wrong_methods_and_paths_get_a_hint() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let (status, body) = extender.send("GET", "/filter", "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(String::from_utf8(body).unwrap().contains("POST"));
    for path in ["/", "/filters", "/scheduler/filter", "/bind"] {
        let (status, body) = extender.post(path, "{}").await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(text.contains("/filter /prioritize /preempt") && text.contains("urlPrefix"), "{text}");
    }
    let counted = "gantry_extender_request_duration_seconds_count{verb=\"unknown\",outcome=\"refused\"}";
    assert_eq!(extender.metric(counted).await, Some(5.0));
    let (_, status) = extender.admin("/status").await;
    assert_eq!(status.matches("\"never\"").count(), 4, "none of them was a call of a verb: {status}");
}

#[tokio::test]
async fn of_wrong_paths_one_is_logged_and_not_at_length() {
    let (extender, folder) = Extender::with_guest("well_behaved", "");
    let log = folder.path().join("log");
    let guard = log_to(&log);
    for verb in ["filter", "prioritize", "filter"] {
        extender.post(&format!("/{}/{verb}", "x".repeat(5000)), "{}").await;
    }
    drop(guard);
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains("method=\"POST\" path=\"/xxx") && log.contains("urlPrefix") && log.len() < 2000, "{log}");
}
