//! Victims: none in vain, and never a null.

use axum::http::StatusCode;

use crate::harness::{Extender, fixture, full_request, json, pod};

#[tokio::test]
async fn captured_victims_come_back_as_they_came() {
    let (extender, _folder) = Extender::with_guest("well_behaved", "");
    let request = fixture("preempt_cached_meta_victims.json");
    let (status, body) = extender.post("/preempt", request.clone()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(json(&body)["NodeNameToMetaVictims"], json(&request)["NodeNameToMetaVictims"]);
}

#[tokio::test]
async fn a_failing_plugin_leaves_the_victims_as_they_came() {
    let (extender, _folder) = Extender::with_guest("plugin_error", "");
    let request = fixture("preempt_cached_meta_victims.json");
    let (_, body) = extender.post("/preempt", request.clone()).await;
    assert_eq!(json(&body)["NodeNameToMetaVictims"], json(&request)["NodeNameToMetaVictims"]);
    let counted = extender.metric("gantry_plugin_fallback_total{plugin=\"guest\",reason=\"plugin-error\"}").await;
    assert_eq!(counted, Some(1.0));
}

#[tokio::test]
async fn nobody_is_evicted_from_a_node_that_the_dictionary_forbids() {
    let entry = "{pods: {matchLabels: {app: db}}, nodes: {matchLabels: {tier: edge}}, type: Forbid}";
    let plugin = "{name: gantry, component: 'builtin:gantry'}";
    let extender = Extender::new(&format!(
        "profiles: [{{schedulerName: default-scheduler, plugins: [{plugin}], dictionary: [{entry}]}}]"
    ));
    let labels = r#"{"app":"db"}"#;
    extender.post("/filter", full_request("u1", labels, &[r#"{"tier":"edge"}"#, "{}"])).await;
    let victims = r#"{"Pods":[{"UID":"v"}],"NumPDBViolations":0}"#;
    let request = format!(
        r#"{{"Pod":{},"NodeNameToVictims":null,"NodeNameToMetaVictims":{{"n0":{victims},"n1":{victims},"n9":{victims}}}}}"#,
        pod("u1", labels, "500m")
    );
    let (_, body) = extender.post("/preempt", request).await;
    assert_eq!(
        String::from_utf8(body).unwrap(),
        format!(r#"{{"NodeNameToMetaVictims":{{"n1":{victims},"n9":{victims}}}}}"#)
    );
}

#[tokio::test]
async fn a_node_where_the_pod_does_not_fit_after_the_eviction_is_dropped_if_we_know_the_victims() {
    let extender = Extender::new("");
    // The victim counts on the only node by our own answer.
    extender.post("/filter", full_request("victim", "{}", &["{}"])).await;
    assert_eq!(extender.assumed().await, 1.0);
    let ask = |victims: &[(&str, &str)]| {
        let entry = |(node, uid): &(&str, &str)| format!(r#""{node}":{{"Pods":[{{"UID":"{uid}"}}]}}"#);
        let victims = victims.iter().map(entry).collect::<Vec<_>>().join(",");
        format!(r#"{{"Pod":{},"NodeNameToMetaVictims":{{{victims}}}}}"#, pod("u2", "{}", "64"))
    };
    for (victims, expected) in [
        (&[("n0", "victim"), ("n9", "other")][..], &["n9"][..]),
        (&[("n0", "stranger"), ("n9", "other")], &["n0", "n9"]),
        // Without any other node left it is rather our view that is old.
        (&[("n0", "victim")], &["n0"]),
    ] {
        let (_, body) = extender.post("/preempt", ask(victims)).await;
        let answer = json(&body);
        let kept: Vec<&String> = answer["NodeNameToMetaVictims"].as_object().unwrap().keys().collect();
        assert_eq!(kept, expected, "{victims:?}");
    }
}
