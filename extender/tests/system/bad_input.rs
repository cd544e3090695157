//! Nothing that comes in harms the process, and every answer is clear.

use axum::http::StatusCode;

use crate::harness::{Extender, full_request, json, pod};

fn error_of(body: &[u8]) -> String {
    json(body)["Error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_in_the_words_that_kube_scheduler_understands() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let pod = pod("u", "{}", "1");
    let cases: [(Vec<u8>, &str); 9] = [
        (b"".to_vec(), "malformed request at .: EOF"),
        (b"{".to_vec(), "malformed request at"),
        (b"<html>".to_vec(), "malformed request at .: expected value"),
        (b"[]".to_vec(), "malformed request at .: invalid type: sequence"),
        (b"\xff\xfe".to_vec(), "malformed request at .: "),
        (b"{}".to_vec(), "malformed request at Pod: a pod is required"),
        (format!(r#"{{"Pod":{pod}}}"#).into(), "malformed request at NodeNames: neither NodeNames nor Nodes"),
        (format!(r#"{{"Pod":{pod},"NodeNames":[1]}}"#).into(), "malformed request at NodeNames[0]: invalid type"),
        (
            format!(r#"{{"Pod":{pod},"Nodes":{{"items":[{{}}]}}}}"#).into(),
            "malformed request at Nodes.items[0]: missing",
        ),
    ];
    for (body, expected) in cases {
        let (status, answer) = extender.post("/filter", body.clone()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(error_of(&answer).contains(expected), "{:?}: {}", String::from_utf8_lossy(&body), error_of(&answer));
        for verb in ["/prioritize", "/preempt"] {
            let (status, answer) = extender.post(verb, body.clone()).await;
            let is_fine = verb == "/preempt" && status == StatusCode::OK;
            assert!(is_fine || status == StatusCode::BAD_REQUEST, "{verb}: {status}");
            assert!(is_fine || String::from_utf8(answer).unwrap().contains("malformed request at"), "{verb}");
        }
    }
    assert_eq!(extender.post("/filter", full_request("u1", "{}", &["{}"])).await.0, StatusCode::OK);
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
}
