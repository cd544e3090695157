//! What the real kube-scheduler sent, and what it would get.

use crate::harness::{Extender, fixture, fixtures, full_request, json, pod, scores};
use axum::http::StatusCode;

#[tokio::test]
async fn every_captured_filter_request_lets_every_candidate_stay_in_the_form_it_came() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let mut answered = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("filter_") {
            continue;
        }
        let request = fixture(&name);
        let (status, body) = extender.post("/filter", request.clone()).await;
        let (sent, answer) = (json(&request), json(&body));
        assert_eq!(status, StatusCode::OK, "{name}");
        assert_eq!(answer["NodeNames"], sent["NodeNames"], "{name}");
        assert_eq!(answer["Nodes"]["items"], sent["Nodes"]["items"], "{name}");
        assert_eq!(answer["Error"], "", "{name}");
        answered += 1;
    }
    assert!(answered >= 10, "only {answered} captured requests");
}

#[tokio::test]
async fn whole_nodes_come_back_byte_by_byte() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let request = fixture("filter_full_nodes.json");
    let (_, body) = extender.post("/filter", request.clone()).await;
    let text = String::from_utf8(request).unwrap();
    let nodes = &text[text.find(r#""Nodes":"#).unwrap()..text.find(r#","NodeNames":"#).unwrap()];
    assert!(String::from_utf8(body).unwrap().starts_with(&format!("{{{nodes},\"NodeNames\":null,")));
}

#[tokio::test]
async fn whole_nodes_are_scored_and_exactly_one_has_10() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let (_, body) = extender.post("/prioritize", fixture("prioritize_full_nodes.json")).await;
    let scores = scores(&body);
    assert_eq!(scores.iter().filter(|(_, score)| *score == 10).count(), 1, "{scores:?}");
    assert!(scores.iter().all(|(_, score)| *score <= 10));
}

#[tokio::test]
async fn names_without_a_cluster_are_unknown_so_all_score_0_and_are_counted() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let (_, body) = extender.post("/prioritize", fixture("prioritize_cached_names.json")).await;
    assert!(scores(&body).iter().all(|(_, score)| *score == 0));
    extender.post("/filter", fixture("filter_cached_names.json")).await;
    let unknown = extender.metric("gantry_filter_disagreement_total{verdict=\"unknown-node\"}").await;
    assert_eq!(unknown, Some(scores(&body).len() as f64));
}

#[tokio::test]
async fn keys_of_older_schedulers_get_the_same_answer() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let request = fixture("filter_full_nodes.json");
    let old = String::from_utf8(request.clone()).unwrap();
    let old = old.replacen(r#"{"Pod":"#, r#"{"pod":"#, 1).replacen(r#","Nodes":"#, r#","nodes":"#, 1);
    let old = old.replacen(r#","NodeNames":"#, r#","nodenames":"#, 1);
    assert_eq!(extender.post("/filter", old).await.1, extender.post("/filter", request).await.1);
}

#[tokio::test]
async fn our_own_answer_counts_at_once_and_asking_again_forgets_it() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let request = full_request("u1", "{}", &["{}", "{}"]);
    extender.post("/prioritize", request.clone()).await;
    assert_eq!(extender.assumed().await, 1.0);
    extender.post("/filter", request.clone()).await;
    assert_eq!(extender.assumed().await, 0.0);
    extender.post("/prioritize", request).await;
    extender.post("/prioritize", full_request("u2", "{}", &["{}", "{}"])).await;
    assert_eq!(extender.assumed().await, 2.0);
}

#[tokio::test]
async fn the_last_node_left_counts_at_the_filter_as_nobody_asks_again() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    extender.post("/filter", full_request("u1", "{}", &["{}"])).await;
    assert_eq!(extender.assumed().await, 1.0);
}

#[tokio::test]
async fn a_pod_of_another_scheduler_passes_untouched_and_nobody_failed() {
    let (extender, _folder) = Extender::with_guest("trap", "");
    let request = full_request("u1", "{}", &["{}", "{}"]).replace("default-scheduler", "somebody-else");
    let (_, body) = extender.post("/prioritize", request).await;
    assert_eq!(scores(&body), [("n0".to_owned(), 0), ("n1".to_owned(), 0)]);
    let fallbacks = extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"trap\"}").await;
    assert_eq!(fallbacks, Some(0.0));
}

#[tokio::test]
async fn a_node_is_read_again_only_when_its_version_changes() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let request = full_request("u1", "{}", &["{}"]);
    extender.post("/filter", request.clone()).await;
    let generation = || extender.context.cluster.snapshot(std::time::Instant::now());
    let before = generation().allocatable().to_vec();
    let same_version = request.replace(r#""cpu":"8""#, r#""cpu":"16""#);
    extender.post("/filter", same_version.clone()).await;
    assert_eq!(generation().allocatable(), before);
    extender.post("/filter", same_version.replace(r#""resourceVersion":"1""#, r#""resourceVersion":"2""#)).await;
    assert_ne!(generation().allocatable(), before);
}

#[tokio::test]
async fn what_the_dictionary_forbids_is_refused_with_a_reason_and_nothing_else_is() {
    let entry = "{pods: {matchLabels: {app: db}}, nodes: {matchLabels: {tier: edge}}, type: Forbid}";
    let plugin = "{name: gantry, component: 'builtin:gantry'}";
    let extender = Extender::new(&format!(
        "profiles: [{{schedulerName: default-scheduler, plugins: [{plugin}], dictionary: [{entry}]}}]"
    ));
    let nodes = [r#"{"tier":"edge"}"#, r#"{"tier":"core"}"#, "{}"];
    let (_, body) = extender.post("/filter", full_request("u1", r#"{"app":"db"}"#, &nodes)).await;
    let answer = json(&body);
    let names: Vec<_> =
        answer["Nodes"]["items"].as_array().unwrap().iter().map(|node| &node["metadata"]["name"]).collect();
    assert_eq!(names, ["n1", "n2"]);
    assert_eq!(answer["FailedAndUnresolvableNodes"]["n0"], "node(s) forbidden by Gantry's dictionary");
    let (_, body) = extender.post("/filter", full_request("u2", r#"{"app":"web"}"#, &nodes)).await;
    assert_eq!(json(&body)["Nodes"]["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_node_too_small_in_our_view_passes_and_is_counted() {
    let extender = Extender::new("");
    let request = full_request("u1", "{}", &["{}", "{}"]);
    let huge = request.replace(&pod("u1", "{}", "500m"), &pod("u1", "{}", "64"));
    let (_, body) = extender.post("/filter", huge).await;
    assert_eq!(json(&body)["Nodes"]["items"].as_array().unwrap().len(), 2);
    assert_eq!(extender.metric("gantry_filter_disagreement_total{verdict=\"insufficient\"}").await, Some(2.0));
}

#[tokio::test]
async fn the_built_in_plugin_spreads_pods_over_equal_nodes() {
    let extender = Extender::new("");
    let mut best = std::collections::HashSet::new();
    for pod in 0..4 {
        let (_, body) = extender.post("/prioritize", full_request(&format!("u{pod}"), "{}", &["{}"; 4])).await;
        best.insert(scores(&body).into_iter().find(|(_, score)| *score == 10).unwrap().0);
    }
    assert_eq!(best.len(), 4, "{best:?}");
}
