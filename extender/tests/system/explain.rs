//! Why this node and not the next best: what `/explain` asks plugins.

use serde_json::{Value, json};

use crate::harness::{Extender, component, full_request, json as parsed, scores, uneven_request};

fn profile(plugins: &[String]) -> String {
    format!(
        "profiles: [{{schedulerName: default-scheduler, plugins: [{}]}}]\nserver: {{deadline: 4s}}",
        plugins.join(", ")
    )
}

fn plugin(name: &str, component: &str) -> String {
    format!("{{name: {name}, component: {component}, limits: {{deadline: 1500ms}}}}")
}

fn with_builtin() -> Extender {
    Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'")]))
}

async fn explanation(extender: &Extender, uid: &str) -> Value {
    parsed(extender.admin(&format!("/explain/default/p-{uid}")).await.1.as_bytes())
}

/// Asks for scores, and says which node was best.
async fn place(extender: &Extender, uid: &str) -> String {
    let (_, body) = extender.post("/prioritize", uneven_request(uid, 6)).await;
    scores(&body).into_iter().find(|(_, score)| *score == 10).unwrap().0
}

#[tokio::test]
async fn a_placed_pod_is_compared_as_if_it_came_now() {
    let extender = with_builtin();
    let first = place(&extender, "u1").await;
    let second = place(&extender, "u2").await;
    // Twice and in turn: no instance may take one pod's columns for the other's.
    for _ in 0..2 {
        for (uid, node) in [("u1", &first), ("u2", &second)] {
            let explanation = explanation(&extender, uid).await;
            let comparison = &explanation["comparison"];
            assert_eq!((&explanation["state"], &comparison["candidates"]), (&json!("assumed"), &json!(6)));
            let nodes = comparison["nodes"].as_array().unwrap();
            let own = nodes.iter().find(|node| node["isItsNode"] == json!(true)).unwrap();
            assert_eq!(own["node"], json!(node), "{explanation:#}");
            let cpu = &own["loads"][0];
            let added = cpu["after"].as_f64().unwrap() - cpu["before"].as_f64().unwrap();
            assert!(cpu["resource"] == json!("cpu") && added > 0.0, "{explanation:#}");
        }
    }
    let last = explanation(&extender, "u2").await;
    let nodes = last["comparison"]["nodes"].as_array().unwrap();
    assert_eq!(
        (&nodes[0]["isItsNode"], &nodes[0]["rank"]),
        (&json!(true), &json!(1)),
        "nothing came after it: {last:#}"
    );
    assert!(nodes[0]["score"].as_f64() > nodes[1]["score"].as_f64(), "{last:#}");
    let (_, text) = extender.admin("/explain/default/p-u2?format=text").await;
    assert!(text.contains(&format!("as the cluster is now, {second} is the best of 6 nodes")), "{text}");
    assert!(text.contains(&format!("1. {second}, its node: ")) && text.contains("    2. n"), "{text}");
}

#[tokio::test]
async fn an_explanation_changes_nothing_for_the_next_request() {
    let [quiet, explained] = [with_builtin(), with_builtin()];
    for uid in ["u1", "u2", "u3"] {
        assert_eq!(place(&quiet, uid).await, place(&explained, uid).await);
        explanation(&explained, uid).await;
    }
    let calls = "gantry_plugin_call_duration_seconds_count{plugin=\"gantry\",extension_point=\"score\",outcome=\"ok\"}";
    assert_eq!(explained.metric(calls).await, Some(3.0));
}

#[tokio::test]
async fn a_plugin_that_fails_to_explain_just_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let bad = plugin("bad", &component(folder.path(), "wrong_length"));
    let extender = Extender::new(&profile(&[bad, plugin("gantry", "'builtin:gantry'")]));
    place(&extender, "u1").await;
    for _ in 0..9 {
        explanation(&extender, "u1").await;
    }
    let explanation = explanation(&extender, "u1").await;
    let failure = explanation["comparison"]["failures"][0].as_str().unwrap();
    assert!(failure.starts_with("bad: bad-length: "), "{failure}");
    assert_eq!(explanation["comparison"]["nodes"][0]["plugins"].as_array().unwrap().len(), 1);
    for (metric, expected) in [
        ("gantry_plugin_fallback_total{plugin=\"bad\",reason=\"bad-length\"}", 1.0),
        ("gantry_plugin_breaker{plugin=\"bad\",state=\"open\"}", 0.0),
    ] {
        assert_eq!(extender.metric(metric).await, Some(expected), "{metric}");
    }
}

#[tokio::test]
async fn scores_that_requests_have_stretched_are_shown_stretched() {
    let folder = tempfile::tempdir().unwrap();
    // It scores row by row from 0 to 5/6.
    let guest = component(folder.path(), "every_verdict");
    let more = "limits: {deadline: 1500ms}, extensionPoints: [score], weight: 20, normalize: true";
    let small = format!("{{name: small, component: {guest}, {more}}}");
    let extender = Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'"), small]));
    assert_eq!(place(&extender, "u1").await, "n5");
    let explanation = explanation(&extender, "u1").await;
    let nodes = &explanation["comparison"]["nodes"];
    assert_eq!((&nodes[0]["node"], &nodes[1]["node"]), (&json!("n5"), &json!("n4")), "{explanation:#}");
    let small = |node: usize| nodes[node]["plugins"][1]["score"].as_f64().unwrap();
    assert!(small(0) == 100.0 && (small(1) - 80.0).abs() < 1e-9, "{explanation:#}");
    let answered = explanation["decisions"][0]["best"][0]["score"].as_f64().unwrap();
    assert!((nodes[0]["score"].as_f64().unwrap() - answered).abs() < 1e-6, "{explanation:#}");
}

#[tokio::test]
async fn a_record_names_who_was_asked_how_long_it_took_and_what_broke_ties() {
    let extender = with_builtin();
    extender.post("/filter", full_request("u1", "{}", &["{}", "{}"])).await;
    extender.post("/prioritize", full_request("u1", "{}", &["{}", "{}"])).await;
    let explanation = explanation(&extender, "u1").await;
    let [scored, filtered] = [&explanation["decisions"][0], &explanation["decisions"][1]];
    for record in [scored, filtered] {
        let call = &record["plugins"][0];
        assert_eq!((&call["name"], &call["answered"]), (&json!("gantry"), &json!(true)), "{record:#}");
        let [all, waited, asked] =
            [&record["seconds"], &record["waitedSeconds"], &call["seconds"]].map(|seconds| seconds.as_f64().unwrap());
        assert!(asked > 0.0 && waited > 0.0 && waited + asked <= all, "{record:#}");
        assert_eq!(record["forecastAgeSeconds"], Value::Null);
    }
    assert_eq!((scored["seed"].as_str().map(str::len), &filtered["seed"]), (Some(16), &Value::Null));
}
