//! Several plugins in one profile, the mode shadow, and breakers.

use axum::http::StatusCode;
use serde_json::Value;

use crate::harness::{Extender, component, full_request, json, pod, scores, uneven_request};

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
    let extender = Extender::new(&profile(&[gantry], ""));
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
async fn what_the_dictionary_forbids_is_refused_though_no_plugin_looks_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let scores = plugin("gantry", "'builtin:gantry'", ", extensionPoints: [score]");
    let passes = plugin("guest", &component(folder.path(), "well_behaved"), "");
    for plugins in [scores, passes] {
        let extender = Extender::new(&profile(&[plugins], FORBID));
        let answer = json(&extender.post("/filter", of_db()).await.1);
        let never = &answer["FailedAndUnresolvableNodes"];
        assert_eq!(*never, serde_json::json!({"n1": "node(s) forbidden by Gantry's dictionary"}), "{answer:#}");
        let others = full_request("u2", "{}", &["{}", r#"{"tier":"edge"}"#, "{}"]);
        assert_eq!(kept(&extender.post("/filter", others).await.1), 3);
        let all = full_request("u3", r#"{"app":"db"}"#, &[r#"{"tier":"edge"}"#; 3]);
        let all = all.replace(r#""resourceVersion":"1""#, r#""resourceVersion":"2""#);
        assert_eq!(kept(&extender.post("/filter", all).await.1), 0, "no node is better than one that is forbidden");
    }
}

/// Of ten answers the first five fail, and the others are those of an open breaker.
#[tokio::test]
async fn what_the_dictionary_forbids_is_refused_though_no_plugin_answers() {
    let folder = tempfile::tempdir().unwrap();
    let fails = plugin("bad", &component(folder.path(), "plugin_error"), "");
    let extender = Extender::new(&profile(&[fails], FORBID));
    let victims = r#"{"Pods":[{"UID":"v"}],"NumPDBViolations":0}"#;
    let evictions = format!(
        r#"{{"Pod":{},"NodeNameToMetaVictims":{{"n0":{victims},"n1":{victims}}}}}"#,
        pod("u1", r#"{"app":"db"}"#, "500m")
    );
    for round in 0..5 {
        let (_, body) = extender.post("/filter", of_db()).await;
        let answer = json(&body);
        assert_eq!((kept(&body), answer["Error"].as_str()), (2, Some("")), "{round}: {answer:#}");
        let answer = json(&extender.post("/preempt", evictions.clone()).await.1);
        let kept: Vec<&String> = answer["NodeNameToMetaVictims"].as_object().unwrap().keys().collect();
        assert_eq!(kept, ["n0"], "{round}");
    }
    for (metric, expected) in [
        ("gantry_plugin_fallback_total{plugin=\"bad\",reason=\"plugin-error\"}", 5.0),
        ("gantry_plugin_fallback_total{plugin=\"bad\",reason=\"breaker-open\"}", 5.0),
        ("gantry_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"neutral\"}", 5.0),
    ] {
        assert_eq!(extender.metric(metric).await, Some(expected), "{metric}");
    }
    assert_eq!(extender.assumed().await, 0.0);
    let (_, why) = extender.admin("/explain/default/p-u1?format=text").await;
    assert!(why.contains("1 node(s) forbidden by Gantry's dictionary") && why.contains("no answer from bad"), "{why}");
}

/// What the first takes of each request leaves the second less than its own limit, once less than half of the request.
#[tokio::test]
async fn a_plugin_that_is_cut_short_because_others_had_its_share_is_not_left_alone_for_it_and_else_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let guest = component(folder.path(), "endless_loop");
    let slow = |name: &str, limit: &str| format!("{{name: {name}, component: {guest}, limits: {{deadline: {limit}}}}}");
    for (limit, open) in [("200ms", 0.0), ("90ms", 1.0)] {
        let plugins = [slow("first", limit), slow("second", "240ms")].join(", ");
        let profiles = format!("profiles: [{{schedulerName: default-scheduler, plugins: [{plugins}]}}]");
        let extender = Extender::new(&format!("{profiles}\nserver: {{deadline: 300ms}}"));
        for _ in 0..6 {
            extender.post("/prioritize", uneven_request("u1", 3)).await;
        }
        let metric = "gantry_plugin_breaker{plugin=\"second\",state=\"open\"}";
        assert_eq!(extender.metric(metric).await, Some(open), "{limit}");
    }
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

/// Both slow plugins keep to limits of their own, which together are more than the request has.
#[tokio::test]
async fn slow_plugins_cost_no_answer_but_their_own_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let slow = |name: &str| {
        let component = component(folder.path(), "endless_loop");
        format!("{{name: {name}, component: {component}, limits: {{deadline: 2s}}}}")
    };
    let gantry = "{name: gantry, component: 'builtin:gantry', limits: {deadline: 1900ms}}";
    let plugins = [slow("slow"), slow("late"), gantry.to_owned()].join(", ");
    let sections = |plugins: &str| {
        format!("profiles: [{{schedulerName: default-scheduler, plugins: [{plugins}]}}]\nserver: {{deadline: 2s}}")
    };
    let alone = scores(&Extender::new(&sections(gantry)).post("/prioritize", uneven_request("u1", 5)).await.1);
    let extender = Extender::new(&sections(&plugins));
    let answer = scores(&extender.post("/prioritize", uneven_request("u1", 5)).await.1);
    assert_eq!(answer, alone, "the answer is that of the plugin that is in time");
    for (metric, expected) in [
        ("gantry_plugin_fallback_total{plugin=\"slow\",reason=\"deadline\"}", 1.0),
        ("gantry_plugin_fallback_total{plugin=\"late\",reason=\"no-time\"}", 1.0),
        ("gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"deadline\"}", 0.0),
        ("gantry_plugin_fallback_total{plugin=\"gantry\",reason=\"no-time\"}", 0.0),
        ("gantry_extender_request_duration_seconds_count{verb=\"prioritize\",outcome=\"ok\"}", 1.0),
    ] {
        assert_eq!(extender.metric(metric).await, Some(expected), "{metric}");
    }
    let (_, why) = extender.admin("/explain/default/p-u1?format=text").await;
    assert!(why.contains("late: no-time") && why.contains("the time went to: gantry"), "{why}");
}

/// The rows are 0 pass, 1 forbidden, 2 mismatch, 3 insufficient, 4 overloaded soon.
#[tokio::test]
async fn a_refusal_names_the_plugin_that_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let guest = plugin("zones", &component(folder.path(), "every_verdict"), "");
    let extender = Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'", ""), guest], FORBID));
    let request = full_request("u1", r#"{"app":"db"}"#, &[r#"{"tier":"edge"}"#, "{}", "{}", "{}", "{}"]);
    let answer = json(&extender.post("/filter", request).await.1);
    let never = &answer["FailedAndUnresolvableNodes"];
    assert_eq!(never["n0"], "node(s) forbidden by Gantry's dictionary", "{answer:#}");
    assert_eq!(never["n1"], "node(s) refused by plugin zones");
    assert_eq!(answer["FailedNodes"]["n4"], "node(s) that plugin zones expects to be overloaded soon");
    assert_eq!(answer["Nodes"]["items"].as_array().unwrap().len(), 2, "2 and 3 only inform, whoever says them");
    let (_, why) = extender.admin("/explain/default/p-u1?format=text").await;
    assert!(why.contains("1 node(s) refused by plugin zones"), "{why}");
}

#[tokio::test]
async fn a_plugin_with_a_scale_of_its_own_counts_by_its_weight_where_it_is_normalized() {
    let folder = tempfile::tempdir().unwrap();
    let guest = component(folder.path(), "every_verdict");
    let mut best = Vec::new();
    for more in ["", ", normalize: true"] {
        let plugins = [
            plugin("gantry", "'builtin:gantry'", ""),
            plugin("small", &guest, &format!(", weight: 20, extensionPoints: [score]{more}")),
        ];
        let extender = Extender::new(&profile(&plugins, ""));
        let scores = scores(&extender.post("/prioritize", uneven_request("u1", 9)).await.1);
        best.push(scores.into_iter().find(|(_, score)| *score == 10).unwrap().0);
    }
    let alone = Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'", "")], ""));
    let alone = scores(&alone.post("/prioritize", uneven_request("u1", 9)).await.1);
    assert_eq!(alone.into_iter().find(|(_, score)| *score == 10).unwrap().0, best[0], "0 to 1 hardly counts");
    assert_eq!(best[1], "n8", "stretched it decides by twenty times the weight");
}

/// Of the first every node is refused, and the second prefers none of equal nodes.
#[tokio::test]
async fn where_no_node_scores_above_0_none_is_preferred_and_nothing_counts_as_placed() {
    let forbidden = Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'", "")], FORBID));
    let equal = Extender::new(&profile(&[plugin("gantry", "'builtin:gantry'", ", normalize: true")], ""));
    for (extender, labels) in [(forbidden, r#"{"tier":"edge"}"#), (equal, "{}")] {
        let (status, body) = extender.post("/prioritize", full_request("u1", r#"{"app":"db"}"#, &[labels; 3])).await;
        let expected = ["n0", "n1", "n2"].map(|node| (node.to_owned(), 0));
        assert_eq!((status, scores(&body)), (StatusCode::OK, expected.to_vec()));
        assert_eq!(extender.assumed().await, 0.0);
        let ok = "gantry_extender_request_duration_seconds_count{verb=\"prioritize\",outcome=\"ok\"}";
        assert_eq!(extender.metric(ok).await, Some(1.0), "no plugin failed");
        let (_, why) = extender.admin("/explain/default/p-u1?format=text").await;
        assert!(why.contains("none preferred: n") && why.contains("gantry") && !why.contains("ties by seed"), "{why}");
    }
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
