//! Several plugins in one profile, the mode shadow, and breakers.

use axum::http::StatusCode;
use serde_json::Value;

use crate::harness::{Extender, component, full_request, json, scores, uneven_request};

fn profile(plugins: &[String], more: &str) -> String {
    format!(
        "profiles: [{{schedulerName: default-scheduler, {more} plugins: [{}]}}]\nserver: {{deadline: 4s}}",
        plugins.join(", ")
    )
}

fn plugin(name: &str, component: &str, more: &str) -> String {
    format!("{{name: {name}, component: {component}, limits: {{deadline: 1500ms}}{more}}}")
}

fn kept(body: &[u8]) -> usize {
    json(body)["Nodes"]["items"].as_array().map_or(0, Vec::len)
}

/// The dictionary of the built-in plugin forbids the second node to pods of the app `db`.
const FORBID: &str =
    "dictionary: [{pods: {matchLabels: {app: db}}, nodes: {matchLabels: {tier: edge}}, type: Forbid}],";

fn of_db() -> String {
    full_request("u1", r#"{"app":"db"}"#, &["{}", r#"{"tier":"edge"}"#, "{}"])
}

#[tokio::test]
async fn a_plugin_that_fails_is_left_out_and_the_others_decide() {
    let folder = tempfile::tempdir().unwrap();
    for order in [["bad", "gantry"], ["gantry", "bad"]] {
        let plugins = order.map(|name| match name {
            "bad" => plugin("bad", &component(folder.path(), "wrong_length"), ""),
            name => plugin(name, "'builtin:gantry'", ""),
        });
        let extender = Extender::new(&profile(&plugins, FORBID));
        let (_, body) = extender.post("/filter", of_db()).await;
        assert_eq!(kept(&body), 2, "the dictionary is kept whoever else fails");
        let (_, body) = extender.post("/prioritize", of_db()).await;
        assert_eq!(scores(&body).iter().filter(|(_, score)| *score == 10).count(), 1);
        for (metric, expected) in [
            ("gantry_plugin_fallback_total{plugin=\"bad\",reason=\"bad-length\"}", 2.0),
            ("gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"bad-length\"}", 0.0),
            ("gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"ok\"}", 1.0),
        ] {
            assert_eq!(extender.metric(metric).await, Some(expected), "{metric}");
        }
    }
}

#[tokio::test]
async fn a_plugin_that_is_asked_for_scores_only_does_not_filter() {
    let folder = tempfile::tempdir().unwrap();
    let bad = plugin("bad", &component(folder.path(), "wrong_length"), ", extensionPoints: [score]");
    let extender = Extender::new(&profile(&[bad, plugin("gantry", "'builtin:gantry'", "")], FORBID));
    extender.post("/filter", of_db()).await;
    assert_eq!(extender.metric("gantry_plugin_fallback_total{plugin=\"bad\",reason=\"bad-length\"}").await, Some(0.0));
    let gantry = plugin("gantry", "'builtin:gantry'", ", extensionPoints: [score]");
    let extender = Extender::new(&profile(&[gantry], FORBID));
    assert_eq!(kept(&extender.post("/filter", of_db()).await.1), 3, "nobody filters, nobody is refused");
    let gantry = plugin("gantry", "'builtin:gantry'", ", extensionPoints: [filter]");
    let extender = Extender::new(&profile(&[gantry], FORBID));
    let (_, body) = extender.post("/prioritize", of_db()).await;
    assert!(scores(&body).iter().all(|(_, score)| *score == 0), "nobody scores, no node is preferred");
    assert_eq!(
        extender.metric("gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"unavailable\"}").await,
        Some(0.0)
    );
}

#[tokio::test]
async fn weights_decide_between_plugins_that_disagree() {
    let folder = tempfile::tempdir().unwrap();
    let guest = component(folder.path(), "well_behaved");
    let request = || uneven_request("u1", 12);
    let mut ranks = Vec::new();
    for (one, other) in [("1000", "0.001"), ("0.001", "1000")] {
        let plugins = [
            plugin("gantry", "'builtin:gantry'", &format!(", weight: {one}")),
            plugin("guest", &guest, &format!(", weight: {other}")),
        ];
        let extender = Extender::new(&profile(&plugins, ""));
        ranks.push(scores(&extender.post("/prioritize", request()).await.1));
    }
    for (plugin, rank) in
        [plugin("gantry", "'builtin:gantry'", ""), plugin("guest", &guest, "")].into_iter().zip(&ranks)
    {
        let alone = Extender::new(&profile(&[plugin], ""));
        let alone = scores(&alone.post("/prioritize", request()).await.1);
        assert_eq!(rank, &alone, "what weighs a million times more decides alone");
    }
    assert_ne!(ranks[0], ranks[1]);
}

#[tokio::test]
async fn in_shadow_everything_is_measured_and_nothing_is_answered() {
    let extender =
        Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'", "")], &format!("mode: shadow, {FORBID}")));
    let (status, body) = extender.post("/filter", of_db()).await;
    assert_eq!((status, kept(&body)), (StatusCode::OK, 3));
    let (_, body) = extender.post("/prioritize", of_db()).await;
    assert!(scores(&body).iter().all(|(_, score)| *score == 0));
    assert_eq!(extender.assumed().await, 0.0);
    for metric in [
        "gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"shadow\"}",
        "gantry_extender_request_duration_seconds_count{verb=\"prioritize\",outcome=\"shadow\"}",
        "gantry_plugin_call_duration_seconds_count{plugin=\"gantry\",extension_point=\"score\",outcome=\"ok\"}",
    ] {
        assert_eq!(extender.metric(metric).await, Some(1.0), "{metric}");
    }
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_left_alone_and_its_filter_goes_on() {
    let (extender, _folder) = Extender::with_guest("trap", "");
    for _ in 0..7 {
        extender.post("/prioritize", full_request("u1", "{}", &["{}"])).await;
    }
    for (metric, expected) in [
        ("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"trap\"}", 5.0),
        ("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"breaker-open\"}", 2.0),
        ("gantry_plugin_breaker{plugin=\"guest\",state=\"open\"}", 1.0),
        ("gantry_plugin_breaker{plugin=\"guest\",state=\"closed\"}", 2.0),
        ("gantry_plugin_restarts_total{plugin=\"guest\"}", 5.0),
        ("gantry_plugin_instances{plugin=\"guest\"}", gantry_host::Limits::default().workers as f64),
    ] {
        assert_eq!(extender.metric(metric).await, Some(expected), "{metric}");
    }
    assert!(extender.metric("gantry_plugin_memory_high_water_bytes{plugin=\"guest\"}").await.unwrap() >= 65536.0);
    extender.post("/filter", full_request("u1", "{}", &["{}"])).await;
    let filtered =
        "gantry_plugin_call_duration_seconds_count{plugin=\"guest\",extension_point=\"filter\",outcome=\"ok\"}";
    assert_eq!(extender.metric(filtered).await, Some(1.0));
    let (_, page) = extender.admin("/profiles").await;
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["profiles"][0]["plugins"][0]["breakers"]["score"], "open", "{page:#}");
}

#[tokio::test]
async fn settings_that_one_of_several_plugins_refuses_are_named_with_their_key() {
    let other = plugin("other", "'builtin:gantry'", ", settings: {objectiv: x}");
    let text = profile(&[plugin("gantry", "'builtin:gantry'", ""), other], "");
    let config = crate::harness::configuration(&text);
    let error = gantry_extender::app::App::without_cluster(&config).err().unwrap().to_string();
    assert!(error.contains("profiles[0].plugins[1].settings"), "{error}");
}
